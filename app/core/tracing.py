"""One forward pass with every layer's output, and what the layers are.

Hooks see every module call in forward order, so a network needs no preparation to be traced.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from app.core.layers import Layer, Shape, describe_layer, input_layer

SOFTMAX = nn.Softmax(dim=-1)


@dataclass(frozen=True)
class Call:
    """One call of a module: what it was given and what it gave, (1, ...) each."""

    name: str
    module: nn.Module
    inputs: tuple[Tensor, ...]
    output: Tensor


@dataclass
class _Recorder:
    """Keeps each output twice: the tensor itself, to tell by identity who reads it later, and a
    copy, since an in-place module that follows overwrites the first."""

    calls: list[Call] = field(default_factory=list)
    kept: list[Tensor] = field(default_factory=list)
    makers: dict[int, str] = field(default_factory=dict)
    reads: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def note(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
        taken = sum(call.name == name or call.name.startswith(f"{name}_") for call in self.calls)
        name = f"{name}_{taken}" if taken else name
        self.reads[name] = tuple(self._maker(tensor) for tensor in inputs)
        self.calls.append(Call(name, module, inputs, out.detach().clone()))
        self.remember(name, out)

    def remember(self, name: str, tensor: Tensor) -> None:
        self.kept.append(tensor)
        self.makers[id(tensor)] = self.makers[tensor.data_ptr()] = name

    def _maker(self, tensor: Tensor) -> str:
        # A view (a functional flatten, say) is another object over the same memory.
        return self.makers.get(id(tensor)) or self.makers.get(tensor.data_ptr()) or self._latest()

    def _latest(self) -> str:
        return self.calls[-1].name if self.calls else "input"


@contextmanager
def _recorded(network: nn.Module, recorder: _Recorder) -> Iterator[None]:
    def hook(name: str) -> Any:
        return lambda module, inputs, out: recorder.note(name, module, inputs, out)

    handles = [
        module.register_forward_hook(hook(name or type(module).__name__.lower()))
        for name, module in network.named_modules()
        if not any(module.children())
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _run(network: nn.Module, picture: Tensor) -> _Recorder:
    recorder = _Recorder()
    recorder.remember("input", picture)
    with _recorded(network, recorder), torch.inference_mode():
        logits = network(picture)
        last = recorder.calls[-1] if recorder.calls else None
        if last is None or not isinstance(last.module, nn.Softmax | nn.LogSoftmax):
            recorder.note("softmax", SOFTMAX, (logits,), SOFTMAX(logits))
    return recorder


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
    """Run ``network`` in evaluation mode on a prepared picture (channels, height, width)."""
    calls = _run(network, picture.unsqueeze(0)).calls
    activations = {call.name: call.output.squeeze(0) for call in calls}
    return Trace(
        input=picture,
        activations=activations,
        logits=calls[-1].inputs[0].squeeze(0),
        probabilities=calls[-1].output.squeeze(0),
    )


def list_layers(network: nn.Module, input_shape: Shape, signed_input: bool) -> tuple[Layer, ...]:
    """The layers of ``network`` in forward order, found by one pass over an empty picture."""
    recorder = _run(network, torch.zeros(1, *input_shape, device=_device_of(network)))
    known = {"input": input_layer(input_shape, signed_input)}
    for call in recorder.calls:
        shapes = tuple(call.inputs[0].shape[1:]), tuple(call.output.shape[1:])
        inputs = [known[name] for name in recorder.reads[call.name]]
        known[call.name] = describe_layer(call.name, call.module, shapes, inputs, input_shape)
    return tuple(known.values())[1:]


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """Each layer's weight tensor by the layer's name, where it has one."""
    return {
        name: module.weight.detach()
        for name, module in network.named_modules()
        if isinstance(getattr(module, "weight", None), Tensor)
    }


def _device_of(network: nn.Module) -> torch.device:
    return next((p.device for p in network.parameters()), torch.device("cpu"))
