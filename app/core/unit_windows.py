"""Which rows and columns of a map stand under a kernel, for one unit of what it makes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from app.core.receptive_fields import Shape, window_of

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
    size, outputs = shape[axis], output_shape[axis]
    if isinstance(module, ADAPTIVE):
        return tuple(range(place * size // outputs, -(-(place + 1) * size // outputs)))
    window = window_of(module)
    start = place * window.stride[axis] - window.padding[axis]
    mode = str(getattr(module, "padding_mode", "zeros"))
    steps = range(window.kernel[axis])
    return tuple(_fold(start + step * window.dilation[axis], size, mode) for step in steps)


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
