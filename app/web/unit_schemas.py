"""What the API answers of one unit, field by field."""

import math
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from app.core.arithmetic import chain_behind
from app.core.model import Model
from app.core.tracing import Trace
from app.core.units import Index, Term, Unit, padded_index

# JSON has no word for what isn't finite.
Number = float | None
Grid = list[list[Number]]

MOST_TERMS = 1024


class UnitWindow(BaseModel):
    """Which rows and columns of each read map stand under the kernel; null for a padded place."""

    model_config = ConfigDict(from_attributes=True)

    rows: list[int | None] = Field(examples=[[2, 3, 4, 5, 6]])
    columns: list[int | None] = Field(examples=[[None, None, 0, 1, 2]])
    padding: str = Field(
        description="what stands in a padded place: zeros, reflect, replicate or circular; or "
        "ignored, where nothing does"
    )


class UnitTerm(BaseModel):
    """One of the numbers that make up a unit; its grids are the rows and columns of the window."""

    source: str = Field(description="the layer whose numbers these are", examples=["pool1"])
    channel: int
    index: list[int] | None = Field(description="the unit that was read, where it is one alone")
    subtotal: Number
    inputs: Grid = Field(description="null in a padded place that a maximum ignores")
    weights: Grid | None
    products: Grid | None

    @classmethod
    def of(cls, term: Term) -> "UnitTerm":
        """A term in numbers of JSON."""
        return cls(
            source=term.source,
            channel=term.channel,
            index=None if term.index is None else list(term.index),
            subtotal=_number(term.subtotal),
            inputs=_grid(term.inputs),
            weights=None if term.weights is None else _grid(term.weights),
            products=None if term.products is None else _grid(term.products),
        )


class Rest(BaseModel):
    """The terms that are not on this page, so that what is shown and the rest are all."""

    count: int
    subtotal: Number


class OwnPrecision(BaseModel):
    """The same computation in the network's own precision."""

    dtype: str = Field(examples=["float32"])
    computed: Number
    difference: Number


class NextUnit(BaseModel):
    """A unit behind this one that is a function of it alone."""

    layer: str = Field(examples=["relu1"])
    kind: str = Field(examples=["relu"])
    index: list[int]
    value: Number


class Padded(BaseModel):
    """How many rows and columns of the window in front lie beyond each border of the picture."""

    model_config = ConfigDict(from_attributes=True)

    top: int
    left: int
    bottom: int
    right: int


class UnitFieldAnswer(BaseModel):
    """The pixels of the prepared picture that a unit depends on, exactly."""

    model_config = ConfigDict(from_attributes=True)

    top: int
    left: int
    height: int
    width: int
    padded: Padded


class UnitAnswer(BaseModel):
    """How one number came about: its terms, their sum, and what torch stored."""

    model: str = Field(examples=["digits"])
    layer: str = Field(examples=["conv2"])
    kind: str = Field(examples=["conv2d"])
    index: list[int] = Field(description="channel, row, column", examples=[[3, 4, 0]])
    value: Number = Field(description="what torch stored")
    computed: Number = Field(description="the same in float64 from the stored inputs and weights")
    difference: Number = Field(description="value less computed")
    own_precision: OwnPrecision
    agrees: bool = Field(description="whether |difference| is at most 1e-5 of the magnitude")
    magnitude: Number = Field(
        description="what rounding is relative to: |bias| and the sum of all |products|, where "
        "there are any, and at least |value|"
    )
    formula: str = Field(examples=["Σ w · x + b"])
    reads: list[str] = Field(description="the layers that it reads", examples=[["pool1"]])
    window: UnitWindow | None
    terms: list[UnitTerm] = Field(description="the largest |subtotal| first")
    offset: int
    count: int = Field(description="how many terms are here")
    total: int = Field(description="how many terms there are")
    rest: Rest
    bias: Number
    sum: Number = Field(description="null for a kind that adds nothing")
    details: dict[str, Any] = Field(
        description="what else a kind has to tell, such as a pool's winner or a norm's four numbers"
    )
    next: list[NextUnit] = Field(description="the units that pass this number on, one by one")
    receptive_field: UnitFieldAnswer

    @classmethod
    def of(
        cls, model: Model, trace: Trace, layer: str, index: Index, offset: int, count: int
    ) -> "UnitAnswer":
        """A unit of a trace, with so many terms from the ``offset``-th on.

        Raises UnknownLayer, UnknownChannel, UnknownUnit and Unexplained.
        """
        unit = model.explain(trace, layer, index)
        page = unit.terms.page(offset, count)
        return cls(
            **_numbers_of(unit),
            model=model.card.name,
            reads=list(unit.layer.reads),
            window=None if unit.window is None else UnitWindow.model_validate(unit.window),
            terms=[UnitTerm.of(term) for term in page],
            offset=offset,
            count=len(page),
            total=len(unit.terms),
            rest=_rest(unit, page),
            details=_details(unit, model.card.classes),
            next=_next(model, trace, unit),
            receptive_field=UnitFieldAnswer.model_validate(model.unit_field(layer, index)),
        )


def _numbers_of(unit: Unit) -> dict[str, Any]:
    names = ("value", "computed", "difference", "magnitude", "bias", "sum")
    own = OwnPrecision(
        dtype=str(unit.dtype).removeprefix("torch."),
        computed=_number(unit.own_computed),
        difference=_number(unit.value - unit.own_computed),
    )
    facts = {"layer": unit.layer.name, "kind": unit.layer.kind, "index": list(unit.index)}
    told = {"formula": unit.formula, "agrees": unit.agrees, "own_precision": own}
    return facts | told | {name: _number(getattr(unit, name)) for name in names}


def _rest(unit: Unit, page: Sequence[Term]) -> Rest:
    """All terms less those of a page."""
    shown = sum(term.subtotal for term in page)
    count = len(unit.terms) - len(page)
    everything = float(unit.terms.subtotals.sum())
    return Rest(count=count, subtotal=_number(everything - shown) if count else 0.0)


def _details(unit: Unit, classes: Sequence[str]) -> dict[str, Any]:
    details: dict[str, Any] = {name: _plain(value) for name, value in unit.details.items()}
    if "logits" in details and len(details["logits"]) == len(classes):
        details["labels"] = list(classes)
    return details


def _next(model: Model, trace: Trace, unit: Unit) -> list[NextUnit]:
    found = []
    for layer in chain_behind(model.layers, unit.layer.name):
        activation = trace.activations[layer.name]
        value = float(activation[unit.index[: activation.ndim]])
        index = list(padded_index(unit.index[: activation.ndim]))
        found.append(NextUnit(layer=layer.name, kind=layer.kind, index=index, value=_number(value)))
    return found


def _plain(value: object) -> object:
    if isinstance(value, Tensor):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return _number(value) if isinstance(value, float) else value


def _grid(values: Tensor) -> Grid:
    return [[_number(one) for one in row] for row in values.tolist()]


def _number(value: float | None) -> Number:
    return value if value is not None and math.isfinite(value) else None
