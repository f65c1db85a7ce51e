"""Which rows and columns of a map stand under a kernel, for one unit of what it makes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from app.core.receptive_fields import Shape, Window, window_of

# Rows or columns of a map, in the kernel's order; None for a padded one.
Taps = tuple[int | None, ...]

ADAPTIVE = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)


@dataclass(frozen=True)
class UnitWindow:
    """The rows and columns of each read map that a unit reads.

    ``padding`` says what stands in a padded place: torch's ``padding_mode``, or "ignored" where
    nothing does (a maximum, or a mean that counts what is there).
    """

    rows: Taps
    columns: Taps
    padding: str


def taps(module: nn.Module, shape: Shape, output_shape: Shape, place: int, axis: int) -> Taps:
    """What a convolution or a pool reads along an axis (-2 rows, -1 columns) at ``place``.

    ``shape`` and ``output_shape`` end with height and width.
    """
    size = shape[axis]
    if isinstance(module, ADAPTIVE):
        return tuple(_adaptive(place, size, output_shape[axis]))
    window, mode = window_of(module), _mode(module)
    start = place * window.stride[axis] - window.padding[axis]
    return tuple(_fold(start + step, size, mode) for step in _steps(window, axis))


def taps_of_all(
    module: nn.Module, shape: Shape, output_shape: Shape, places: Iterable[int], axis: int
) -> frozenset[int]:
    """What is read along an axis at any of several places, without the padding."""
    size = shape[axis]
    if isinstance(module, ADAPTIVE):
        ranges = (_adaptive(place, size, output_shape[axis]) for place in places)
        return frozenset(tap for one in ranges for tap in one)
    window, mode = window_of(module), _mode(module)
    starts = [place * window.stride[axis] - window.padding[axis] for place in places]
    # Windows overlap: each position is looked at once.
    positions = {start + step for start in starts for step in _steps(window, axis)}
    return frozenset(inside([_fold(position, size, mode) for position in positions]))


def _adaptive(place: int, size: int, outputs: int) -> range:
    return range(place * size // outputs, -(-(place + 1) * size // outputs))


def _steps(window: Window, axis: int) -> range:
    dilation = window.dilation[axis]
    return range(0, window.kernel[axis] * dilation, dilation)


def _mode(module: nn.Module) -> str:
    return str(getattr(module, "padding_mode", "zeros"))


def _fold(position: int, size: int, mode: str) -> int | None:
    """Where a position beyond the border is read, as ``torch.nn.functional.pad`` has it."""
    if 0 <= position < size:
        return position
    if mode == "reflect":
        return -position if position < 0 else 2 * (size - 1) - position
    if mode == "replicate":
        return 0 if position < 0 else size - 1
    return position % size if mode == "circular" else None


def window_under(
    module: nn.Module, shape: Shape, output_shape: Shape, place: tuple[int, int], padding: str
) -> UnitWindow:
    """The window of the unit at ``place`` (row, column)."""
    y, x = place
    rows = taps(module, shape, output_shape, y, -2)
    return UnitWindow(rows, taps(module, shape, output_shape, x, -1), padding)


def all_of(height: int, width: int) -> UnitWindow:
    """The window of a unit that reads whole maps."""
    return UnitWindow(tuple(range(height)), tuple(range(width)), "zeros")


def read_window(maps: Tensor, window: UnitWindow, padded: float = 0.0) -> Tensor:
    """What stands under the window in maps (channels, height, width) -> (channels, rows, columns).

    A padded place reads ``padded``.
    """
    rows, columns = _numbers(window.rows), _numbers(window.columns)
    values = maps[:, rows.clamp(min=0)[:, None], columns.clamp(min=0)]
    return values.masked_fill((rows < 0)[:, None] | (columns < 0), padded)


def _numbers(taps: Taps) -> Tensor:
    return torch.tensor([-1 if tap is None else tap for tap in taps])


def inside(taps: Sequence[Any]) -> list[int]:
    """Those that aren't padded."""
    return [tap for tap in taps if tap is not None]
