"""The only place where the parts are joined."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TypedDict

import torch
from fastapi import FastAPI

from app.core.devices import choose_device
from app.services.image_store import ImageStore
from app.services.model_library import ModelLibrary
from app.services.predictor import Predictor
from app.settings import Settings
from app.web import api, errors, maps, pages
from app.web.assets import ROOT, STATIC, LastingFiles
from app.web.limits import BodyLimit


class State(TypedDict):
    settings: Settings
    library: ModelLibrary
    predictor: Predictor
    images: ImageStore


def create_app(settings: Settings | None = None) -> FastAPI:
    """The web application, with the settings of the environment unless others are given."""
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[State]:
        # One picture is too little work for two threads; the second core serves requests.
        torch.set_num_threads(1)
        predictor = Predictor()
        images = ImageStore(settings.data_dir / "images", settings.max_pixels)
        library = ModelLibrary(choose_device(settings.device))
        yield State(settings=settings, library=library, predictor=predictor, images=images)
        predictor.close()

    app = FastAPI(
        title="ConvScope",
        summary="See every number that a convolutional network computes.",
        version=version("convscope"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes)
    app.include_router(api.health)
    app.include_router(api.router)
    app.include_router(maps.router)
    app.include_router(pages.router)
    app.mount(ROOT, LastingFiles(directory=STATIC), name="static")
    errors.install(app)
    return app
