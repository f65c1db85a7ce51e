"""The JSON API, version 1: models, predictions, traces and images."""

import json
from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from safetensors.numpy import save

from app.core.cards import evaluation_of
from app.core.errors import NotEvaluated
from app.core.model import Model, Prediction
from app.services.edited_models import is_edited
from app.services.predictor import Source, Traced
from app.services.snapshot_models import is_snapshot, run_of
from app.web.dependencies import (
    EvaluatorDep,
    ImagesDep,
    LibraryDep,
    NamedModelDep,
    PredictorDep,
    SourcesDep,
    WantedModelDep,
)
from app.web.documenting import IMAGE, LAYERS, UNIT, binary, picture_body, problems
from app.web.picks import Picks, read_picks, take
from app.web.schemas import (
    Card,
    EvaluationAnswer,
    Health,
    ImageAnswer,
    ModelDescription,
    PredictionAnswer,
    PredictionsAnswer,
    describe_card,
)
from app.web.timing import timing_headers
from app.web.unit_schemas import MOST_TERMS, UnitAnswer
from app.web.units import read_unit

VERSION = version("convscope")

health = APIRouter(tags=["health"])
router = APIRouter(prefix="/api/v1")

Top = Annotated[
    int | None,
    Query(ge=1, description="Keep only so many probabilities, the largest first."),
]
Layers = Annotated[
    str | None,
    Query(
        description="Only these layers, with commas between; `name:4` is the strongest 4 channels "
        "of a layer, `name@7` channel 7.",
        openapi_examples=LAYERS,
    ),
]
Steps = Annotated[
    bool, Query(description="Add the steps of the preparation as tensors `step:<name>`.")
]

UnitQuery = Annotated[
    str | None,
    Query(
        description="Tell how this unit came about: `<layer>/<channel>/<row>/<column>`.",
        openapi_examples=UNIT,
    ),
]
TermsQuery = Annotated[
    int, Query(ge=1, le=MOST_TERMS, description="How many terms of that unit at most.")
]


@health.get("/healthz", summary="Is the server up?")
async def healthz() -> Health:
    """Answers as soon as the server takes requests."""
    return Health(version=VERSION)


@router.get("/models", summary="List the models", tags=["models"])
async def list_models(library: LibraryDep) -> list[Card]:
    """Every model's card, the default model's first."""
    return [describe_card(card) for card in library.cards()]


@router.get("/models/{model}", summary="Describe a model", tags=["models"], responses=problems(404))
async def describe_model(model: NamedModelDep) -> ModelDescription:
    """A model's card and its layers in forward order."""
    return ModelDescription.of(model)


@router.get(
    "/models/{model}/evaluation",
    summary="How good a model is",
    tags=["models"],
    responses=problems(404),
)
async def evaluate_model(model: NamedModelDep, evaluator: EvaluatorDep) -> EvaluationAnswer:
    """What was measured on the test split: accuracy, per class, confusion matrix, calibration."""
    if known := evaluator.known(model):
        return EvaluationAnswer.of(model.card, known)
    if is_edited(model.card.name):
        raise NotEvaluated(
            f"{model.card.name} is edited, and measured when it is asked for: "
            f"GET /api/v1/models/{model.card.name}/evaluation/events does it."
        )
    if is_snapshot(model.card.name):
        raise NotEvaluated(
            f"{model.card.name} is a snapshot: GET /api/v1/runs/{run_of(model.card.name)}"
            "/snapshots says how good it is on the validation images."
        )
    # Says what is missing.
    return EvaluationAnswer.of(model.card, evaluation_of(model.card))


@router.post(
    "/predict",
    summary="Predict one picture or up to 64",
    tags=["predictions"],
    openapi_extra=picture_body(batches=True),
    response_model=PredictionAnswer | PredictionsAnswer,
    responses=problems(404, 413, 415, 422),
)
async def predict(
    model: WantedModelDep, sources: SourcesDep, predictor: PredictorDep, top: Top = None
) -> Response:
    """What the model says of each picture: `predictions` where there are several.

    Pixels of exactly the model's input size are taken as they are; everything else is prepared as
    the model's card says.
    """
    predicted = await predictor.predict(model, sources)
    elapsed = predicted.timing.elapsed
    answers = [PredictionAnswer.of(model, one, elapsed, top) for one in predicted.predictions]
    answer = answers[0] if len(answers) == 1 else PredictionsAnswer(predictions=answers)
    # Written here, as FastAPI would first validate what is its own model already.
    headers = timing_headers(predicted.timing)
    return Response(answer.model_dump_json(), media_type="application/json", headers=headers)


