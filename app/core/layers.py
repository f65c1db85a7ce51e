"""What each step of a network is: its kind, its shapes, what it reads and how far it sees.

The kind of a layer is declared here, once, from its module; nobody guesses it from a name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from app.core.receptive_fields import (
    ONE_PIXEL,
    ReceptiveField,
    Shape,
    adaptive_window,
    slide,
    union,
    whole,
    window_of,
)

TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True)
class Layer:
    """One named step of a network, in forward order; shapes are without the batch.

    ``reads`` names the layers whose outputs it takes ("input" is the prepared picture). ``signed``
    says whether an activation can be negative, and so which colour scale shows it. ``channelwise``
    says whether each channel comes from the one channel of the same number. ``module`` is the path
    of its module in the network, None for a function (a sum, a flatten) and for the softmax at the
    end. ``operands`` names, for each tensor that it was given, the layer whose output that is, None
    where something that is no layer came in between.
    """

    name: str
    kind: str
    summary: str
    input_shape: Shape
    output_shape: Shape
    parameters: int
    weight_shape: Shape | None
    receptive_field: ReceptiveField
    reads: tuple[str, ...]
    signed: bool
    channelwise: bool
    module: str | None
    operands: tuple[str | None, ...]


@dataclass(frozen=True)
class Kind:
    """A kind of layer.

    ``signed`` says whether its output can be negative, None meaning: as its input. ``sees`` says
    what a unit reads of the layer's input: its own place, a window around it, or everything.
    """

    name: str
    summary: Callable[[Any], str]
    signed: bool | None
    sees: Literal["place", "window", "adaptive window", "everything"]


def _window_in_words(module: nn.Module, before: str = "") -> str:
    window = window_of(module)
    words = [f"{before}{window.kernel[0]} {TIMES} {window.kernel[1]}"]
    if window.stride != ((1, 1) if isinstance(module, nn.Conv2d) else window.kernel):
        words.append(f"stride {_size(window.stride)}")
    if window.padding != (0, 0):
        words.append(f"pad {_size(window.padding)}")
    if window.dilation != (1, 1):
        words.append(f"dilation {_size(window.dilation)}")
    return ", ".join(words)


def _size(size: tuple[int, int]) -> str:
    return str(size[0]) if size[0] == size[1] else f"{size[0]} {TIMES} {size[1]}"


def _adaptive_in_words(module: nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d, what: str) -> str:
    size = module.output_size
    height, width = size if isinstance(size, tuple) else (size, size)
    return f"{what} to {height or 'its height'} {TIMES} {width or 'its width'}"


class Addition(nn.Module):
    """The sum of activations of one shape: what stands for ``+``, which is no module."""

    def forward(self, *activations: Tensor) -> Tensor:
        """Any number of tensors of one shape -> their sum."""
        return torch.stack(activations).sum(dim=0)


def _activation(name: str, formula: str, signed: bool = True) -> Kind:
    return Kind(name, lambda m: formula.format(m=m), signed, "place")


# A subclass stands before its parent.
KINDS: dict[type[nn.Module], Kind] = {
    nn.Conv2d: Kind("conv2d", _window_in_words, True, "window"),
    nn.BatchNorm2d: Kind("batch_norm2d", lambda m: "normalise", True, "place"),
    nn.ReLU: _activation("relu", "max(0, x)", signed=False),
    nn.LeakyReLU: _activation("leaky_relu", "max({m.negative_slope:g} x, x)"),
    nn.GELU: _activation("gelu", "x Φ(x)"),
    nn.SiLU: _activation("silu", "x / (1 + e⁻ˣ)"),
    nn.Tanh: _activation("tanh", "tanh x"),
    nn.Sigmoid: _activation("sigmoid", "1 / (1 + e⁻ˣ)", signed=False),
    nn.ReLU6: _activation("relu6", "min(max(0, x), 6)", signed=False),
    nn.Hardtanh: _activation("hardtanh", "min(max({m.min_val:g}, x), {m.max_val:g})"),
    nn.Hardsigmoid: _activation("hardsigmoid", "min(max(0, x + 3), 6) / 6", signed=False),
    nn.Hardswish: _activation("hardswish", "x min(max(0, x + 3), 6) / 6"),
    nn.PReLU: _activation("prelu", "max(0, x) + a min(0, x)"),
    nn.ELU: _activation("elu", "x > 0 ? x : {m.alpha:g} (eˣ − 1)"),
    nn.CELU: _activation("celu", "max(0, x) + min(0, {m.alpha:g} (exp(x / {m.alpha:g}) − 1))"),
    nn.SELU: _activation("selu", "1.0507 (x > 0 ? x : 1.67326 (eˣ − 1))"),
    nn.Mish: _activation("mish", "x tanh(ln(1 + eˣ))"),
    nn.Softplus: _activation("softplus", "ln(1 + exp({m.beta:g} x)) / {m.beta:g}", signed=False),
    nn.Softsign: _activation("softsign", "x / (1 + |x|)"),
    nn.LogSigmoid: _activation("log_sigmoid", "−ln(1 + e⁻ˣ)"),
    nn.Tanhshrink: _activation("tanhshrink", "x − tanh x"),
    nn.MaxPool2d: Kind("max_pool2d", lambda m: _window_in_words(m, "max "), None, "window"),
    nn.AvgPool2d: Kind("avg_pool2d", lambda m: _window_in_words(m, "mean "), None, "window"),
    nn.AdaptiveAvgPool2d: Kind(
        "adaptive_avg_pool2d", lambda m: _adaptive_in_words(m, "mean"), None, "adaptive window"
    ),
    nn.AdaptiveMaxPool2d: Kind(
        "adaptive_max_pool2d", lambda m: _adaptive_in_words(m, "max"), None, "adaptive window"
    ),
    nn.Dropout: Kind("dropout", lambda m: "off when predicting", None, "place"),
    nn.Dropout2d: Kind("dropout", lambda m: "off when predicting", None, "place"),
    nn.Identity: Kind("identity", lambda m: "x", None, "place"),
    Addition: Kind("add", lambda m: "x + y", None, "place"),
    nn.Flatten: Kind("flatten", lambda m: "all in a row", None, "place"),
    nn.Linear: Kind("linear", lambda m: f"{m.in_features} → {m.out_features}", True, "everything"),
    nn.Softmax: Kind("softmax", lambda m: "eᶻ / Σ eᶻ", False, "everything"),
    nn.LogSoftmax: Kind("log_softmax", lambda m: "z − ln Σ eᶻ", True, "everything"),
}


# What stands for a layer that is no module of its network.
SOFTMAX = nn.Softmax(dim=-1)
_FUNCTIONS: dict[str, nn.Module] = {"add": Addition(), "flatten": nn.Flatten(), "softmax": SOFTMAX}


def kind_of(module: nn.Module) -> Kind:
    """The declared kind of a module.

    One that isn't declared is named after its class; it may see everything and be negative.
    """
    for module_type, kind in KINDS.items():
        if isinstance(module, module_type):
            return kind
    name = type(module).__name__
    return Kind(name.lower(), lambda m: name, True, "everything")


@dataclass(frozen=True)
class Step:
    """A layer's call, as ``describe_layer`` needs to know it; shapes are without the batch.

    ``path`` is the module's in the network, None where ``module`` but stands for a function;
    ``picture`` is the shape of the network's own input, ``operands`` those of ``Layer``.
    """

    name: str
    path: str | None
    module: nn.Module
    input_shape: Shape
    output_shape: Shape
    picture: Shape
    operands: tuple[str | None, ...]


def describe_layer(step: Step, inputs: Sequence[Layer]) -> Layer:
    """The layer that a call is, ``inputs`` being those that it read."""
    kind = kind_of(step.module)
    weight = getattr(step.module, "weight", None)
    return Layer(
        name=step.name,
        kind=kind.name,
        summary=kind.summary(step.module),
        input_shape=step.input_shape,
        output_shape=step.output_shape,
        parameters=sum(p.numel() for p in step.module.parameters()),
        weight_shape=None if weight is None else tuple(weight.shape),
        receptive_field=_field(step, kind, inputs),
        reads=tuple(layer.name for layer in inputs),
        signed=any(layer.signed for layer in inputs) if kind.signed is None else kind.signed,
        channelwise=_is_channelwise(step, kind),
        module=step.path,
        operands=step.operands,
    )


def module_of(network: nn.Module, layer: Layer) -> nn.Module:
    """A layer's module, or what stands for it where it is a function."""
    return _FUNCTIONS[layer.kind] if layer.module is None else network.get_submodule(layer.module)


