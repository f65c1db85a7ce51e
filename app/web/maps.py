"""Filters and feature maps of one layer, as PNG and as .npy."""

from functools import partial
from math import prod
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response
from numpy.typing import NDArray

from app.core.coloring import Theme
from app.core.errors import NoFilters
from app.core.layers import Layer
from app.core.model import Model
from app.core.picking import check_channel
from app.services.predictor import Traced
from app.web.dependencies import ImagesDep, NamedModelDep, PredictorDep
from app.web.documenting import IMAGE, LAYER, binary, problems
from app.web.rendering import as_npy, as_png, png_pixels
from app.web.room import make_room

router = APIRouter(prefix="/api/v1/models/{model}/layers/{layer}", tags=["layers"])

Values = NDArray[np.float32]

# A PNG of more pixels than this helps nobody: that is 8,192 x 8,192. Of numbers it is 268 MB, which
# the server would hold twice.
MOST = 2**26
# What it takes to make one, in bytes: the numbers as colours, those in their places, and the file.
PIXEL_BYTES = 3
NUMBER_BYTES = 4

PNG = binary("image/png", "A picture whose palette is the colour scale.") | problems(404, 422)
NPY = binary("application/octet-stream", "An array that numpy.load reads.") | problems(404, 422)


async def get_layer(
    model: NamedModelDep,
    layer: Annotated[str, Path(description="A layer's name.", openapi_examples=LAYER)],
) -> Layer:
    """The layer that the path names."""
    return model.layer(layer)


LayerDep = Annotated[Layer, Depends(get_layer)]
Channel = Annotated[int | None, Query(description="Only this channel, from 0.")]
First = Annotated[int | None, Query(ge=1, description="Only the first so many channels.")]
ThemeQuery = Annotated[
    Theme, Query(description="The colour scale: that of the light page or dark.")
]
Zoom = Annotated[int, Query(ge=1, le=16, description="Pixels per number.")]
ImageQuery = Annotated[
    str, Query(description="An image's id, from POST /api/v1/images.", openapi_examples=IMAGE)
]


@router.get(
    "/filters.png", summary="A layer's filters, drawn", response_class=Response, responses=PNG
)
async def filters_png(
    request: Request,
    model: NamedModelDep,
    layer: LayerDep,
    predictor: PredictorDep,
    channel: Channel = None,
    theme: ThemeQuery = "light",
    zoom: Zoom = 1,
) -> Response:
    """A row of kernels per filter; with `channel`, the kernels of that filter in a square."""
    weights = _chosen(_weights(model, layer), layer, channel)
    _make_room_for_png(request, weights.shape, zoom)
    return await predictor.run(partial(_png, weights, True, theme, zoom))


@router.get("/filters.npy", summary="A layer's filters", response_class=Response, responses=NPY)
async def filters_npy(
    request: Request,
    model: NamedModelDep,
    layer: LayerDep,
    predictor: PredictorDep,
    channel: Channel = None,
    first: First = None,
) -> Response:
    """The weights (output channels, input channels, height, width); with `channel`, that filter's
    kernels (input channels, height, width), else with `first` so many filters."""
    weights = _weights(model, layer)
    chosen = weights[:first] if channel is None else _chosen(weights, layer, channel)
    _make_room_for_npy(request, chosen.shape)
    return await predictor.run(partial(_npy, chosen))


@router.get("/biases.npy", summary="A layer's biases", response_class=Response, responses=NPY)
async def biases_npy(model: NamedModelDep, layer: LayerDep) -> Response:
    """A number for each output channel, or unit."""
    if layer.name not in model.biases:
        raise NoFilters(
            f"{layer.name} has no biases. The layers of {model.card.name} that have: "
            f"{', '.join(model.biases)}."
        )
    return _npy(model.biases[layer.name].numpy())


@router.get(
    "/activations.png",
    summary="A layer's feature maps for an image, drawn",
    response_class=Response,
    responses=PNG,
)
async def activations_png(
    request: Request,
    model: NamedModelDep,
    layer: LayerDep,
    image: ImageQuery,
    images: ImagesDep,
    predictor: PredictorDep,
    channel: Channel = None,
    theme: ThemeQuery = "light",
    zoom: Zoom = 1,
) -> Response:
    """All maps in a square; with `channel`, that one."""
    _make_room_for_png(request, _maps_shape(layer, channel), zoom)

    def draw(traced: Traced) -> Response:
        return _png(_maps(traced, layer, channel), layer.signed, theme, zoom)

    return await predictor.trace(model, partial(images.picture, image), draw)


@router.get(
    "/activations.npy",
    summary="A layer's activations for an image",
    response_class=Response,
    responses=NPY,
)
async def activations_npy(
    request: Request,
    model: NamedModelDep,
    layer: LayerDep,
    image: ImageQuery,
    images: ImagesDep,
    predictor: PredictorDep,
    channel: Channel = None,
) -> Response:
    """The activations (channels, height, width), or (units,) after a flatten; with `channel`, that
    feature map (height, width)."""
    _make_room_for_npy(request, _maps_shape(layer, channel))

    def write(traced: Traced) -> Response:
        return _npy(_maps(traced, layer, channel))

    return await predictor.trace(model, partial(images.picture, image), write)


@router.get("/{what}.{form}", include_in_schema=False)
async def other_form(layer: LayerDep, what: str, form: str) -> Response:
    """Anything else."""
    raise HTTPException(
        404,
        f"There is no {what}.{form} of a layer. There are filters.png, filters.npy, "
        "biases.npy, activations.png?image= and activations.npy?image=.",
    )


def _weights(model: Model, layer: Layer) -> Values:
    if layer.name not in model.weights:
        raise NoFilters(
            f"{layer.name} has no filters. The layers of {model.card.name} that have: "
            f"{', '.join(model.weights)}."
        )
    weights: Values = model.weights[layer.name].numpy()
    return weights


def _maps(traced: Traced, layer: Layer, channel: int | None) -> Values:
    return _chosen(traced.trace.activations[layer.name].numpy(), layer, channel)


def _chosen(values: NDArray[Any], layer: Layer, channel: int | None) -> Values:
    if channel is None:
        return values
    check_channel(layer.name, len(values), channel)
    return np.asarray(values[channel])


def _maps_shape(layer: Layer, channel: int | None) -> tuple[int, ...]:
    """The shape of what ``_maps`` finds. Raises UnknownChannel."""
    if channel is None:
        return layer.output_shape
    check_channel(layer.name, layer.output_shape[0], channel)
    return layer.output_shape[1:]


def _make_room_for_png(request: Request, shape: tuple[int, ...], zoom: int) -> None:
    pixels = png_pixels(shape, zoom)
    if pixels > MOST:
        raise HTTPException(
            422, "The picture would be too large. Ask for one channel, a smaller zoom, or .npy."
        )
    make_room(request, pixels * PIXEL_BYTES)


def _make_room_for_npy(request: Request, shape: tuple[int, ...]) -> None:
    if prod(shape) > MOST:
        raise HTTPException(
            422, f"These are {prod(shape):,} numbers. Ask for one channel, or for the first few."
        )
    make_room(request, prod(shape) * NUMBER_BYTES)


def _png(values: Values, signed: bool, theme: Theme, zoom: int) -> Response:
    return Response(as_png(values, signed, theme, zoom), media_type="image/png")


def _npy(values: Values) -> Response:
    return Response(as_npy(values), media_type="application/octet-stream")