@router.post(
    "/trace",
    summary="Every layer's activations as safetensors",
    tags=["predictions"],
    openapi_extra=picture_body(batches=False),
    responses=binary("application/octet-stream", "A safetensors file.")
    | problems(404, 413, 415, 422),
    response_class=Response,
)
async def trace(
    model: WantedModelDep,
    sources: SourcesDep,
    predictor: PredictorDep,
    layers: Layers = None,
    steps: Steps = False,
    top: Top = None,
    unit: UnitQuery = None,
    terms: TermsQuery = 6,
) -> Response:
    """One forward pass: a tensor per layer by its name, the prepared picture as `input`, and the
    prediction as JSON in the metadata's `prediction`.

    Of a layer `conv1:4` gives the 4 strongest channels (by their mean absolute activation), and
    `conv1@7` channel 7. Then the metadata's `picked` is JSON that has, by layer, the numbers of
    the `channels` in the tensor, and `smallest`, `largest`, `mean` and the share of `zeros` of the
    whole layer.

    With `unit` the metadata's `unit` is JSON that says how that number came about, made from this
    very trace, as GET /api/v1/models/{model}/layers/{layer}/units/{channel}/{y}/{x} answers it.
    """
    picks, asked = read_picks(model, layers), read_unit(model, unit)

    def finish(traced: Traced) -> Response:
        told = asked and UnitAnswer.of(model, traced.trace, *asked, offset=0, count=terms)
        return _trace_file(model, picks, steps, top, told, traced)

    return await predictor.trace(model, _only(sources).read, finish)


def _trace_file(
    model: Model,
    picks: Picks,
    steps: bool,
    top: int | None,
    unit: UnitAnswer | None,
    traced: Traced,
) -> Response:
    trace = traced.trace
    prediction = Prediction(model.card.classes, trace.logits, trace.probabilities)
    answer = PredictionAnswer.of(model, prediction, traced.timing.elapsed, top)
    placement = json.dumps(vars(traced.prepared.placement))
    metadata = {"prediction": answer.model_dump_json(), "placement": placement}
    values, picked = take(picks, trace.activations)
    if picked:
        metadata["picked"] = picked
    if unit:
        metadata["unit"] = unit.model_dump_json()
    tensors = {name: value.numpy() for name, value in values.items()}
    tensors["input"] = trace.input.numpy()
    if steps:
        tensors |= {f"step:{step.name}": step.pixels for step in traced.prepared.steps}
        captions = [[step.name, step.caption] for step in traced.prepared.steps]
        metadata["steps"] = json.dumps(captions)
    return Response(
        save(tensors, metadata),
        media_type="application/octet-stream",
        headers=timing_headers(traced.timing),
    )


def _only(sources: list[Source]) -> Source:
    if len(sources) > 1:
        raise HTTPException(422, f"Send one picture at a time: these are {len(sources)}.")
    return sources[0]


@router.post(
    "/images",
    summary="Keep a picture",
    tags=["images"],
    status_code=201,
    openapi_extra=picture_body(batches=False),
    responses=problems(413, 415, 422, 507),
)
async def keep_image(
    request: Request,
    response: Response,
    sources: SourcesDep,
    images: ImagesDep,
    predictor: PredictorDep,
) -> ImageAnswer:
    """Keeps a picture under an id made of its content; the same picture has the same id."""
    read = _only(sources).read
    image = await predictor.run(lambda: images.put(read()))
    response.headers["Location"] = request.url_for("get_image", image=image).path
    return ImageAnswer(id=image)


@router.get(
    "/images/{image}",
    summary="A kept picture",
    tags=["images"],
    response_class=Response,
    responses=binary("image/png", "The picture.") | problems(404),
)
async def get_image(
    images: ImagesDep,
    image: Annotated[str, Path(description="An image's id.", openapi_examples=IMAGE)],
) -> Response:
    """The picture as a PNG file."""
    png = await run_in_threadpool(images.png, image)
    # The id is made of the content, so what it names can't change.
    lasting = {"Cache-Control": "private, max-age=31536000, immutable"}
    return Response(png, media_type="image/png", headers=lasting)
