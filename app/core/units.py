"""How one number of a trace came about, as data: its terms, their sum and how well it agrees."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from torch import Tensor, nn

from app.core.layers import Layer
from app.core.unit_windows import UnitWindow

# (channel, row, column); a layer of vectors has a row and a column 0.
Index = tuple[int, int, int]

Detail = float | bool | tuple[int, ...] | Tensor | None

# How far what torch stored may lie from the same in float64, relative to ``Unit.magnitude``.
TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class Term:
    """One of the numbers that a unit is the sum of, and what it was made of.

    ``inputs``, ``weights`` and ``products`` are (rows, columns) of the unit's window. ``index`` is
    the unit that was read where it is one alone.
    """

    source: str
    channel: int
    index: Index | None
    subtotal: float
    inputs: Tensor
    weights: Tensor | None
    products: Tensor | None


@dataclass(frozen=True, eq=False)
class Terms:
    """All terms of a unit, in the order of what they read.

    ``inputs`` (terms, rows, columns), ``weights`` and ``products`` alike, ``subtotals`` (terms,)
    and ``channels`` (terms,); ``indices`` (terms, 3) where each term reads one unit. ``sources``
    has a name for each term, or one for all. Products and subtotals are float64.
    """

    sources: tuple[str, ...]
    channels: Tensor
    inputs: Tensor
    subtotals: Tensor
    weights: Tensor | None = None
    products: Tensor | None = None
    indices: Tensor | None = None

    def __len__(self) -> int:
        return len(self.subtotals)

    def page(self, offset: int, count: int) -> list[Term]:
        """So many terms from the ``offset``-th on, the largest |subtotal| first."""
        order = self.subtotals.abs().argsort(descending=True, stable=True)
        return [self._term(number) for number in order[offset : offset + count].tolist()]

    def _term(self, number: int) -> Term:
        index = None if self.indices is None else self.indices[number].tolist()
        return Term(
            self.sources[number if len(self.sources) > 1 else 0],
            int(self.channels[number]),
            None if index is None else (index[0], index[1], index[2]),
            float(self.subtotals[number]),
            self.inputs[number],
            None if self.weights is None else self.weights[number],
            None if self.products is None else self.products[number],
        )


@dataclass(frozen=True, eq=False)
class Unit:
    """How one number of a layer came about.

    ``value`` is what torch stored; ``computed`` the same in float64 from the stored inputs and the
    weights, ``own_computed`` in the network's own precision. ``magnitude`` is what rounding is
    relative to: the sum of all absolute products and the bias where there is a sum. ``sum`` and
    ``bias`` are None for a kind that adds nothing.
    """

    layer: Layer
    index: Index
    value: float
    computed: float
    own_computed: float
    dtype: torch.dtype
    magnitude: float
    formula: str
    terms: Terms
    window: UnitWindow | None = None
    bias: float | None = None
    sum: float | None = None
    details: Mapping[str, Detail] = field(default_factory=dict)

    @property
    def difference(self) -> float:
        """What torch stored, less the same in float64."""
        return self.value - self.computed

    @property
    def agrees(self) -> bool:
        """Whether the difference is no more than rounding: 1e-5 of the magnitude."""
        if math.isnan(self.value) or self.value == self.computed:
            return math.isnan(self.value) == math.isnan(self.computed)
        return abs(self.difference) <= TOLERANCE * self.magnitude


@dataclass(frozen=True, eq=False)
class Asked:
    """The unit that is to be explained.

    ``place`` is its index in ``output`` and ``inputs`` are the activations that its layer was
    given, without the batch; ``sources`` names the layers that they are of.
    """

    layer: Layer
    module: nn.Module
    index: Index
    place: tuple[int, ...]
    inputs: tuple[Tensor, ...]
    sources: tuple[str, ...]
    output: Tensor
    maps_before: tuple[str, tuple[int, ...]] | None

    @property
    def value(self) -> float:
        """What torch stored."""
        return float(self.output[self.place])

    def __call__(
        self,
        computed: Tensor,
        own: Tensor,
        magnitude: Tensor | float,
        terms: Terms,
        formula: str | None = None,
        window: UnitWindow | None = None,
        bias: float | None = None,
        sum: float | None = None,
        details: Mapping[str, Detail] = MappingProxyType({}),
    ) -> Unit:
        """The explained unit."""
        return Unit(
            layer=self.layer,
            index=self.index,
            value=self.value,
            computed=float(computed),
            own_computed=float(own),
            dtype=self.output.dtype,
            magnitude=max(float(magnitude), abs(self.value)),
            formula=self.layer.summary if formula is None else formula,
            terms=terms,
            window=window,
            bias=bias,
            sum=sum,
            details=details,
        )


def one_term(source: str, index: Index, value: Tensor) -> Terms:
    """The only term of a unit that is a function of one other."""
    return Terms(
        sources=(source,),
        channels=torch.tensor([index[0]]),
        inputs=value.reshape(1, 1, 1),
        subtotals=value.double().reshape(1),
        indices=torch.tensor([index]),
    )


def padded_index(place: tuple[int, ...]) -> Index:
    """An index in an activation of one to three axes as (channel, row, column)."""
    channel, y, x = (*place, 0, 0)[:3]
    return channel, y, x
