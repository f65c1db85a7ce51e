"""One forward pass with every layer's output, and what the layers are.

Every call is watched in forward order, so a network needs no preparation to be traced.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from app.core.layers import SOFTMAX, Layer, Step, describe_layer, input_layer
from app.core.receptive_fields import ReceptiveField, Shape
from app.core.unit_fields import unit_field
from app.core.watching import (
    Call,
    Given,
    Origin,
    origin_of,
    unused_name,
    watch_layers,
    watch_outputs,
)


@dataclass(frozen=True)
class Trace:
    """Every layer's output for one picture, by name in forward order, without the batch.

    ``input`` is the prepared picture (channels, height, width); ``logits`` and ``probabilities``
    are (classes,). The last activation is the probabilities.
    """

    input: Tensor
    activations: dict[str, Tensor]
    logits: Tensor
    probabilities: Tensor

    @property
    def size_in_bytes(self) -> int:
        """How much memory the activations take."""
        return sum(one.numel() * one.element_size() for one in self.activations.values())

    def cpu(self) -> "Trace":
        """The same trace in the CPU's memory."""
        return Trace(
            self.input.cpu(),
            {name: activation.cpu() for name, activation in self.activations.items()},
            self.logits.cpu(),
            self.probabilities.cpu(),
        )


def trace(network: nn.Module, picture: Tensor) -> Trace:
    """Run ``network``, which gives logits, on a prepared picture (channels, height, width)."""
    activations: dict[str, Tensor] = {}

    def keep(name: str, out: Tensor) -> None:
        # A copy, since an in-place layer that follows would overwrite the output.
        activations[name] = out[0].clone(memory_format=torch.contiguous_format)

    with watch_outputs(network, keep), torch.inference_mode():
        logits = network(picture.unsqueeze(0).clone())[0]
        probabilities = SOFTMAX(logits)
    activations[unused_name("softmax", activations)] = probabilities
    return Trace(picture, activations, logits, probabilities)


def list_layers(network: nn.Module, input_shape: Shape, signed_input: bool) -> tuple[Layer, ...]:
    """The layers of ``network`` in forward order, found by one pass over an empty picture.

    The pass has gradients on: autograd's graph tells whose output a layer was given, however
    many functions that are no layers came in between.
    """
    known = {"input": input_layer(input_shape, signed_input)}
    leaf = torch.zeros(1, *input_shape, device=_device_of(network), requires_grad=True)
    picture = leaf.clone()  # An in-place module may come first, and may not change a leaf.
    makers: dict[Origin, str] = {origin_of(picture): "input"}

    def note(call: Call, out: Tensor) -> None:
        origins = [one.origin for one in call.given]
        reads = _makers_of(origins, makers) or [list(known)[-1]]
        shapes = call.given[0].shape[1:], tuple(out.shape[1:])
        operands = tuple(makers.get(one) for one in origins)
        step = Step(call.name, call.path, call.module, *shapes, input_shape, operands)
        known[call.name] = describe_layer(step, [known[one] for one in known if one in reads])
        if origin := origin_of(out):
            makers[origin] = call.name

    with torch.enable_grad():
        with watch_layers(network, note):
            logits = network(picture)
        end = Call(unused_name("softmax", known), None, SOFTMAX, (Given.of(logits),))
        note(end, SOFTMAX(logits))
    layers = tuple(known.values())[1:]
    return tuple(_seeing_no_more(network, layers, one, input_shape) for one in layers)


def _seeing_no_more(
    network: nn.Module, layers: Sequence[Layer], layer: Layer, picture: Shape
) -> Layer:
    """A vector whose units all see the same, with just what they see of the picture.

    What a linear layer reads may be maps that don't see the border.
    """
    moves = layer.receptive_field.stride_y or layer.receptive_field.stride_x
    if moves or len(layer.output_shape) != 1:
        return layer
    seen = unit_field(network, layers, picture, layer.name, (0, 0, 0))
    field = ReceptiveField(seen.height, seen.width, seen.top, seen.left, 0, 0)
    return replace(layer, receptive_field=field)


def _makers_of(origins: Iterable[Origin], makers: Mapping[Origin, str]) -> set[str]:
    """The layers from whose outputs tensors were made, by walking autograd's graph back to them."""
    found, seen = set(), set()
    waiting = list(origins)
    while waiting:
        origin = waiting.pop()
        if origin is None or origin in seen:
            continue
        seen.add(origin)
        if origin in makers:
            found.add(makers[origin])
        else:
            waiting += [(node, number) for node, number in origin[0].next_functions if node]
    return found


def weights_of(
    network: nn.Module, layers: Sequence[Layer], parameter: str = "weight"
) -> dict[str, Tensor]:
    """Each layer's weights, or another parameter of its module, by the layer's name, where it has
    any, in the CPU's memory."""
    weights = {}
    for layer in layers:
        module = network.get_submodule(layer.module) if layer.module is not None else nn.Identity()
        if getattr(module, parameter, None) is not None:
            weight = module.get_parameter(parameter)
            weights[layer.name] = weight.detach().cpu().contiguous()
    return weights


def _device_of(network: nn.Module) -> torch.device:
    return next((p.device for p in network.parameters()), torch.device("cpu"))
