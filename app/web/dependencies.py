"""What a route asks for: an alias per dependency.

They are asynchronous, as FastAPI runs any other function in a thread, and few depend on others, as
it takes longer to find those than they take themselves.
"""

from typing import Annotated, cast

from fastapi import Depends, Path, Query, Request
from fastapi.concurrency import run_in_threadpool

from app.core.model import Model
from app.services.edited_models import EditedModels
from app.services.evaluator import Evaluator
from app.services.image_store import ImageStore
from app.services.model_library import ModelLibrary
from app.services.predictor import Predictor, Source
from app.services.run_feed import RunFeed
from app.services.run_store import RunStore
from app.services.sweep_store import SweepStore
from app.services.sweeper import Sweeper
from app.services.trainer import Trainer
from app.settings import Settings
from app.web.documenting import MODEL
from app.web.entrance import Entrance
from app.web.pictures import read_sources

NAMES = "A model's name, `<run>@<epoch>` for a snapshot, or `<model>~<hash>` for an edited one"


async def get_settings(request: Request) -> Settings:
    """The settings that the application was created with."""
    return cast(Settings, request.state.settings)


async def get_library(request: Request) -> ModelLibrary:
    """The models."""
    return cast(ModelLibrary, request.state.library)


async def get_predictor(request: Request) -> Predictor:
    """What predicts and traces."""
    return cast(Predictor, request.state.predictor)


async def get_images(request: Request) -> ImageStore:
    """The kept pictures."""
    return cast(ImageStore, request.state.images)


async def get_store(request: Request) -> RunStore:
    """The runs and their events."""
    return cast(RunStore, request.state.store)


async def get_trainer(request: Request) -> Trainer:
    """What trains."""
    return cast(Trainer, request.state.trainer)


async def get_feed(request: Request) -> RunFeed:
    """The events of runs as they come."""
    return cast(RunFeed, request.state.feed)


async def get_sweeps(request: Request) -> SweepStore:
    """What is known of sweeps."""
    return cast(SweepStore, request.state.sweeps)


async def get_sweeper(request: Request) -> Sweeper:
    """What starts and ends sweeps."""
    return cast(Sweeper, request.state.sweeper)


async def get_edited(request: Request) -> EditedModels:
    """All models by name, and those that were edited."""
    return cast(EditedModels, request.state.edited)


async def get_evaluator(request: Request) -> Evaluator:
    """What measures models."""
    return cast(Evaluator, request.state.evaluator)


async def get_entrance(request: Request) -> Entrance | None:
    """Who may come in, where a token says so."""
    return cast(Entrance | None, request.state.entrance)


SettingsDep = Annotated[Settings, Depends(get_settings)]
LibraryDep = Annotated[ModelLibrary, Depends(get_library)]
PredictorDep = Annotated[Predictor, Depends(get_predictor)]
ImagesDep = Annotated[ImageStore, Depends(get_images)]
StoreDep = Annotated[RunStore, Depends(get_store)]
TrainerDep = Annotated[Trainer, Depends(get_trainer)]
FeedDep = Annotated[RunFeed, Depends(get_feed)]
SweepsDep = Annotated[SweepStore, Depends(get_sweeps)]
EditedDep = Annotated[EditedModels, Depends(get_edited)]
EvaluatorDep = Annotated[Evaluator, Depends(get_evaluator)]
SweeperDep = Annotated[Sweeper, Depends(get_sweeper)]
EntranceDep = Annotated[Entrance | None, Depends(get_entrance)]


async def get_sources(
    request: Request,
    width: Annotated[
        int | None,
        Query(ge=1, description="Of raw grey bytes: pixels in a row, where they aren't a square."),
    ] = None,
) -> list[Source]:
    """The pictures in the request's body."""
    settings = await get_settings(request)
    return await read_sources(request, settings.max_pixels, width)


async def get_wanted_model(
    request: Request,
    model: Annotated[
        str | None,
        Query(
            description=f"{NAMES}; without it, the default model.",
            openapi_examples=MODEL,
        ),
    ] = None,
) -> Model:
    """The model that the query names, else the default one."""
    return await _find(request, model)


async def get_named_model(
    request: Request,
    model: Annotated[
        str,
        Path(
            description=f"{NAMES}.",
            openapi_examples=MODEL,
        ),
    ],
) -> Model:
    """The model that the path names."""
    return await _find(request, model)


async def _find(request: Request, name: str | None) -> Model:
    edited = await get_edited(request)
    ready = edited.loaded(name)
    return await run_in_threadpool(edited.get, name) if ready is None else ready


SourcesDep = Annotated[list[Source], Depends(get_sources)]
WantedModelDep = Annotated[Model, Depends(get_wanted_model)]
NamedModelDep = Annotated[Model, Depends(get_named_model)]
