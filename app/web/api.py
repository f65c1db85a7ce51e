"""The JSON API, version 1: models, predictions, traces and images."""

import json
from importlib.metadata import version
from time import perf_counter
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from safetensors.torch import save

from app.core.model import Prediction
from app.web.dependencies import (
    ImagesDep,
    LibraryDep,
    NamedModelDep,
    PredictorDep,
    SourcesDep,
    WantedModelDep,
)
from app.web.documenting import binary, picture_body, problems
from app.web.schemas import (
    Card,
    Health,
    ImageAnswer,
    ModelDescription,
    PredictionAnswer,
    PredictionsAnswer,
)

health = APIRouter(tags=["health"])
router = APIRouter(prefix="/api/v1")

Top = Annotated[
    int | None, Query(ge=1, le=1000, description="Keep only so many classes, the best first.")
]


@health.get("/healthz", summary="Is the server up?")
async def healthz() -> Health:
    """Answers as soon as the server takes requests."""
    return Health(version=version("convscope"))


@router.get("/models", summary="List the models", tags=["models"])
async def list_models(library: LibraryDep) -> list[Card]:
    """Every model's card, the default model's first."""
    return [Card.model_validate(card) for card in library.cards()]


@router.get(
    "/models/{model}", summary="Describe a model", tags=["models"], responses=problems(404)
)
async def describe_model(model: NamedModelDep) -> ModelDescription:
    """A model's card and its layers in forward order."""
    return ModelDescription.of(model)


@router.post(
    "/predict",
    summary="Predict one picture or up to 64",
    tags=["predictions"],
    openapi_extra=picture_body(batches=True),
    responses=problems(404, 413, 415, 422),
)
async def predict(
    model: WantedModelDep, sources: SourcesDep, predictor: PredictorDep, top: Top = None
) -> PredictionAnswer | PredictionsAnswer:
    """What the model says of each picture.

    Pixels of exactly the model's input size are taken as they are; everything else is prepared as
    the model's card says.
    """
    started = perf_counter()
    predictions = await predictor.predict(model, sources)
    elapsed = (perf_counter() - started) * 1000
    answers = [PredictionAnswer.of(model, one, elapsed, top) for one in predictions]
    return answers[0] if len(answers) == 1 else PredictionsAnswer(predictions=answers)


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
    layers: Annotated[
        str | None, Query(description="Only these layers, with commas between.")
    ] = None,
    steps: Annotated[
        bool, Query(description="Add the steps of the preparation as tensors `step:<name>`.")
    ] = False,
) -> Response:
    """One forward pass: a tensor per layer by its name, the prepared picture as `input`, and the
    prediction as JSON in the metadata's `prediction`."""
    if len(sources) > 1:
        raise HTTPException(422, "A trace is of one picture: send one at a time.")
    wanted = layers.split(",") if layers else [layer.name for layer in model.layers]
    names = [model.layer(name).name for name in wanted]
    started = perf_counter()
    prepared, result = await predictor.trace(model, sources[0])
    elapsed = (perf_counter() - started) * 1000
    answer = PredictionAnswer.of(model, Prediction(model.card.classes, result.logits, result.probabilities), elapsed)
    tensors = {name: result.activations[name].contiguous() for name in names}
    tensors["input"] = result.input.contiguous()
    metadata = {"prediction": answer.model_dump_json()}
    if steps:
        tensors |= {f"step:{step.name}": step.tensor() for step in prepared.steps}
        metadata["steps"] = json.dumps([[step.name, step.caption] for step in prepared.steps])
    return Response(save(tensors, metadata), media_type="application/octet-stream")


@router.post(
    "/images",
    summary="Keep a picture",
    tags=["images"],
    status_code=201,
    openapi_extra=picture_body(batches=False),
    responses=problems(413, 415, 422),
)
async def keep_image(
    request: Request, response: Response, sources: SourcesDep, images: ImagesDep
) -> ImageAnswer:
    """Keeps a picture under an id made of its content; the same picture has the same id."""
    if len(sources) > 1:
        raise HTTPException(422, "Send one picture at a time.")
    image = await run_in_threadpool(lambda: images.put(sources[0]()))
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
    images: ImagesDep, image: Annotated[str, Path(description="An image's id.")]
) -> Response:
    """The picture as a PNG file."""
    png = await run_in_threadpool(images.png, image)
    # The id is made of the content, so what it names can't change.
    return Response(png, media_type="image/png", headers={"Cache-Control": "max-age=31536000"})
