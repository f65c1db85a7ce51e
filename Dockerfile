# docker build -t convscope .                                     the processor's build of torch
# docker build -t convscope --build-arg TORCH_BACKEND=cu130 .     CUDA's; run it with --gpus all
# docker run -p 8000:8000 -v convscope:/data convscope

FROM python:3.11-slim AS base
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /srv/convscope

# What the pages load. Node.js, which fetches it, stays in this stage.
FROM base AS vendor
COPY Makefile package.json package-lock.json ./
RUN make vendor

FROM base
ARG TORCH_BACKEND=cpu
# The dependencies come before the source, so that a change of the source doesn't fetch them again.
COPY Makefile pyproject.toml ./
COPY app/__init__.py app/
COPY models/__init__.py models/
RUN make package TORCH_BACKEND=$TORCH_BACKEND
COPY --from=vendor /srv/convscope/static/vendor static/vendor
COPY app app
COPY models models
COPY static static
COPY templates templates

RUN useradd --create-home convscope && mkdir /data && chown convscope /data
USER convscope
ENV PATH=/srv/convscope/.venv/bin:$PATH CONVSCOPE_DATA_DIR=/data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz')"]
# No shell in between: the server itself gets the signal, and closes its streams in good time.
STOPSIGNAL SIGTERM
CMD ["convscope", "serve", "--host", "0.0.0.0", "--port", "8000"]
