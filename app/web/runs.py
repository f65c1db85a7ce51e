"""The JSON API of runs: train in the background, watch, pause, cancel."""

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import fields
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.core.datasets import check_within_reach
from app.core.events import EpochDone
from app.core.recipes import Recipe, fault_of
from app.core.training import check_recipe
from app.services.model_maker import make_model
from app.services.run_store import RunStore
from app.services.snapshot_models import name_of
from app.web.dependencies import FeedDep, LibraryDep, SettingsDep, StoreDep, TrainerDep
from app.web.documenting import NEW_MODEL, RECIPES, RUN, binary, problems
from app.web.room import make_room
from app.web.schemas import Card, NewModel, RunAnswer, SnapshotAnswer, describe_card

router = APIRouter(prefix="/api/v1/runs", tags=["runs"])

RunId = Annotated[str, Path(description="A run's id.", openapi_examples=RUN)]


@router.post(
    "", summary="Train a network", status_code=202, responses=problems(413, 422, 429, 503, 507)
)
async def launch(
    trainer: TrainerDep,
    settings: SettingsDep,
    response: Response,
    recipe: Annotated[dict[str, Any], Body(openapi_examples=RECIPES)],
    name: Annotated[
        str | None,
        Query(max_length=80, description="What to call the run; its network unless given."),
    ] = None,
) -> RunAnswer:
    """Queues a run. Its recipe's `network` and `dataset` must be given; all else has defaults."""

    def start() -> RunAnswer:
        wanted = Recipe.from_dict(recipe)
        check_recipe(wanted, settings.dataset_folders)
        with fault_of("dataset"):
            check_within_reach(wanted.dataset, settings.dataset_folders)
        return RunAnswer.model_validate(trainer.launch(wanted, name or wanted.network))

    run = await run_in_threadpool(start)
    response.headers["Location"] = f"{router.prefix}/{run.id}"
    return run


@router.get("", summary="List the runs")
async def list_all(store: StoreDep) -> list[RunAnswer]:
    """All runs, the newest first."""
    return [RunAnswer.model_validate(run) for run in await run_in_threadpool(store.all)]


@router.get("/{run}", summary="One run", responses=problems(404))
async def get_run(store: StoreDep, run: RunId) -> RunAnswer:
    """Its state, its recipe, how far it is and how good."""
    return RunAnswer.model_validate(await run_in_threadpool(store.get, run))


@router.patch("/{run}", summary="Rename a run", responses=problems(404, 422))
async def rename(
    store: StoreDep,
    run: RunId,
    name: Annotated[
        str,
        Query(
            min_length=1,
            max_length=80,
            description="What to call it.",
            openapi_examples={"mine": {"value": "My first run"}},
        ),
    ],
) -> RunAnswer:
    """Gives it another name; its id stays."""
    return RunAnswer.model_validate(await run_in_threadpool(store.rename, run, name))


@router.get(
    "/{run}/metrics.csv",
    summary="The epochs of a run as CSV",
    response_class=Response,
    responses=binary("text/csv", "A row for each finished epoch.") | problems(404),
)
async def metrics(store: StoreDep, run: RunId) -> Response:
    """`epoch`, `train_loss`, `validation_loss`, `validation_accuracy` and `seconds`."""

    def table() -> str:
        store.get(run)
        file = io.StringIO()
        names = [field.name for field in fields(EpochDone)]
        writer = csv.DictWriter(file, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(store.epochs(run))
        return file.getvalue()

    return Response(await run_in_threadpool(table), media_type="text/csv")


async def _known(store: StoreDep, run: RunId) -> str:
    """The id of a run that there is, before its stream begins. Raises UnknownRun."""
    return (await run_in_threadpool(store.get, run)).id


@router.get(
    "/{run}/events",
    summary="The events of a run, as they come",
    response_class=EventSourceResponse,
    responses=problems(404),
)
async def follow(
    feed: FeedDep,
    run: Annotated[str, Depends(_known)],
    last_event_id: Annotated[
        int, Header(ge=0, description="The last event that the client has seen.")
    ] = 0,
) -> AsyncIterator[ServerSentEvent]:
    """All that has happened first, then each event when it comes, until the run has ended. The
    event's name is its kind, its id its number, its data what it says."""
    async for event in feed.follow(run, last_event_id):
        yield ServerSentEvent(data=event.facts, event=event.kind, id=str(event.number))


def _change(action: str, summary: str, description: str) -> None:
    """Add one of the operations that change a run's state."""

    async def change(trainer: TrainerDep, run: RunId) -> RunAnswer:
        return RunAnswer.model_validate(await run_in_threadpool(getattr(trainer, action), run))

    router.post(
        f"/{{run}}/{action}",
        summary=summary,
        description=description,
        name=f"{action}_run",
        operation_id=f"{action}_run",
        responses=problems(404, 409),
    )(change)


_change("cancel", "Cancel a run", "Ends it within a second; its snapshots stay.")
_change("pause", "Pause a run", "Holds it after the batch that it is at.")
_change(
    "resume",
    "Resume a run",
    "A paused run goes on where it is, an interrupted or failed one after its last finished epoch: "
    "to the same weights, bit for bit, as if it had never stopped.",
)


@router.delete("/{run}", summary="Delete a run", status_code=204, responses=problems(404, 409))
async def delete(trainer: TrainerDep, run: RunId) -> None:
    """Forgets an ended run, its history and its snapshots."""
    await run_in_threadpool(trainer.delete, run)


@router.get("/{run}/snapshots", summary="The snapshots of a run", responses=problems(404))
async def list_snapshots(store: StoreDep, run: RunId) -> list[SnapshotAnswer]:
    """Those that are kept, by epoch. Each is a model: explore it, trace it, predict with it."""
    return await run_in_threadpool(timeline, store, run)


def timeline(store: RunStore, run: str) -> list[SnapshotAnswer]:
    """A run's snapshots, the first one first. Raises UnknownRun."""
    store.get(run)
    return [
        SnapshotAnswer(model=name_of(run, facts["epoch"]), **facts)
        for facts in store.snapshots(run)
    ]


@router.get(
    "/{run}/snapshots/{epoch}.safetensors",
    summary="The weights at the end of an epoch",
    response_class=Response,
    responses=binary("application/octet-stream", "A safetensors file.") | problems(404),
)
async def snapshot(
    request: Request,
    store: StoreDep,
    run: RunId,
    epoch: Annotated[
        float,
        Path(ge=0, description="0 is before training.", openapi_examples={"0": {"value": 0}}),
    ],
) -> Response:
    """The averaged weights, as they were validated."""
    make_room(request, await run_in_threadpool(store.snapshot_size, run, epoch))
    content = await run_in_threadpool(store.snapshot, run, epoch)
    return Response(content, media_type="application/octet-stream")


@router.post(
    "/{run}/model",
    summary="Make a model of a run",
    status_code=201,
    responses=problems(404, 413, 422, 507),
)
async def make(
    store: StoreDep,
    library: LibraryDep,
    settings: SettingsDep,
    response: Response,
    run: RunId,
    wanted: Annotated[NewModel, Body(openapi_examples=NEW_MODEL)],
) -> Card:
    """Keeps the weights of the epoch that validated best under a name of its own: a model like any
    other from then on."""

    work = partial(make_model, run, wanted.name, store, library, settings.dataset_folders)
    card = await run_in_threadpool(work)
    response.headers["Location"] = f"/api/v1/models/{card.name}"
    return describe_card(card)
