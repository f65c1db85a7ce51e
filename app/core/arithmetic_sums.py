"""Units that are sums: of a convolution, a linear layer, an addition."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from app.core.errors import Unexplained
from app.core.unit_windows import UnitWindow, all_of, read_window, window_under
from app.core.units import Asked, Terms, Unit, padded_index


def explain_conv2d(asked: Asked) -> Unit:
    """The sum of products of a filter and what stands under it, and the bias.

    A term per input channel of the filter's group.
    """
    module, maps = asked.module, asked.inputs[0]
    assert isinstance(module, nn.Conv2d)
    channel, y, x = asked.place
    size = module.in_channels // module.groups
    first = channel // (module.out_channels // module.groups) * size
    window = window_under(module, maps.shape, asked.output.shape, (y, x), module.padding_mode)
    inputs = read_window(maps[first : first + size], window)
    channels = torch.arange(first, first + size)
    indices = _alone(channels, window)
    return _sum_of_products(asked, asked.sources[0], inputs, channels, indices, window)


def explain_linear(asked: Asked) -> Unit:
    """The sum of products of a row of weights and what is read, and the bias.

    A term per unit read; per map, where the units are those of maps in a row. Then the detail
    ``folded`` (height, width) has, for each place of the maps, the products of all of them.
    """
    inputs = asked.inputs[0][asked.place[:-1]]
    if asked.maps_before:
        source, (channels, height, width) = asked.maps_before[0], asked.maps_before[1]
        numbers, window = torch.arange(channels), all_of(height, width)
        inputs, indices = inputs.view(channels, height, width), _alone(numbers, window)
        unit = _sum_of_products(asked, source, inputs, numbers, indices, window)
        assert unit.terms.products is not None
        return replace(unit, details={"folded": unit.terms.products.sum(dim=0)})
    read = torch.arange(len(inputs))
    before = torch.tensor(asked.place[:-1], dtype=torch.int64).expand(len(inputs), -1)
    indices = torch.cat([before, read[:, None]], dim=1)
    indices = torch.nn.functional.pad(indices, (0, 3 - indices.shape[1]))
    return _sum_of_products(
        asked, asked.sources[0], inputs.view(-1, 1, 1), indices[:, 0], indices, None
    )


def _sum_of_products(
    asked: Asked,
    source: str,
    inputs: Tensor,
    channels: Tensor,
    indices: Tensor | None,
    window: UnitWindow | None,
) -> Unit:
    number = asked.place[0] if isinstance(asked.module, nn.Conv2d) else asked.place[-1]
    weights = _row(asked.module, "weight", number).reshape(inputs.shape)
    has_bias = asked.module.bias is not None
    bias = _row(asked.module, "bias", number) if has_bias else inputs.new_zeros(())
    products = inputs.double() * weights.double()
    subtotals = products.sum(dim=(1, 2))
    total = subtotals.sum() + bias.double()
    return asked(
        total,
        (inputs * weights).sum() + bias,
        products.abs().sum() + bias.double().abs(),
        Terms((source,), channels, inputs, subtotals, weights, products, indices),
        formula="Σ w · x + b" if has_bias else "Σ w · x",
        window=window,
        bias=float(bias) if has_bias else None,
        sum=float(total),
    )


def _row(module: nn.Module, parameter: str, number: int) -> Tensor:
    """What belongs to one output of a layer's parameter, in the CPU's memory."""
    return module.get_parameter(parameter)[number].detach().cpu()


def _alone(channels: Tensor, window: UnitWindow) -> Tensor | None:
    """The unit that each term reads, where it is one alone."""
    y, x = window.rows[0], window.columns[0]
    if len(window.rows) > 1 or len(window.columns) > 1 or y is None or x is None:
        return None
    return torch.stack([channels, torch.full_like(channels, y), torch.full_like(channels, x)], 1)


def explain_addition(asked: Asked) -> Unit:
    """The sum of the numbers at one place of several layers: a term per layer."""
    if any(one.shape != asked.output.shape for one in asked.inputs):
        raise Unexplained(f"{asked.layer.name} adds layers of different shapes.")
    values = torch.stack([one[asked.place] for one in asked.inputs])
    index, count = padded_index(asked.place), len(values)
    subtotals = values.double()
    terms = Terms(
        sources=asked.sources,
        channels=torch.full((count,), index[0]),
        inputs=values.view(-1, 1, 1),
        subtotals=subtotals,
        indices=torch.tensor([index] * count),
    )
    total = subtotals.sum()
    return asked(total, values.sum(), subtotals.abs().sum(), terms, sum=float(total))
