"""A model: a network with weights, its card and its layers, ready to predict on its device."""

from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from threading import Lock

import torch
from torch import Tensor, nn

from app.core.arithmetic import explain
from app.core.errors import UnknownLayer
from app.core.layers import Layer
from app.core.onnx_forward import Forward, onnx_forward
from app.core.tracing import Trace, list_layers, trace, weights_of
from app.core.unit_fields import UnitField, effective_field, unit_field
from app.core.units import Index, Unit
from models.registry import ModelCard

FLOAT_BYTES = 4
# What a layer of a batch reads and writes at most: more pictures go through in parts. So many of
# the largest networks' would be gigabytes, and are no quicker together.
BATCH_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says of one picture: (classes,) logits and probabilities, in class order."""

    classes: tuple[str, ...]
    logits: Tensor
    probabilities: Tensor

    @property
    def best(self) -> int:
        """The index of the most probable class."""
        return int(self.probabilities.argmax())


@dataclass(frozen=True, eq=False)
class Model:
    """A network in evaluation mode with its card. Its methods may be called from any thread.

    ``lasting`` says that it is asked often enough for a faster form of it to be made.
    """

    card: ModelCard
    network: nn.Module
    device: torch.device
    lasting: bool = False
    _lock: Lock = field(default_factory=Lock, repr=False)

    @classmethod
    def of(
        cls, card: ModelCard, network: nn.Module, device: torch.device, lasting: bool = False
    ) -> "Model":
        """The network, laid out to be quick, as a model that answers at once."""
        # Convolutions are a quarter faster where a pixel's channels lie side by side.
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        model = cls(card, network.to(device), device, lasting)
        # Found here, by forward passes, and not in the event loop.
        _ = model.weights, model.multiply_adds, model._faster
        return model

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers in forward order."""
        with self._lock:
            signed = any(mean > 0 for mean in self.card.preprocessing.mean)
            return list_layers(self.network, self.card.input_shape, signed)

    @cached_property
    def multiply_adds(self) -> int:
        """How many products of an input and a weight a prediction of one picture adds up."""
        weighted = [one for one in self.layers if one.weight_shape]
        return sum(prod(one.weight_shape or ()) * prod(one.output_shape[1:]) for one in weighted)

    @cached_property
    def _faster(self) -> Forward | None:
        """What gives the same logits in less time, where there is such a thing."""
        if not self.lasting or self.device.type != "cpu":
            return None
        return onnx_forward(self.network, self.layers, self.card.input_shape)

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """Each layer's weights on the CPU, by layer name, where it has any."""
        return weights_of(self.network, self.layers)

    @cached_property
    def biases(self) -> dict[str, Tensor]:
        """Each layer's biases on the CPU, by layer name, where it has any."""
        return weights_of(self.network, self.layers, "bias")

    @cached_property
    def _most_at_once(self) -> int:
        """How many pictures fit into ``BATCH_BYTES`` where a layer reads and writes most."""
        sizes = [prod(layer.input_shape) + prod(layer.output_shape) for layer in self.layers]
        return max(1, BATCH_BYTES // (FLOAT_BYTES * max(sizes)))

    def layer(self, name: str) -> Layer:
        """The layer of that name. Raises UnknownLayer, which says which there are."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = ", ".join(layer.name for layer in self.layers)
        raise UnknownLayer(f"{self.card.name} has no layer {name!r}. Its layers are {names}.")

    def share_network(self) -> nn.Module:
        """A network of modules of its own whose weights are this one's, in the same memory."""
        with self._lock:  # Or the hooks of a trace would be copied, too.
            tensors = [*self.network.parameters(), *self.network.buffers()]
            return deepcopy(self.network, {id(tensor): tensor for tensor in tensors})

    def predict(self, inputs: Tensor) -> list[Prediction]:
        """Predict prepared pictures (batch, channels, height, width) at once."""
        forward = self._faster or self._forward
        logits = torch.cat([forward(part) for part in torch.split(inputs, self._most_at_once)])
        probabilities = logits.softmax(dim=-1)
        return [
            Prediction(self.card.classes, *pair) for pair in zip(logits, probabilities, strict=True)
        ]

    def _forward(self, inputs: Tensor) -> Tensor:
        # The lock keeps this pass out of the hooks that a trace has on the same network.
        with self._lock, torch.inference_mode():
            return torch.as_tensor(self.network(inputs.to(self.device)).cpu())

    def trace(self, picture: Tensor) -> Trace:
        """Every layer's output for one prepared picture (channels, height, width), on the CPU."""
        with self._lock:
            return trace(self.network, picture.to(self.device)).cpu()

    def explain(self, trace: Trace, layer: str, index: Index) -> Unit:
        """How a unit of one of this model's traces came about.

        Raises UnknownLayer, UnknownChannel, UnknownUnit and Unexplained.
        """
        return explain(self.network, self.layers, trace, self.layer(layer).name, index)

    def unit_field(self, layer: str, index: Index) -> UnitField:
        """The pixels that a unit, which must be there, depends on. Raises UnknownLayer."""
        name, shape = self.layer(layer).name, self.card.input_shape
        return unit_field(self.network, self.layers, shape, name, index)

    def effective_field(self, picture: Tensor, layer: str, index: Index) -> Tensor:
        """How much a unit, which must be there, changes with each pixel: (height, width)."""
        with self._lock:
            return effective_field(self.network, picture.to(self.device), layer, index).cpu()
