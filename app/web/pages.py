"""The pages: HTML for people, one template each."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.templating import Jinja2Templates
from markupsafe import Markup, escape

from app.core.augmenting import highest, list_augmentations
from app.core.cards import notice_of, unmeasured_notice
from app.core.coloring import SCALES
from app.core.model import Model
from app.services.edited_models import base_of
from app.services.model_uses import what_breaks
from app.services.run_store import Run, RunStore
from app.services.snapshot_models import is_snapshot, run_of
from app.web.assets import static_url
from app.web.dependencies import (
    EditedDep,
    EvaluatorDep,
    LibraryDep,
    NamedModelDep,
    StoreDep,
    WantedModelDep,
)
from app.web.edits import describe_edits
from app.web.examples import example_image
from app.web.runs import timeline
from app.web.schemas import EditsAnswer, EvaluationAnswer, ModelDescription
from models.registry import ModelCard

router = APIRouter(include_in_schema=False)
templates = Jinja2Templates(Path(__file__).parent.parent.parent / "templates")
templates.env.globals.update(scales=SCALES, static=static_url, notice_of=notice_of, highest=highest)


def coded(text: str) -> Markup:
    """Text of ours as HTML, with what stands between `backticks` as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


templates.env.filters["coded"] = coded


@dataclass(frozen=True)
class TimeMachine:
    """A run and its snapshots, between which one goes back and forth."""

    run: Run
    snapshots: list[dict[str, Any]]


@dataclass(frozen=True)
class ExplorePage:
    """What ``explore.html`` shows; ``_model_view.html`` alone when htmx changes the model.

    A snapshot brings the time machine of its run along, edited or not.
    """

    here: str
    model: Model
    description: dict[str, Any]
    cards: list[ModelCard]
    machine: TimeMachine | None
    edits: EditsAnswer


@dataclass(frozen=True)
class ModelsPage:
    """What ``models.html`` shows."""

    here: str
    cards: list[ModelCard]


@dataclass(frozen=True)
class ModelPage:
    """What ``model.html`` shows; ``evaluation`` is what is known of the test split, and
    ``measurable`` says whether it can be measured where nothing is, ``unmeasured`` what else
    measures a model of one's own. ``breaks`` says what its deletion would break, ``run`` is the id
    of a snapshot's run, and ``base`` the name of the model that was edited to make it."""

    here: str
    model: Model
    evaluation: EvaluationAnswer | None
    measurable: bool
    unmeasured: str | None
    breaks: str | None
    run: str | None
    base: str | None


@dataclass(frozen=True)
class AugmentPage:
    """What ``augment.html`` shows."""

    here: str
    model: Model
    cards: list[ModelCard]
    augmentations: dict[str, dict[str, float]]
    example: str


@dataclass(frozen=True)
class DocsPage:
    """What ``docs.html`` shows."""

    here: str


@dataclass(frozen=True)
class ErrorPage:
    """What ``error.html`` shows."""

    here: str
    title: str
    detail: str


def render(request: Request, template: str, page: object, status: int = 200) -> Response:
    """A page made of a template and the dataclass that says what it shows."""
    return templates.TemplateResponse(request, template, vars(page), status)


def error_page(request: Request, status: int, title: str, detail: str) -> Response:
    """An error in words, for someone who asked for a page."""
    return render(request, "error.html", ErrorPage("", title, detail), status)


@router.get("/", name="explore")
def explore(
    request: Request,
    model: WantedModelDep,
    library: LibraryDep,
    store: StoreDep,
    edited: EditedDep,
    hx_request: Annotated[str | None, Header()] = None,
) -> Response:
    """Draw, and see every layer; for htmx, only what belongs to the model."""
    name = base_of(model.card.name)
    page = ExplorePage(
        here="explore",
        model=model,
        description=ModelDescription.of(model).model_dump(),
        cards=library.cards(),
        machine=_time_machine(store, name) if is_snapshot(name) else None,
        edits=describe_edits(edited.find(model.card.name)),
    )
    return render(request, "_model_view.html" if hx_request else "explore.html", page)


def _time_machine(store: RunStore, name: str) -> TimeMachine:
    run = store.get(run_of(name))
    return TimeMachine(run, [one.model_dump() for one in timeline(store, run.id)])


@router.get("/models", name="models")
def models(request: Request, library: LibraryDep) -> Response:
    """All models."""
    return render(request, "models.html", ModelsPage("models", library.cards()))


@router.get("/models/{model}", name="model")
def model(
    request: Request,
    model: NamedModelDep,
    library: LibraryDep,
    store: StoreDep,
    edited: EditedDep,
    evaluator: EvaluatorDep,
) -> Response:
    """One model: its card, what was measured, its layers."""
    name = model.card.name
    snapshot, base = is_snapshot(name), base_of(name)
    own = not snapshot and base == name
    known = evaluator.known(model)
    page = ModelPage(
        here="models",
        model=model,
        evaluation=EvaluationAnswer.of(model.card, known) if known else None,
        # Others' weights know classes of which no test split is here.
        measurable=not (known or notice_of(model.card) or model.card.origin),
        unmeasured=unmeasured_notice(model.card) if own else None,
        breaks=what_breaks(name, library, store, edited) if own and library.is_kept(name) else None,
        run=run_of(name) if snapshot else None,
        base=base if base != name else None,
    )
    return render(request, "model.html", page)


@router.get("/augment", name="augment")
def augment(request: Request, model: WantedModelDep, library: LibraryDep) -> Response:
    """What the augmentations of a recipe make of one picture."""
    page = AugmentPage("models", model, library.cards(), list_augmentations(), example_image())
    return render(request, "augment.html", page)


@router.get("/docs", name="docs")
def docs(request: Request) -> Response:
    """The API, to read and to try."""
    return render(request, "docs.html", DocsPage("docs"))