def input_layer(shape: Shape, signed: bool) -> Layer:
    """The prepared picture as the layer that the first one reads."""
    return Layer(
        "input",
        "input",
        "the picture",
        shape,
        shape,
        0,
        None,
        ONE_PIXEL,
        (),
        signed,
        False,
        None,
        (),
    )


def _is_channelwise(step: Step, kind: Kind) -> bool:
    """Whether maps go into maps one by one; a convolution does so with a group per channel."""
    maps = len(step.output_shape) == 3 and step.input_shape[0] == step.output_shape[0]
    channels = step.input_shape[0]
    return (
        maps and kind.sees != "everything" and getattr(step.module, "groups", channels) == channels
    )


def _field(step: Step, kind: Kind, inputs: Sequence[Layer]) -> ReceptiveField:
    """What the layer's units see; all of the picture where that can't be told."""
    if kind.sees == "everything" or _is_rescaled(step, inputs):
        return whole(step.picture)
    field = union([layer.receptive_field for layer in inputs], step.picture)
    if kind.sees == "place":
        return field
    if kind.sees == "window":
        return slide(field, window_of(step.module))
    window = adaptive_window(step.input_shape, step.output_shape)
    return whole(step.picture) if window is None else slide(field, window)


def _is_rescaled(step: Step, inputs: Sequence[Layer]) -> bool:
    """Whether a function that is no module, such as an interpolation, came in between."""
    return any(layer.output_shape[-2:] != step.input_shape[-2:] for layer in inputs)
