"""Filters and feature maps of one layer, as PNG and as .npy."""

from enum import StrEnum
from typing import Annotated

import numpy as np
from fastapi import APIRouter, HTTPException, Path, Query, Response
from fastapi.concurrency import run_in_threadpool
from numpy.typing import NDArray

from app.core.coloring import Theme
from app.core.errors import UnknownChannel
from app.core.layers import Layer
from app.core.model import Model
from app.web.dependencies import ImagesDep, NamedModelDep, PredictorDep
from app.web.documenting import problems
from app.web.rendering import as_npy, as_png

router = APIRouter(prefix="/api/v1/models/{model}/layers/{layer}", tags=["layers"])


class Form(StrEnum):
    png = "png"
    npy = "npy"


MEDIA_TYPES = {Form.png: "image/png", Form.npy: "application/octet-stream"}
FILES = {
    200: {
        "description": "A picture, or an array that numpy.load reads.",
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES.values()},
    }
}

LayerName = Annotated[str, Path(description="A layer's name.")]
FormDep = Annotated[Form, Path(description="png, or npy for the numbers themselves.")]
Channel = Annotated[int | None, Query(description="Only this channel, from 0.")]
ThemeQuery = Annotated[Theme, Query(description="The colour scale of a PNG.")]
Zoom = Annotated[int, Query(ge=1, le=16, description="Pixels of a PNG per number.")]


@router.get(
    "/filters.{form}",
    summary="A layer's filters",
    response_class=Response,
    responses=FILES | problems(404, 422),
)
async def filters(
    model: NamedModelDep,
    layer: LayerName,
    form: FormDep,
    channel: Channel = None,
    theme: ThemeQuery = "light",
    zoom: Zoom = 1,
) -> Response:
    """The weights (output channels, input channels, height, width); with `channel`, that filter's
    kernels (input channels, height, width). In a PNG of all filters a row is a filter."""
    weights = _chosen(_weights(model, model.layer(layer)), layer, channel)
    return await _answer(weights, form, True, theme, zoom)


@router.get(
    "/activations.{form}",
    summary="A layer's feature maps for an image",
    response_class=Response,
    responses=FILES | problems(404, 422),
)
async def activations(
    model: NamedModelDep,
    layer: LayerName,
    form: FormDep,
    image: Annotated[str, Query(description="An image's id, from POST /api/v1/images.")],
    images: ImagesDep,
    predictor: PredictorDep,
    channel: Channel = None,
    theme: ThemeQuery = "light",
    zoom: Zoom = 1,
) -> Response:
    """The activations (channels, height, width), or (units,) after a flatten; with `channel`, that
    feature map (height, width)."""
    described = model.layer(layer)
    await run_in_threadpool(images.png, image)
    _, trace = await predictor.trace(model, lambda: images.picture(image))
    values = _chosen(trace.activations[layer].numpy(), layer, channel)
    return await _answer(values, form, described.signed, theme, zoom)


def _weights(model: Model, layer: Layer) -> NDArray[np.float32]:
    if layer.name not in model.weights:
        having = ", ".join(name for name in model.weights)
        raise HTTPException(
            422, f"{layer.name} has no filters. The layers of {model.card.name} that have: {having}."
        )
    return model.weights[layer.name].numpy()


def _chosen(
    values: NDArray[np.float32], layer: str, channel: int | None
) -> NDArray[np.float32]:
    if channel is None:
        return values
    if not 0 <= channel < len(values):
        raise UnknownChannel(
            f"{layer} has no channel {channel}. Its channels are 0 to {len(values) - 1}."
        )
    return np.asarray(values[channel])


async def _answer(
    values: NDArray[np.float32], form: Form, signed: bool, theme: Theme, zoom: int
) -> Response:
    if form is Form.npy:
        content = as_npy(values)
    else:
        content = await run_in_threadpool(as_png, values, signed, theme, zoom)
    return Response(content, media_type=MEDIA_TYPES[form])
