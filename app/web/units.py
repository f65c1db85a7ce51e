"""One unit of a layer: how its number came about, and where its gradient is."""

import re
from functools import partial
from typing import Annotated, cast

import numpy as np
from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response

from app.core.arithmetic import check_unit
from app.core.layers import Layer
from app.core.model import Model
from app.core.units import Index
from app.services.recent_traces import RecentTraces
from app.web.dependencies import NamedModelDep, PredictorDep
from app.web.documenting import CHANNEL, COLUMN, ROW, binary, problems
from app.web.maps import ImageQuery, LayerDep, ThemeQuery, Zoom
from app.web.rendering import Values, as_npy, as_png
from app.web.unit_schemas import MOST_TERMS, UnitAnswer

router = APIRouter(
    prefix="/api/v1/models/{model}/layers/{layer}/units/{channel}/{y}/{x}", tags=["layers"]
)

_UNIT = re.compile(r"(?P<layer>.+)/(?P<channel>\d{1,9})/(?P<y>\d{1,9})/(?P<x>\d{1,9})")


async def get_index(
    layer: LayerDep,
    channel: Annotated[int, Path(description="A channel, from 0.", openapi_examples=CHANNEL)],
    y: Annotated[int, Path(description="A row; 0 in a vector.", openapi_examples=ROW)],
    x: Annotated[int, Path(description="A column; 0 in a vector.", openapi_examples=COLUMN)],
) -> Index:
    """The unit that the path names."""
    check_unit(layer, (channel, y, x))
    return channel, y, x


async def get_traces(request: Request) -> RecentTraces:
    """The traces that were asked for last."""
    return cast(RecentTraces, request.state.traces)


IndexDep = Annotated[Index, Depends(get_index)]
TracesDep = Annotated[RecentTraces, Depends(get_traces)]
Offset = Annotated[int, Query(ge=0, le=10**9, description="Leave out so many terms.")]
Count = Annotated[int, Query(ge=1, le=MOST_TERMS, description="How many terms at most.")]


@router.get("", summary="How a number came about", responses=problems(404, 422))
async def explain_unit(
    model: NamedModelDep,
    layer: LayerDep,
    index: IndexDep,
    image: ImageQuery,
    traces: TracesDep,
    predictor: PredictorDep,
    offset: Offset = 0,
    count: Count = 16,
) -> UnitAnswer:
    """What a unit read for an image, the weights, every product, a subtotal per channel read, the
    bias and the sum, beside what torch stored.

    The terms come by their |subtotal|, the largest first; `rest` is the sum of those that are not
    on this page. A layer whose arithmetic isn't known is refused.
    """

    def explain() -> UnitAnswer:
        trace = traces.get(model, image)
        return UnitAnswer.of(model, trace, layer.name, index, offset, count)

    return await predictor.run(explain)


@router.get(
    "/effective_field.png",
    summary="Where the gradient of a unit is, drawn",
    response_class=Response,
    responses=binary("image/png", "A picture whose palette is the colour scale.")
    | problems(404, 422),
)
async def effective_field_png(
    model: NamedModelDep,
    layer: LayerDep,
    index: IndexDep,
    image: ImageQuery,
    traces: TracesDep,
    predictor: PredictorDep,
    theme: ThemeQuery = "light",
    zoom: Zoom = 1,
) -> Response:
    """How much the unit changes with each pixel of the prepared picture."""

    def draw() -> Response:
        values = _effective(traces, model, layer, index, image)
        return Response(as_png(values, False, theme, zoom), media_type="image/png")

    return await predictor.run(draw)


@router.get(
    "/effective_field.npy",
    summary="Where the gradient of a unit is",
    response_class=Response,
    responses=binary("application/octet-stream", "An array that numpy.load reads.")
    | problems(404, 422),
)
async def effective_field_npy(
    model: NamedModelDep,
    layer: LayerDep,
    index: IndexDep,
    image: ImageQuery,
    traces: TracesDep,
    predictor: PredictorDep,
) -> Response:
    """The absolute gradient of the unit by the prepared picture (height, width), summed over the
    picture's channels."""
    work = partial(_effective, traces, model, layer, index, image)
    values = await predictor.run(work)
    return Response(as_npy(values), media_type="application/octet-stream")


def _effective(
    traces: RecentTraces, model: Model, layer: Layer, index: Index, image: str
) -> Values:
    picture = traces.get(model, image).input
    return model.effective_field(picture, layer.name, index).numpy().astype(np.float32)


def read_unit(model: Model, text: str | None) -> tuple[str, Index] | None:
    """The layer and the index of a unit in the words of a query: ``conv1/3/4/0``.

    Raises UnknownLayer, UnknownChannel, UnknownUnit and Unexplained.
    """
    if not text:
        return None
    if not (said := _UNIT.fullmatch(text)):
        raise HTTPException(
            422,
            f"{text[:60]!r} names no unit: write a layer, a channel, a row and a column, as "
            "in conv1/3/4/0.",
        )
    layer = model.layer(said["layer"])
    index = int(said["channel"]), int(said["y"]), int(said["x"])
    check_unit(layer, index)
    return layer.name, index
