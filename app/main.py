"""The only place where the parts are joined."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TypedDict

import torch
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi.middleware.gzip import GZipMiddleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES

from app.core.devices import choose_device
from app.core.errors import InvalidSettings
from app.core.whole_files import remove_leftovers
from app.services.edited_models import EditedModels
from app.services.engine import Engine
from app.services.evaluator import Evaluator
from app.services.image_store import ImageStore
from app.services.local_engine import LocalEngine
from app.services.model_library import ModelLibrary
from app.services.model_uses import forget_gone_models
from app.services.predictor import Predictor
from app.services.preparing_process import PreparingProcess
from app.services.recent_traces import RecentTraces
from app.services.run_feed import RunFeed
from app.services.run_store import RunStore
from app.services.snapshot_models import SnapshotModels
from app.services.sweep_store import SweepStore
from app.services.sweeper import Sweeper, early_end
from app.services.trainer import Trainer
from app.settings import Settings, read_settings
from app.web import (
    api,
    augmentations,
    datasets,
    edits,
    errors,
    maps,
    models,
    pages,
    run_pages,
    runs,
    sign_in,
    sweep_pages,
    sweeps,
    units,
)
from app.web.admission import Admission, Crowd
from app.web.answers import LargeAnswers
from app.web.assets import ROOT, STATIC, LastingFiles
from app.web.budget import Budget
from app.web.documenting import DESCRIPTION, problems
from app.web.ending import Ending
from app.web.entrance import Entrance
from app.web.examples import example_picture
from app.web.gate import Gate
from app.web.guard import Guard
from app.web.limits import BodyLimit
from app.web.methods import Head
from app.web.timing import TotalTime

# Activations hardly get smaller, and take longer to compress than to compute.
UNCOMPRESSED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/octet-stream")
# The folders of the data folder that files are written to.
KEPT_IN = ("models", "images", "edits", "datasets")
# What takes pictures or data sets, and so large bodies.
UPLOADS = tuple(f"/api/v1/{name}" for name in ("predict", "trace", "images", "datasets"))


class State(TypedDict):
    """What every request can reach."""

    settings: Settings
    library: ModelLibrary
    predictor: Predictor
    images: ImageStore
    traces: RecentTraces
    store: RunStore
    edited: EditedModels
    evaluator: Evaluator
    feed: RunFeed
    trainer: Trainer
    sweeps: SweepStore
    sweeper: Sweeper
    entrance: Entrance | None


def create_app(
    settings: Settings | None = None, preparing: PreparingProcess | None = None
) -> FastAPI:
    """The web application, with the settings of the environment unless others are given, and
    another process to prepare pictures in where there is one.

    Raises a ConvScopeError for settings that can't be used: a device that isn't there, a folder
    that can't be written, weights that can't be read, a cluster that can't be joined.
    """
    settings = settings or read_settings()
    device = choose_device(settings.device)
    for folder in KEPT_IN:
        remove_leftovers(settings.data_dir / folder)
    library = ModelLibrary(device, settings.data_dir / "models")
    images = ImageStore(settings.data_dir / "images", settings.max_pixels)
    images.put(example_picture())
    warm_up(library)
    engine = create_engine(settings)
    # Tried before anything is served, so that a file that can't be used is said in a sentence.
    RunStore(settings.data_dir / "runs.sqlite").close()
    ending = Ending()
    entrance = Entrance(settings.token.get_secret_value()) if settings.token else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[State]:
        # One picture is too little work for two threads; the second core serves requests.
        torch.set_num_threads(1)
        if preparing:
            await preparing.connect()
        predictor = Predictor(preparing)
        store = RunStore(settings.data_dir / "runs.sqlite", settings.snapshot_bytes)
        forget_gone_models(library, store)
        feed = RunFeed(store)
        feed.open()
        snapshots = SnapshotModels(store, settings.dataset_folders, device)
        evaluator = Evaluator(settings.dataset_folders)
        swept = SweepStore(store)
        judge = partial(early_end, runs=store, sweeps=swept)
        trainer = Trainer(store, engine, settings.runs_at_once, feed.tell, judge)
        trainer.open(settings.resume_runs)

        async def end_what_goes_on() -> None:
            evaluator.leave()
            await run_in_threadpool(trainer.close)
            feed.close()
            await run_in_threadpool(evaluator.close)

        ending.call = end_what_goes_on
        yield State(
            settings=settings,
            library=library,
            predictor=predictor,
            images=images,
            traces=RecentTraces(images),
            store=store,
            edited=EditedModels(settings.data_dir / "edits", library, snapshots),
            evaluator=evaluator,
            feed=feed,
            trainer=trainer,
            sweeps=swept,
            sweeper=Sweeper(swept, trainer, settings.dataset_folders),
            entrance=entrance,
        )
        await ending.begin()
        engine.close()
        store.close()
        await predictor.close()

    app = FastAPI(
        title="ConvScope",
        summary="See every number that a convolutional network computes.",
        description=DESCRIPTION,
        version=api.VERSION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=problems("default"),
    )
    # Each is called before the one above it.
    app.add_middleware(
        GZipMiddleware, minimum_size=1024, compresslevel=5, exclude_content_types=UNCOMPRESSED
    )
    budget = Budget(settings.max_held_bytes)
    app.add_middleware(
        BodyLimit,
        limit=settings.max_body_bytes,
        large=UPLOADS,
        patience=settings.patience,
        budget=budget,
    )
    app.add_middleware(LargeAnswers, budget=budget)
    app.add_middleware(Admission, crowd=_crowd(settings), ending=ending)
    app.add_middleware(Head)
    app.add_middleware(TotalTime)
    for router in (
        api.health,
        api.router,
        models.router,
        edits.router,
        maps.router,
        units.router,
        datasets.router,
        augmentations.router,
        runs.router,
        sweeps.router,
        pages.router,
        run_pages.router,
        sweep_pages.router,
        sign_in.router,
    ):
        app.include_router(router)
    app.mount(ROOT, LastingFiles(directory=STATIC), name="static")
    errors.install(app)
    app.state.ending = ending
    # Around everything: what add_middleware adds is inside of that which answers faults.
    stack = app.build_middleware_stack()
    app.middleware_stack = Guard(Gate(stack, entrance) if entrance else stack, settings.hosts)
    return app


def _crowd(settings: Settings) -> Crowd:
    return Crowd(
        settings.max_requests,
        settings.max_streams,
        settings.max_streams_per_client,
        settings.patience,
    )


def create_engine(settings: Settings) -> Engine:
    """Where runs are trained. Raises InvalidSettings for a cluster that can't be joined."""
    folders, threads = settings.dataset_folders, settings.run_threads
    if settings.engine == "local":
        return LocalEngine(folders, threads)
    try:
        # Ray takes half a second to import, and is no part of a plain installation.
        from app.services.ray_engine import RayEngine
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise InvalidSettings(
            "CONVSCOPE_ENGINE is 'ray', and the package ray isn't installed: "
            "`pip install 'convscope[ray]'`, or leave the setting out to train on this machine."
        ) from error
    return RayEngine(settings.ray_address, folders, threads)


def warm_up(library: ModelLibrary) -> None:
    """Load the default model and run it once, which the first request would wait for."""
    model = library.get()
    blank = torch.zeros(model.card.input_shape)
    model.predict(blank[None])
    model.trace(blank)
