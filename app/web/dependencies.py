"""What a route asks for: an alias per dependency."""

from typing import Annotated, cast

from fastapi import Depends, Path, Query, Request

from app.core.model import Model
from app.services.image_store import ImageStore
from app.services.model_library import ModelLibrary
from app.services.predictor import Predictor
from app.settings import Settings
from app.web.pictures import Source, read_sources


def get_settings(request: Request) -> Settings:
    return cast(Settings, request.state.settings)


def get_library(request: Request) -> ModelLibrary:
    return cast(ModelLibrary, request.state.library)


def get_predictor(request: Request) -> Predictor:
    return cast(Predictor, request.state.predictor)


def get_images(request: Request) -> ImageStore:
    return cast(ImageStore, request.state.images)


SettingsDep = Annotated[Settings, Depends(get_settings)]
LibraryDep = Annotated[ModelLibrary, Depends(get_library)]
PredictorDep = Annotated[Predictor, Depends(get_predictor)]
ImagesDep = Annotated[ImageStore, Depends(get_images)]


async def get_sources(request: Request, settings: SettingsDep) -> list[Source]:
    return await read_sources(request, settings.max_pixels)


async def get_wanted_model(
    library: LibraryDep,
    model: Annotated[
        str | None, Query(description="A model's name; without it, the default model.")
    ] = None,
) -> Model:
    return library.get(model)


async def get_named_model(
    library: LibraryDep, model: Annotated[str, Path(description="A model's name.")]
) -> Model:
    return library.get(model)


SourcesDep = Annotated[list[Source], Depends(get_sources)]
WantedModelDep = Annotated[Model, Depends(get_wanted_model)]
NamedModelDep = Annotated[Model, Depends(get_named_model)]
