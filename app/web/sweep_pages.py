"""The pages of sweeps: all of them with the form that starts one, and each by itself."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from app.core.sweeping import NUMBER_FIELDS, RECIPE_FIELDS
from app.services.sweep_store import Sweep
from app.web.dependencies import LibraryDep, SettingsDep, StoreDep, SweepsDep
from app.web.pages import render
from app.web.run_pages import TrainForm, train_form

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class SweepsPage:
    """What ``sweeps.html`` shows; ``_sweeps.html`` alone when the page asks for news."""

    here: str
    sweeps: list[Sweep]
    form: TrainForm
    fields: tuple[str, ...]
    numeric: tuple[str, ...]


@dataclass(frozen=True)
class SweepPage:
    """What ``sweep.html`` shows before its script asks for the runs."""

    here: str
    sweep: Sweep


@router.get("/sweeps", name="sweeps")
def sweeps(
    request: Request,
    store: StoreDep,
    sweeps: SweepsDep,
    settings: SettingsDep,
    library: LibraryDep,
    like: Annotated[str | None, Query()] = None,
    hx_request: Annotated[str | None, Header()] = None,
) -> Response:
    """All sweeps, the newest first. With ``like`` the form is filled in with that run's recipe."""
    form = train_form(store, settings, library, like)
    page = SweepsPage("runs", sweeps.all(), form, RECIPE_FIELDS, NUMBER_FIELDS)
    return render(request, "_sweeps.html" if hx_request else "sweeps.html", page)


@router.get("/sweeps/{sweep}", name="sweep")
def one_sweep(request: Request, sweeps: SweepsDep, sweep: str) -> Response:
    """One sweep, while its runs train and ever after."""
    return render(request, "sweep.html", SweepPage("runs", sweeps.get(sweep)))
