"""The API of edited models: edit weights by hand, see what it costs, keep what came of it."""

from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.core.edits import read_edits
from app.core.evaluating import Evaluation, Progress
from app.core.model import Model
from app.services.edited_models import Edited
from app.services.evaluator import Said
from app.web.dependencies import EditedDep, EvaluatorDep, NamedModelDep
from app.web.documenting import EDITS, MODEL, NEW_MODEL, problems
from app.web.schemas import Card, EditsAnswer, EvaluationAnswer, NewModel, describe_card

router = APIRouter(prefix="/api/v1/models/{model}", tags=["edited models"])

Name = Annotated[str, Path(description="A model's name.", openapi_examples=MODEL)]


@router.post(
    "/edits",
    summary="Edit a model's weights",
    status_code=201,
    responses=problems(404, 413, 422, 503, 507),
)
async def edit(
    edited: EditedDep,
    response: Response,
    model: Name,
    wanted: Annotated[dict[str, Any], Body(openapi_examples=EDITS)],
) -> EditsAnswer:
    """Makes a model with these edits after those that the model has already, and leaves the model
    itself as it is. The same edits have the same name, which is used like any other.

    An edit has a `layer`, a `channel` (of a layer of vectors the unit), and one of: `off`: true for
    the whole output channel; a `kernel` in rows, for one `input_channel` or for all; a `weight` at
    an `input_channel`, `y` and `x`; a `bias`. A channel of a layer without weights is switched off
    in the nearest layer in front of it that has some.
    """

    def make() -> EditsAnswer:
        return describe_edits(edited.make(model, read_edits(wanted)))

    made = await run_in_threadpool(make)
    response.headers["Location"] = f"/api/v1/models/{made.model}"
    return made


@router.get("/edits", summary="The edits of a model", responses=problems(404, 503))
async def list_edits(edited: EditedDep, model: Name) -> EditsAnswer:
    """All of them, in order, and the model that was edited; none of a model that wasn't."""
    return describe_edits(await run_in_threadpool(edited.find, model))


@router.post(
    "/keep",
    summary="Keep an edited model",
    status_code=201,
    responses=problems(404, 413, 422, 503, 507),
)
async def keep(
    edited: EditedDep,
    evaluator: EvaluatorDep,
    response: Response,
    model: NamedModelDep,
    wanted: Annotated[NewModel, Body(openapi_examples=NEW_MODEL)],
) -> Card:
    """Keeps the edited weights as a model of one's own, under a name of its own. Its card says what
    it was made of, and how good it is where that was measured."""
    known = evaluator.known(model)
    card = await run_in_threadpool(edited.keep, model.card.name, wanted.name, known)
    response.headers["Location"] = f"/api/v1/models/{card.name}"
    return describe_card(card)


async def _measurable(evaluator: EvaluatorDep, model: NamedModelDep) -> Model:
    """A model that can be measured, before its stream begins."""
    await run_in_threadpool(evaluator.check, model)
    return model


@router.get(
    "/evaluation/events",
    summary="Measure a model on the test split, as it goes",
    response_class=EventSourceResponse,
    responses=problems(404, 422, 429, 503),
)
async def follow(
    evaluator: EvaluatorDep, model: Annotated[Model, Depends(_measurable)]
) -> AsyncIterator[ServerSentEvent]:
    """`progress` events with `done`, `total` and the `accuracy` so far; then `evaluated` with what
    `/evaluation` answers, or `failed` with a `detail`. What is known already comes at once. It is
    measured in the background, and no further when nobody watches. Its data set must be here: none
    is downloaded for this."""
    async for said in evaluator.follow(model):
        yield _event(model, said)


def _event(model: Model, said: Said) -> ServerSentEvent:
    if isinstance(said, Progress):
        facts = {"done": said.done, "total": said.total, "accuracy": said.accuracy}
        return ServerSentEvent(data=facts, event="progress")
    if isinstance(said, Evaluation):
        answer = EvaluationAnswer.of(model.card, said)
        return ServerSentEvent(data=answer, event="evaluated")
    return ServerSentEvent(data=asdict(said), event="failed")


def describe_edits(edited: Edited) -> EditsAnswer:
    """A model's edits as the API and the page tell them."""
    return EditsAnswer(
        model=edited.model.card.name,
        title=edited.model.card.title,
        base=edited.base.card.name,
        base_accuracy=edited.base.card.metrics.get("test_accuracy"),
        edits=[edit.to_dict() for edit in edited.edits],
        words=edited.words,
    )
