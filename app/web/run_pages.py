"""The pages of runs: all of them with the form that starts one, and each by itself."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from app.core.dataset_files import Dataset, DatasetFolders
from app.core.datasets import BUNDLED, UnknownDataset, find_dataset, list_datasets
from app.core.errors import DatasetUnavailable
from app.core.recipes import Recipe, list_optimizers, list_schedules
from app.services.model_library import ModelLibrary
from app.services.run_store import STATES, Run, RunStore
from app.settings import Settings
from app.web.dependencies import LibraryDep, SettingsDep, StoreDep
from app.web.pages import render
from app.web.sparklines import sparkline
from models.registry import list_networks

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class RunLine:
    """A run in the list, and its validation accuracy as the points of a small picture."""

    run: Run
    accuracies: list[float]
    curve: list[tuple[float, float]]


@dataclass(frozen=True)
class TrainForm:
    """What the form offers, what stands in it, and the recipes that can be filled in: the one of
    the defaults, and those of the shipped models by their networks."""

    networks: list[str]
    datasets: list[Dataset]
    optimizers: list[str]
    schedules: list[str]
    recipe: dict[str, Any]
    defaults: dict[str, Any]
    shipped: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class RunsPage:
    """What ``runs.html`` shows; ``_runs.html`` alone when the page asks for news."""

    here: str
    lines: list[RunLine]
    states: tuple[str, ...]
    form: TrainForm


@dataclass(frozen=True)
class RunPage:
    """What ``run.html`` shows."""

    here: str
    run: Run
    classes: tuple[str, ...]


@router.get("/runs", name="runs")
def runs(
    request: Request,
    store: StoreDep,
    settings: SettingsDep,
    library: LibraryDep,
    like: Annotated[str | None, Query()] = None,
    hx_request: Annotated[str | None, Header()] = None,
) -> Response:
    """All runs, the newest first. With ``like`` the form is filled in with that run's recipe."""
    form = train_form(store, settings, library, like)
    page = RunsPage("runs", [_line(store, run) for run in store.all()], STATES, form)
    return render(request, "_runs.html" if hx_request else "runs.html", page)


def train_form(
    store: RunStore, settings: Settings, library: ModelLibrary, like: str | None
) -> TrainForm:
    """The form with the recipe of the run ``like``, else with the defaults. Raises UnknownRun."""
    defaults = Recipe(library.shipped_default.network, BUNDLED.name).to_dict()
    return TrainForm(
        networks=list_networks(),
        datasets=list_datasets(settings.dataset_folders),
        optimizers=list_optimizers(),
        schedules=list_schedules(),
        recipe=store.get(like).recipe if like else defaults,
        defaults=defaults,
        shipped={
            card.network: card.recipe
            for card in library.cards()
            if card.name == card.network and card.recipe
        },
    )


def _line(store: RunStore, run: Run) -> RunLine:
    accuracies = [epoch["validation_accuracy"] for epoch in store.epochs(run.id)]
    return RunLine(run, accuracies, sparkline(accuracies, run.epochs))


@router.get("/runs/{run}", name="run")
def one_run(request: Request, store: StoreDep, settings: SettingsDep, run: str) -> Response:
    """One run, as it trains and ever after."""
    found = store.get(run)
    classes = _classes(store, found, settings.dataset_folders)
    return render(request, "run.html", RunPage("runs", found, classes))


def _classes(store: RunStore, run: Run, folders: DatasetFolders) -> tuple[str, ...]:
    try:
        return find_dataset(run.recipe["dataset"], folders).classes
    except (UnknownDataset, DatasetUnavailable):
        # It was removed since; the run's snapshots know how many there were.
        confusion = next((facts["confusion"] for facts in store.snapshots(run.id)), ())
        return tuple(map(str, range(len(confusion))))
