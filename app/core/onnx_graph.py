"""A network as an ONNX graph, a node per layer, made from what is known of its layers.

The operators are those of https://onnx.ai/onnx/operators, whose definitions agree with torch's in
the cases that are written here. Needs the package onnx, of the extra ``onnx``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from app.core.errors import ConvScopeError
from app.core.layers import Addition, Layer, module_of
from app.core.receptive_fields import Shape, adaptive_window, window_of

OPSET = 20
# What ONNX Runtime has read since long before it knew all of the operators here.
IR_VERSION = 10

Setting = int | float | str | Sequence[int]

INPUT, LOGITS = "input", "logits"


class NotInOnnx(ConvScopeError):
    """A network with a layer that is written here in no form of ONNX."""


def to_onnx(network: nn.Module, layers: Sequence[Layer], input_shape: Shape) -> onnx.ModelProto:
    """The network in evaluation mode, from "input" (batch, channels, height, width) to "logits"
    (batch, classes), both float32; every layer's output has the layer's name.

    ``layers`` are ``list_layers``'s, with the softmax that it adds at the end, which is left out.
    Raises NotInOnnx.
    """
    *steps, softmax = layers
    graph = _Graph()
    for layer in steps:
        graph.add(layer, module_of(network, layer))
    graph.node("Identity", [graph.outputs[_operands(softmax)[0]]], LOGITS)
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])
        for name, shape in ((INPUT, input_shape), (LOGITS, softmax.input_shape))
    ]
    made = helper.make_graph(graph.nodes, "network", ends[:1], ends[1:], graph.numbers)
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(made, ir_version=IR_VERSION, opset_imports=opsets)


def _operands(layer: Layer) -> list[str]:
    """The layers whose outputs a layer is given. Raises NotInOnnx where it is given others."""
    known = [operand for operand in layer.operands if operand is not None]
    if len(known) < len(layer.operands):
        raise NotInOnnx(f"{layer.name} reads what no layer has put out.")
    return known


@dataclass
class _Graph:
    """What is made so far; ``outputs`` tells under which name a layer's output is found."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    numbers: list[onnx.TensorProto] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=lambda: {INPUT: INPUT})

    def add(self, layer: Layer, module: nn.Module) -> None:
        """Add a layer. Raises NotInOnnx."""
        make = next((make for kind, make in _MAKERS.items() if isinstance(module, kind)), None)
        inputs = [self.outputs[one] for one in _operands(layer)]
        if isinstance(module, nn.Dropout | nn.Dropout2d | nn.Identity):
            self.outputs[layer.name] = inputs[0]
        elif make is None:
            raise NotInOnnx(f"{layer.name} is a {layer.kind}, which isn't written in ONNX here.")
        else:
            make(self, layer, module, inputs)
            self.outputs[layer.name] = layer.name

    def node(self, operator: str, inputs: Sequence[str], output: str, **settings: Setting) -> None:
        """A node with one output, called after it."""
        node = helper.make_node(operator, inputs, [output], name=output)
        node.attribute.extend(helper.make_attribute(*pair) for pair in settings.items())
        self.nodes.append(node)

    def number(self, name: str, values: Tensor) -> str:
        """Keep weights under a name, which is given back."""
        array = values.detach().cpu().contiguous().numpy()
        self.numbers.append(numpy_helper.from_array(array, name))
        return name


_Maker = Callable[[_Graph, Layer, Any, list[str]], None]


def _conv(graph: _Graph, layer: Layer, module: nn.Conv2d, inputs: list[str]) -> None:
    if module.padding_mode != "zeros":
        raise NotInOnnx(f"{layer.name} pads with {module.padding_mode}.")
    parameters = [graph.number(f"{layer.name}.weight", module.weight)]
    if module.bias is not None:
        parameters.append(graph.number(f"{layer.name}.bias", module.bias))
    settings = _window(module) | {"group": module.groups}
    if module.padding == "same":
        # Odd ones go to the bottom and the right, as with torch.
        del settings["pads"]
        settings["auto_pad"] = "SAME_UPPER"
    graph.node("Conv", [*inputs, *parameters], layer.name, **settings)


