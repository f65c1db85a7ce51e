"""What each step of a network is: its kind, its shapes, what it reads and how far it sees.

The kind of a layer is declared here, once, from its module; nobody guesses it from a name.
"""

from collections.abc import Callable, Sequence
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


@dataclass(frozen=True)
class Layer:
    """One named step of a network, in forward order; shapes are without the batch.

    ``reads`` names the layers whose outputs it takes ("input" is the prepared picture). ``signed``
    says whether an activation can be negative, and so which colour scale shows it.
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


@dataclass(frozen=True)
class Window:
    """The kernel size, stride, padding and dilation of a layer, each as (vertical, horizontal)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _window(module: Any) -> Window:
    padding: Any = module.padding
    if padding == "valid":
        padding = 0
    kernel, dilation = _pair(module.kernel_size), _pair(getattr(module, "dilation", 1))
    if padding == "same":
        padding = tuple(d * (k - 1) // 2 for d, k in zip(dilation, kernel, strict=True))
    return Window(kernel, _pair(module.stride), _pair(padding), dilation)


def _window_in_words(module: nn.Module, before: str = "") -> str:
    window = _window(module)
    words = [f"{before}{window.kernel[0]} × {window.kernel[1]}"]
    if window.stride != ((1, 1) if isinstance(module, nn.Conv2d) else window.kernel):
        words.append(f"stride {window.stride[0]}")
    if window.padding != (0, 0):
        words.append(f"pad {window.padding[0]}")
    if window.dilation != (1, 1):
        words.append(f"dilation {window.dilation[0]}")
    return ", ".join(words)


def _adaptive_in_words(module: Any) -> str:
    height, width = _pair(module.output_size)
    return f"mean to {height} × {width}"


@dataclass(frozen=True)
class Kind:
    """A kind of layer. ``signed`` None means: as its input is."""

    name: str
    summary: Callable[[Any], str]
    signed: bool | None


KINDS: dict[type[nn.Module], Kind] = {
    nn.Conv2d: Kind("conv2d", _window_in_words, True),
    nn.BatchNorm2d: Kind("batch_norm2d", lambda m: "normalise", True),
    nn.ReLU: Kind("relu", lambda m: "max(0, x)", False),
    nn.Tanh: Kind("tanh", lambda m: "tanh x", True),
    nn.Sigmoid: Kind("sigmoid", lambda m: "1 / (1 + e⁻ˣ)", False),
    nn.MaxPool2d: Kind("max_pool2d", lambda m: _window_in_words(m, "max "), None),
    nn.AvgPool2d: Kind("avg_pool2d", lambda m: _window_in_words(m, "mean "), None),
    nn.AdaptiveAvgPool2d: Kind("adaptive_avg_pool2d", _adaptive_in_words, None),
    nn.Dropout: Kind("dropout", lambda m: "off when predicting", None),
    nn.Flatten: Kind("flatten", lambda m: "all in a row", None),
    nn.Linear: Kind("linear", lambda m: f"{m.in_features} → {m.out_features}", True),
    nn.Softmax: Kind("softmax", lambda m: "eᶻ / Σ eᶻ", False),
}


def kind_of(module: nn.Module) -> Kind:
    """The declared kind of a module; one that is not known is named after its class, signed."""
    for module_type, kind in KINDS.items():
        if isinstance(module, module_type):
            return kind
    return Kind(type(module).__name__.lower(), lambda m: type(m).__name__, True)


def describe_layer(
    name: str,
    module: nn.Module,
    shapes: tuple[Shape, Shape],
    inputs: Sequence[Layer],
    picture: Shape,
) -> Layer:
    """Describe a module that was called with ``inputs``; ``shapes`` are its input and output.

    ``picture`` is the shape of the network's own input.
    """
    kind = kind_of(module)
    weight = getattr(module, "weight", None)
    return Layer(
        name=name,
        kind=kind.name,
        summary=kind.summary(module),
        input_shape=shapes[0],
        output_shape=shapes[1],
        parameters=sum(p.numel() for p in module.parameters()),
        weight_shape=None if weight is None else tuple(weight.shape),
        receptive_field=_grow(
            module, shapes, [layer.receptive_field for layer in inputs], picture
        ),
        reads=tuple(layer.name for layer in inputs),
        signed=any(layer.signed for layer in inputs) if kind.signed is None else kind.signed,
    )


def input_layer(shape: Shape, signed: bool) -> Layer:
    """The prepared picture as the layer that the first one reads."""
    one_pixel = ReceptiveField(1, 1, 0, 0, 1, 1)
    return Layer("input", "input", "the picture", shape, shape, 0, None, one_pixel, (), signed)


def _grow(
    module: nn.Module,
    shapes: tuple[Shape, Shape],
    fields: Sequence[ReceptiveField],
    picture: Shape,
) -> ReceptiveField:
    """The field after a module, by the recurrence of Araujo et al., Distill 2019."""
    field = _union(fields)
    if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        return _slide(field, _window(module))
    if isinstance(module, nn.AdaptiveAvgPool2d) and shapes[1][-2:] != shapes[0][-2:]:
        return _slide(field, _adaptive_window(shapes))
    if isinstance(module, nn.Linear | nn.Softmax):
        return ReceptiveField(picture[-2], picture[-1], 0, 0, 0, 0)
    return field


def _union(fields: Sequence[ReceptiveField]) -> ReceptiveField:
    top, left = min(f.top for f in fields), min(f.left for f in fields)
    return replace(
        fields[0],
        top=top,
        left=left,
        height=max(f.top + f.height for f in fields) - top,
        width=max(f.left + f.width for f in fields) - left,
    )


def _slide(field: ReceptiveField, window: Window) -> ReceptiveField:
    return ReceptiveField(
        height=field.height + (window.kernel[0] - 1) * window.dilation[0] * field.stride_y,
        width=field.width + (window.kernel[1] - 1) * window.dilation[1] * field.stride_x,
        top=field.top - window.padding[0] * field.stride_y,
        left=field.left - window.padding[1] * field.stride_x,
        stride_y=field.stride_y * window.stride[0],
        stride_x=field.stride_x * window.stride[1],
    )


def _adaptive_window(shapes: tuple[Shape, Shape]) -> Window:
    """The window that an adaptive pool amounts to where the output's size divides the input's."""
    size = tuple(-(-i // o) for i, o in zip(shapes[0][-2:], shapes[1][-2:], strict=True))
    return Window(_pair(size), _pair(size), (0, 0), (1, 1))
