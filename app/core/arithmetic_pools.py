"""Units of pools: the largest or the mean of what stands under a window."""

import torch
from torch import Tensor, nn

from app.core.receptive_fields import pair, window_of
from app.core.unit_windows import (
    ADAPTIVE,
    UnitWindow,
    inside,
    read_window,
    window_under,
)
from app.core.units import Asked, Terms, Unit


def explain_max_pool(asked: Asked) -> Unit:
    """The largest number under the window; ``winner`` is its (row, column) in the read map.

    Of several that are the largest, the first wins, as in torch.
    """
    maps = _of_channel(asked)
    window = window_under(
        asked.module, maps.shape, asked.output.shape, _place(asked), padding="ignored"
    )
    inputs = read_window(maps, window, padded=-torch.inf)
    y, x = divmod(int(inputs.argmax()), len(window.columns))
    largest = inputs[0, y, x]
    return asked(
        largest.double(),
        largest,
        0.0,
        _one_map(asked, inputs, largest.double()),
        formula="max x",
        window=window,
        details={"winner": (inside([window.rows[y]])[0], inside([window.columns[x]])[0])},
    )


def explain_mean_pool(asked: Asked) -> Unit:
    """The sum of what stands under the window by how many numbers are counted."""
    maps = _of_channel(asked)
    counts_padding = getattr(asked.module, "count_include_pad", False)
    padding = "zeros" if counts_padding else "ignored"
    window = window_under(asked.module, maps.shape, asked.output.shape, _place(asked), padding)
    inputs = read_window(maps, window)
    divisor = _divisor(asked, window)
    total = inputs.double().sum()
    return asked(
        total / divisor,
        inputs.sum() / divisor,
        inputs.double().abs().sum() / abs(divisor),
        _one_map(asked, inputs, total),
        formula="Σ x / n",
        window=window,
        sum=float(total),
        details={"divisor": divisor},
    )


def _divisor(asked: Asked, window: UnitWindow) -> int:
    """How many numbers a mean counts, as torch's ``avg_pool2d`` and ``adaptive_avg_pool2d`` do."""
    module = asked.module
    there = len(inside(window.rows)) * len(inside(window.columns))
    if isinstance(module, ADAPTIVE):
        return there
    assert isinstance(module, nn.AvgPool2d)
    if module.divisor_override is not None:
        return module.divisor_override
    if not module.count_include_pad:
        return there
    y, x = _place(asked)
    return _counted(asked, y, -2) * _counted(asked, x, -1)


def _counted(asked: Asked, place: int, axis: int) -> int:
    """How much of a window lies within the map and its padding; with ``ceil_mode`` not all does."""
    window = window_of(asked.module)
    start = place * window.stride[axis] - window.padding[axis]
    end = asked.inputs[0].shape[axis] + window.padding[axis]
    return min(start + window.kernel[axis], end) - start


def _of_channel(asked: Asked) -> Tensor:
    return asked.inputs[0][asked.place[0]][None]


def _place(asked: Asked) -> tuple[int, int]:
    return pair(asked.place[1:])


def _one_map(asked: Asked, inputs: Tensor, subtotal: Tensor) -> Terms:
    channel = torch.tensor([asked.place[0]])
    return Terms(asked.sources, channel, inputs, subtotal.reshape(1))
