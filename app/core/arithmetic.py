"""How any number of a trace came about: what it read, the weights, every product and the sum.

All of it is computed again in float64 from the stored inputs, and held against what torch stored.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from app.core.arithmetic_functions import (
    explain_batch_norm,
    explain_flatten,
    explain_function,
    explain_identity,
    explain_log_softmax,
    explain_softmax,
)
from app.core.arithmetic_pools import explain_max_pool, explain_mean_pool
from app.core.arithmetic_sums import explain_addition, explain_conv2d, explain_linear
from app.core.errors import Unexplained, UnknownUnit
from app.core.layers import KINDS, Addition, Layer, module_of
from app.core.picking import check_channel
from app.core.tracing import Trace
from app.core.units import Asked, Index, Unit

_EXPLAINED: dict[type[nn.Module], Callable[[Asked], Unit]] = {
    nn.Conv2d: explain_conv2d,
    nn.BatchNorm2d: explain_batch_norm,
    nn.MaxPool2d: explain_max_pool,
    nn.AvgPool2d: explain_mean_pool,
    nn.AdaptiveAvgPool2d: explain_mean_pool,
    nn.AdaptiveMaxPool2d: explain_max_pool,
    nn.Dropout: explain_identity,
    nn.Dropout2d: explain_identity,
    nn.Identity: explain_identity,
    Addition: explain_addition,
    nn.Flatten: explain_flatten,
    nn.Linear: explain_linear,
    nn.Softmax: explain_softmax,
    nn.LogSoftmax: explain_log_softmax,
}
# Kinds whose units are functions of the one number at the same place.
POINTWISE = {
    kind.name
    for module, kind in KINDS.items()
    if kind.sees == "place" and module not in (Addition, nn.Flatten)
}


def explain(
    network: nn.Module, layers: Sequence[Layer], trace: Trace, layer: str, index: Index
) -> Unit:
    """How the unit ``index`` (channel, row, column) of a layer of a traced network came about.

    Raises UnknownChannel and UnknownUnit for a unit that the layer doesn't have, and Unexplained
    for a layer whose arithmetic isn't known.
    """
    named = {one.name: one for one in layers}
    found, output = named[layer], trace.activations[layer]
    check_unit(found, index)
    module = module_of(network, found)
    explainer = _explainer_of(found, module)
    sources = _sources_of(found)
    inputs = tuple(activation_of(trace, one) for one in sources)
    maps = _maps_before(named, trace, sources[0]) if isinstance(module, nn.Linear) else None
    place = index[: output.ndim]
    with torch.no_grad():
        return explainer(Asked(found, module, index, place, inputs, sources, output, maps))


def check_unit(layer: Layer, index: Index) -> None:
    """Raise UnknownChannel, UnknownUnit or Unexplained unless the layer has a unit ``index``."""
    if not 1 <= len(layer.output_shape) <= 3:
        raise Unexplained(
            f"A unit of {layer.name} has no channel, row and column: its shape is "
            f"{list(layer.output_shape)}."
        )
    channels, height, width = (*layer.output_shape, 1, 1)[:3]
    channel, y, x = index
    check_channel(layer.name, channels, channel)
    if not (0 <= y < height and 0 <= x < width):
        raise UnknownUnit(
            f"{layer.name} has no unit in row {y}, column {x}. Its rows are 0 to {height - 1} and "
            f"its columns 0 to {width - 1}."
        )


def activation_of(trace: Trace, name: str) -> Tensor:
    """A layer's output; the prepared picture is that of "input"."""
    return trace.input if name == "input" else trace.activations[name]


def _explainer_of(layer: Layer, module: nn.Module) -> Callable[[Asked], Unit]:
    """What explains a module; one that changes what its kind does isn't explained."""
    declared = next((one for one in KINDS if isinstance(module, one)), None)
    if declared is None or any(
        getattr(type(module), name, None) is not getattr(declared, name, None)
        for name in ("forward", "_conv_forward")
    ):
        raise Unexplained(
            f"How {layer.name} computes isn't known here: it is a {type(module).__name__} of "
            f"{type(module).__module__}. Its activations can be seen all the same."
        )
    if module.training and declared in (nn.Dropout, nn.Dropout2d, nn.BatchNorm2d):
        raise Unexplained(f"{layer.name} is in training: call eval() on the network first.")
    return _EXPLAINED.get(declared, explain_function)


def _sources_of(layer: Layer) -> tuple[str, ...]:
    sources = tuple(one for one in layer.operands if one is not None)
    if not sources or len(sources) < len(layer.operands):
        raise Unexplained(
            f"What {layer.name} was given is no layer's output, but was made of "
            f"{' and '.join(layer.reads)} by functions that aren't layers here."
        )
    return sources


def _maps_before(
    named: dict[str, Layer], trace: Trace, source: str
) -> tuple[str, tuple[int, ...]] | None:
    """The maps that lie in a row in a layer, with their shape; None where there are none."""
    while source in named and named[source].operands[0] is not None:
        layer, source = named[source], str(named[source].operands[0])
        if layer.kind == "flatten":
            shape = tuple(activation_of(trace, source).shape)
            return (source, shape) if len(shape) == 3 and len(layer.output_shape) == 1 else None
        if layer.kind not in ("dropout", "identity"):
            return None
    return None


def chain_behind(layers: Sequence[Layer], layer: str) -> list[Layer]:
    """The layers that hand each unit of a layer on, one by one, until several read it."""
    chain: list[Layer] = []
    while True:
        readers = [one for one in layers if layer in one.reads]
        if len(readers) != 1 or readers[0].operands != (layer,):
            return chain
        if readers[0].kind not in POINTWISE:
            return chain
        chain.append(readers[0])
        layer = readers[0].name
