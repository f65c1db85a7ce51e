"""What one unit depends on: the exact rectangle of pixels, and where its gradient really is.

The rectangle is found by going back from the unit, layer by layer, with the rows and columns that
are read; a map's border ends them, and what several layers read of one is united.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from app.core.layers import SOFTMAX, Layer, kind_of, module_of
from app.core.receptive_fields import Shape, window_of
from app.core.unit_windows import ADAPTIVE, taps_of_all
from app.core.units import Index
from app.core.watching import Call, watch_layers

Span = tuple[int, int]


@dataclass(frozen=True)
class Padded:
    """How many rows and columns of an unclipped window lie beyond each border of the picture."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True)
class UnitField:
    """The pixels of the prepared picture that a unit depends on, without the padding."""

    top: int
    left: int
    height: int
    width: int
    padded: Padded


@dataclass(frozen=True)
class _Axis:
    """The numbers that are read along an axis, and from where to where without any border."""

    read: frozenset[int]
    span: Span

    @classmethod
    def of(cls, numbers: Iterable[int]) -> "_Axis":
        read = frozenset(numbers)
        return cls(read, (min(read), max(read)))

    def __or__(self, other: "_Axis") -> "_Axis":
        low, high = zip(self.span, other.span, strict=True)
        return _Axis(self.read | other.read, (min(low), max(high)))


# Rows and columns of maps; of a vector, its units and a column 0.
_Seen = tuple[_Axis, _Axis]


def unit_field(
    network: nn.Module, layers: Sequence[Layer], picture: Shape, layer: str, index: Index
) -> UnitField:
    """The rectangle of a picture (channels, height, width) that a unit depends on.

    Of a layer whose kind isn't declared, each unit counts as reading everything.
    """
    shapes = {one.name: one.output_shape for one in layers} | {"input": picture}
    places = index[1:] if len(shapes[layer]) == 3 else index[:2]
    seen = {layer: (_Axis.of([places[0]]), _Axis.of([places[1]]))}
    for one in reversed(layers):
        if one.name not in seen:
            continue
        module = module_of(network, one)
        for read in one.reads:
            found = _read_by(one, module, seen[one.name], shapes[read])
            if all(axis.read for axis in found):
                before = seen.get(read, found)
                seen[read] = before[0] | found[0], before[1] | found[1]
    if "input" not in seen:  # The unit reads nothing but padding.
        return UnitField(0, 0, 0, 0, Padded(0, 0, 0, 0))
    return _rectangle(*seen["input"], picture)


def _rectangle(rows: _Axis, columns: _Axis, picture: Shape) -> UnitField:
    top, left = min(rows.read), min(columns.read)
    padded = Padded(
        top=max(0, -rows.span[0]),
        left=max(0, -columns.span[0]),
        bottom=max(0, rows.span[1] + 1 - picture[-2]),
        right=max(0, columns.span[1] + 1 - picture[-1]),
    )
    return UnitField(top, left, max(rows.read) + 1 - top, max(columns.read) + 1 - left, padded)


def _read_by(layer: Layer, module: nn.Module, seen: _Seen, shape: Shape) -> _Seen:
    """What of a layer's input, of ``shape``, some of its units read."""
    rows, columns = seen
    sees = kind_of(module).sees
    if shape[-2:] != layer.input_shape[-2:] or _normalises_itself(module):
        return _all(shape)
    if layer.kind == "flatten":
        return _unflattened(rows.read, shape, layer.output_shape)
    if sees == "place":
        return seen
    if sees == "everything":
        return _all_along(module, seen, shape)
    return (
        _under(module, shape, layer.output_shape, rows, -2),
        _under(module, shape, layer.output_shape, columns, -1),
    )


def _all(shape: Shape) -> _Seen:
    sizes = shape[-2:] if len(shape) > 1 else (*shape, 1)
    return _Axis.of(range(sizes[0])), _Axis.of(range(sizes[1]))


def _all_along(module: nn.Module, seen: _Seen, shape: Shape) -> _Seen:
    """All along the axis that a linear layer or a softmax works on; else all there is."""
    if len(shape) != 3 or not isinstance(module, nn.Linear | nn.Softmax | nn.LogSoftmax):
        return _all(shape)
    dim = -1 if isinstance(module, nn.Linear) else module.dim
    rows, columns = _all(shape)
    if dim in (3, -1):
        return seen[0], columns
    if dim in (2, -2):
        return rows, seen[1]
    return seen if dim in (1, -3) else (rows, columns)


def _unflattened(units: Iterable[int], shape: Shape, output_shape: Shape) -> _Seen:
    """The rows and columns of those units of maps (channels, height, width) that lie in a row."""
    if len(output_shape) != 1 or len(shape) != 3:
        return _all(shape)
    _, height, width = shape
    rows = {unit // width % height for unit in units}
    return _Axis.of(rows), _Axis.of({unit % width for unit in units})


def _under(module: nn.Module, shape: Shape, output_shape: Shape, places: _Axis, axis: int) -> _Axis:
    """What stands under the windows of several places along an axis."""
    read = taps_of_all(module, shape, output_shape, places.read, axis)
    if isinstance(module, ADAPTIVE):
        return _Axis.of(read)
    window = window_of(module)
    low, high = (one * window.stride[axis] - window.padding[axis] for one in places.span)
    return _Axis(read, (low, high + (window.kernel[axis] - 1) * window.dilation[axis]))


def _normalises_itself(module: nn.Module) -> bool:
    """Whether a batch norm takes its mean and variance from the picture."""
    return isinstance(module, nn.BatchNorm2d) and module.running_mean is None


def effective_field(network: nn.Module, picture: Tensor, layer: str, index: Index) -> Tensor:
    """How much a unit changes with each pixel of a prepared picture: (height, width).

    That is the absolute gradient, summed over the picture's channels.
    """
    kept: list[Tensor] = []

    def keep(call: Call, out: Tensor) -> None:
        if call.name == layer:
            kept.append(out[0].clone())  # An in-place layer may follow.

    leaf = picture.detach().clone().requires_grad_()
    with torch.enable_grad():
        with watch_layers(network, keep):
            logits = network(leaf[None].clone())[0]
        activation = kept[0] if kept else SOFTMAX(logits)
        unit = activation[index[: activation.ndim]]
        (gradient,) = torch.autograd.grad(unit, leaf, allow_unused=True, materialize_grads=True)
    return gradient.abs().sum(dim=0)
