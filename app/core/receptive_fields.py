"""How far the units of a layer see: which pixels of the picture they depend on.

The recurrence is that of Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional
Neural Networks", Distill 2019, for each axis on its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

Shape = tuple[int, ...]


@dataclass(frozen=True)
class ReceptiveField:
    """Which input pixels the units of a layer depend on, padding included.

    Unit (y, x) sees ``height`` x ``width`` pixels whose top left one is
    ``(top + y * stride_y, left + x * stride_x)``. A field that does not move with its unit (after
    a linear layer) has strides of 0.
    """

    height: int
    width: int
    top: int
    left: int
    stride_y: int
    stride_x: int


ONE_PIXEL = ReceptiveField(1, 1, 0, 0, 1, 1)


def whole(picture: Shape) -> ReceptiveField:
    """The field of a unit that sees all of a picture (..., height, width)."""
    return ReceptiveField(picture[-2], picture[-1], 0, 0, 0, 0)


@dataclass(frozen=True)
class Window:
    """The kernel size, stride, padding and dilation of a layer, each as (vertical, horizontal)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]


def pair(value: int | Sequence[int]) -> tuple[int, int]:
    """One number for both axes, or one each, as torch's modules take it."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def window_of(module: nn.Module) -> Window:
    """The window that a convolution or a pool slides over its input."""
    settings: dict[str, Any] = vars(module)
    kernel, dilation = pair(settings["kernel_size"]), pair(settings.get("dilation", 1))
    padding = settings["padding"]
    if padding == "valid":
        padding = 0
    if padding == "same":  # An odd pixel goes to the right and to the bottom.
        padding = [d * (k - 1) // 2 for d, k in zip(dilation, kernel, strict=True)]
    return Window(kernel, pair(settings["stride"]), pair(padding), dilation)


def adaptive_window(shape: Shape, output_shape: Shape) -> Window | None:
    """The window that an adaptive pool amounts to; None where no single one does."""
    sizes = list(zip(shape[-2:], output_shape[-2:], strict=True))
    if any(size % output for size, output in sizes):
        return None
    kernel = pair([size // output for size, output in sizes])
    return Window(kernel, kernel, (0, 0), (1, 1))


def union(fields: Sequence[ReceptiveField], picture: Shape) -> ReceptiveField:
    """What a unit sees that reads several layers at its own place."""
    first = fields[0]
    steps = {(field.stride_y, field.stride_x) for field in fields}
    if len(steps) > 1:  # One of them was scaled up or down in between: its place isn't known.
        return whole(picture)
    top, left = min(f.top for f in fields), min(f.left for f in fields)
    bottom = max(f.top + f.height for f in fields)
    right = max(f.left + f.width for f in fields)
    return replace(first, top=top, left=left, height=bottom - top, width=right - left)


def slide(field: ReceptiveField, window: Window) -> ReceptiveField:
    """What a unit sees that reads a window of units, each of which sees ``field``."""
    return ReceptiveField(
        height=field.height + (window.kernel[0] - 1) * window.dilation[0] * field.stride_y,
        width=field.width + (window.kernel[1] - 1) * window.dilation[1] * field.stride_x,
        top=field.top - window.padding[0] * field.stride_y,
        left=field.left - window.padding[1] * field.stride_x,
        stride_y=field.stride_y * window.stride[0],
        stride_x=field.stride_x * window.stride[1],
    )
