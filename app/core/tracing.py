"""One forward pass with every layer's output, and what the layers are.

Hooks see every module call in forward order, so a network needs no preparation to be traced.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.utils.hooks import RemovableHandle

from app.core.layers import Layer, Step, describe_layer, input_layer
from app.core.receptive_fields import Shape

SOFTMAX = nn.Softmax(dim=-1)


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

    def keep(name: str, path: str, module: nn.Module, inputs: list[Tensor], out: Tensor) -> None:
        # A copy, since an in-place module that follows would overwrite the output.
        activations[name] = out[0].clone(memory_format=torch.contiguous_format)

    with _watched(network, keep), torch.inference_mode():
        logits = network(picture.unsqueeze(0))[0]
        probabilities = SOFTMAX(logits)
    activations[_unused("softmax", activations)] = probabilities
    return Trace(picture, activations, logits, probabilities)


def list_layers(network: nn.Module, input_shape: Shape, signed_input: bool) -> tuple[Layer, ...]:
    """The layers of ``network`` in forward order, found by one pass over an empty picture.

    The pass has gradients on: autograd's graph tells whose output a module was given, however
    many functions that are no modules (a flatten, a sum) came in between.
    """
    known = {"input": input_layer(input_shape, signed_input)}
    leaf = torch.zeros(1, *input_shape, device=_device_of(network), requires_grad=True)
    picture = leaf.clone()  # An in-place module may come first, and may not change a leaf.
    makers: dict[Node | None, str] = {picture.grad_fn: "input"}

    def note(
        name: str, path: str | None, module: nn.Module, inputs: list[Tensor], out: Tensor
    ) -> None:
        shapes = tuple(inputs[0].shape[1:]), tuple(out.shape[1:])
        reads = _makers_of(inputs, makers) or [list(known)[-1]]
        step = Step(name, path, module, *shapes, input_shape)
        known[name] = describe_layer(step, [known[one] for one in known if one in reads])
        makers[out.grad_fn] = name

    with _watched(network, note), torch.enable_grad():
        logits = network(picture)
        note(_unused("softmax", known), None, SOFTMAX, [logits], SOFTMAX(logits))
    return tuple(known.values())[1:]


# Called with a layer's name, its module's path, the module, and what it was given and gave.
_Note = Callable[[str, str, nn.Module, list[Tensor], Tensor], None]


@contextmanager
def _watched(network: nn.Module, note: _Note) -> Iterator[None]:
    """Tell ``note`` of every call of a module without children, under a name of its own."""
    taken = {"input"}

    def watch(path: str, module: nn.Module) -> RemovableHandle:
        def hook(
            module: nn.Module, inputs: tuple[object, ...], named: dict[str, object], out: object
        ) -> None:
            given = _tensors([*inputs, *named.values()])
            made = _tensors(list(out) if isinstance(out, tuple | list) else [out])
            if given and made:
                name = _unused(path or type(module).__name__.lower(), taken)
                taken.add(name)
                note(name, path, module, given, made[0])

        return module.register_forward_hook(hook, with_kwargs=True)

    leaves = [pair for pair in network.named_modules() if not any(pair[1].children())]
    handles = [watch(path, module) for path, module in leaves]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _tensors(values: list[object]) -> list[Tensor]:
    return [value for value in values if isinstance(value, Tensor)]


def _unused(name: str, taken: Container[str]) -> str:
    """The name, or with the first number behind it that makes it a new one."""
    names = chain([name], (f"{name}_{number}" for number in count(1)))
    return next(one for one in names if one not in taken)


def _makers_of(tensors: list[Tensor], makers: dict[Node | None, str]) -> set[str]:
    """The layers from whose outputs tensors were made, by walking autograd's graph back to them."""
    found, seen = set(), set()
    waiting: list[Node | None] = [tensor.grad_fn for tensor in tensors]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node in makers:
            found.add(makers[node])
        else:
            waiting += [before for before, _ in node.next_functions]
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