def _window(module: nn.Module) -> dict[str, Setting]:
    window = window_of(module)
    return {
        "kernel_shape": window.kernel,
        "strides": window.stride,
        "pads": [*window.padding, *window.padding],
        "dilations": window.dilation,
    }


def _batch_norm(graph: _Graph, layer: Layer, module: nn.BatchNorm2d, inputs: list[str]) -> None:
    if module.running_mean is None or module.running_var is None or not module.affine:
        raise NotInOnnx(f"{layer.name} has no running statistics, or no weights.")
    numbers = {
        "weight": module.weight,
        "bias": module.bias,
        "running_mean": module.running_mean,
        "running_var": module.running_var,
    }
    names = [graph.number(f"{layer.name}.{name}", value) for name, value in numbers.items()]
    graph.node("BatchNormalization", [*inputs, *names], layer.name, epsilon=module.eps)


def _max_pool(graph: _Graph, layer: Layer, module: nn.MaxPool2d, inputs: list[str]) -> None:
    settings = _window(module) | {"ceil_mode": int(module.ceil_mode)}
    graph.node("MaxPool", inputs, layer.name, **settings)


def _average_pool(graph: _Graph, layer: Layer, module: nn.AvgPool2d, inputs: list[str]) -> None:
    if module.divisor_override is not None:
        raise NotInOnnx(f"{layer.name} divides by a number of its own.")
    settings = _window(module) | {
        "ceil_mode": int(module.ceil_mode),
        "count_include_pad": int(module.count_include_pad),
    }
    graph.node("AveragePool", inputs, layer.name, **settings)


def _adaptive_pool(graph: _Graph, layer: Layer, module: nn.Module, inputs: list[str]) -> None:
    window = adaptive_window(layer.input_shape, layer.output_shape)
    if window is None:
        raise NotInOnnx(f"{layer.name} has windows of several sizes.")
    graph.node("AveragePool", inputs, layer.name, kernel_shape=window.kernel, strides=window.stride)


def _flatten(graph: _Graph, layer: Layer, module: nn.Flatten, inputs: list[str]) -> None:
    if (module.start_dim, module.end_dim) != (1, -1):
        raise NotInOnnx(f"{layer.name} flattens some of its axes only.")
    graph.node("Flatten", inputs, layer.name, axis=1)


def _linear(graph: _Graph, layer: Layer, module: nn.Linear, inputs: list[str]) -> None:
    if len(layer.input_shape) != 1:
        raise NotInOnnx(f"{layer.name} reads more than a vector.")
    parameters = [graph.number(f"{layer.name}.weight", module.weight)]
    if module.bias is not None:
        parameters.append(graph.number(f"{layer.name}.bias", module.bias))
    graph.node("Gemm", [*inputs, *parameters], layer.name, transB=1)


def _addition(graph: _Graph, layer: Layer, module: nn.Module, inputs: list[str]) -> None:
    graph.node("Sum", inputs, layer.name)


def _function(operator: str, **settings: str) -> _Maker:
    """An operator of one number; ``settings`` are its own, and the module's attributes for them."""

    def make(graph: _Graph, layer: Layer, module: nn.Module, inputs: list[str]) -> None:
        values = {name: getattr(module, attribute) for name, attribute in settings.items()}
        graph.node(operator, inputs, layer.name, **values)

    return make


_MAKERS: dict[type[nn.Module], _Maker] = {
    nn.Conv2d: _conv,
    nn.BatchNorm2d: _batch_norm,
    nn.ReLU: _function("Relu"),
    nn.LeakyReLU: _function("LeakyRelu", alpha="negative_slope"),
    nn.ELU: _function("Elu", alpha="alpha"),
    nn.GELU: _function("Gelu", approximate="approximate"),
    nn.Tanh: _function("Tanh"),
    nn.Sigmoid: _function("Sigmoid"),
    nn.Hardswish: _function("HardSwish"),
    nn.Mish: _function("Mish"),
    nn.Softsign: _function("Softsign"),
    nn.MaxPool2d: _max_pool,
    nn.AvgPool2d: _average_pool,
    nn.AdaptiveAvgPool2d: _adaptive_pool,
    nn.Flatten: _flatten,
    nn.Linear: _linear,
    Addition: _addition,
}
