"""Networks with edited weights: of modules of their own, sharing with the network that they were
made of all weights that nobody edited."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from app.core.edits import BadEdit, Edit, NewBias, NewKernel, NewWeight, Off
from app.core.errors import UnknownLayer
from app.core.layers import Layer
from app.core.model import Model
from models.registry import ModelCard

# Kinds of layers that make zeros of a channel of zeros, so that a channel is off behind them when
# it is off in front of them.
KEEPS_ZERO = frozenset(
    (
        *("relu", "leaky_relu", "gelu", "silu", "tanh", "dropout", "identity"),
        *("max_pool2d", "avg_pool2d", "adaptive_avg_pool2d"),
    )
)


def edit_network(model: Model, edits: Sequence[Edit], known: int = 0) -> nn.Module:
    """The model's network with the edits, made in order; the model stays as it is.

    Raises BadEdit; its faults count from the edit number ``known`` on, as those before it were
    checked when they were made.
    """
    network = model.share_network()
    for number, edit in enumerate(edits):
        try:
            with torch.no_grad():
                _make(model, network, edit)
        except BadEdit as error:
            where = f"edits.{number - known}."
            faults = {where + key: said for key, said in error.faults.items()}
            raise BadEdit(str(error), faults) from error
    return network


def noun_of(layer: Layer) -> str:
    """What the channels of a layer are called: in a layer of vectors they are units."""
    return "channel" if len(layer.output_shape) == 3 else "unit"


def in_words(model: Model, edits: Sequence[Edit]) -> list[str]:
    """What each edit of a model does."""
    return [edit.words(noun_of(model.layer(edit.layer))) for edit in edits]


def card_of_edits(card: ModelCard, name: str, words: Sequence[str]) -> ModelCard:
    """The card of a model's edited weights, of which nothing is measured yet."""
    more = f" and {len(words) - 1} more" if len(words) > 1 else ""
    return replace(
        card,
        name=name,
        title=f"{card.title}, edited: {words[-1]}{more}",
        description=f"{card.title} with weights edited by hand: {'; '.join(words)}.",
        default=False,
        metrics={},
        weights=card.weights and f"{name}.safetensors",
    )


def card_to_keep(card: ModelCard, name: str) -> ModelCard:
    """The card of edited weights that are to have a name and a file of their own."""
    random = "" if card.weights else " All other weights are random."
    return replace(
        card,
        name=name,
        title=name,
        description=card.description + random,
        weights=f"{name}.safetensors",
    )


def _make(model: Model, network: nn.Module, edit: Edit) -> None:
    layer = _layer(model, edit)
    target = _with_weights(model, layer) if isinstance(edit, Off) else layer
    if target.module is None or target.weight_shape is None:
        named = ", ".join(model.weights)
        raise BadEdit(
            faults={"layer": f"{layer.name} has no weights. The layers that have: {named}."}
        )
    _check("channel", edit.channel, target.weight_shape[0], f"{target.name}'s {noun_of(target)}s")
    weights = _Weights(model.network, network, target)
    match edit:
        case Off():
            _switch_off(weights, edit)
        case NewKernel():
            _replace_kernel(weights, edit)
        case NewWeight():
            _set_weight(weights, edit)
        case NewBias():
            weights.bias[edit.channel] = edit.bias


def _layer(model: Model, edit: Edit) -> Layer:
    try:
        return model.layer(edit.layer)
    except UnknownLayer as error:
        raise BadEdit(faults={"layer": str(error)}) from error


def _with_weights(model: Model, layer: Layer) -> Layer:
    """The layer itself, or the nearest one in front of it that makes its channels. Raises BadEdit
    where there is none."""
    asked = layer.name
    while layer.weight_shape is None:
        before = [model.layer(name) for name in layer.reads if name != "input"]
        shape = layer.input_shape
        if layer.kind not in KEEPS_ZERO or shape[0] != layer.output_shape[0] or len(before) != 1:
            read = " and ".join(layer.reads)
            raise BadEdit(
                faults={
                    "layer": f"A channel of {asked} can't be switched off: {layer.name} "
                    f"({layer.kind}) has no weights, and reads {read}. Switch off a channel of "
                    f"one of {', '.join(model.weights)}."
                }
            )
        layer = before[0]
    return layer


class _Weights:
    """The weight and the bias of a layer in an edited network; those that are asked for become its
    own, before anything is written to them."""

    def __init__(self, base: nn.Module, network: nn.Module, layer: Layer) -> None:
        assert layer.module is not None
        self.layer = layer
        self._shared = base.get_submodule(layer.module)
        self._module = network.get_submodule(layer.module)

    @property
    def weight(self) -> Tensor:
        """(channels, ...)."""
        return self._own("weight")

    @property
    def bias(self) -> Tensor:
        """(channels,). Raises BadEdit where the layer has none."""
        if not self.has_bias:
            raise BadEdit(faults={"bias": f"{self.layer.name} has no bias."})
        return self._own("bias")

    @property
    def has_bias(self) -> bool:
        return getattr(self._module, "bias", None) is not None

    def _own(self, name: str) -> Tensor:
        parameter = self._module.get_parameter(name)
        if parameter is self._shared.get_parameter(name):
            parameter = nn.Parameter(parameter.detach().clone())
            setattr(self._module, name, parameter)
        return parameter


def _switch_off(weights: _Weights, edit: Off) -> None:
    weights.weight[edit.channel] = 0
    if weights.has_bias:
        weights.bias[edit.channel] = 0


def _replace_kernel(weights: _Weights, edit: NewKernel) -> None:
    name, shape = weights.layer.name, weights.layer.weight_shape or ()
    if len(shape) != 4:
        said = f"{name} has no kernels: only filters of convolutions have."
        raise BadEdit(faults={"kernel": said})
    height, width = shape[2:]
    given = len(edit.kernel), len(edit.kernel[0])
    if given != (height, width):
        raise BadEdit(
            faults={
                "kernel": f"The kernels of {name} have {height} rows of {width} numbers, and this "
                f"one has {given[0]} of {given[1]}."
            }
        )
    if edit.input_channel is not None:
        _check("input_channel", edit.input_channel, shape[1], f"the kernels of {name}'s filters")
    which = slice(None) if edit.input_channel is None else edit.input_channel
    weights.weight[edit.channel, which] = torch.tensor(edit.kernel)


def _set_weight(weights: _Weights, edit: NewWeight) -> None:
    name, shape = weights.layer.name, (weights.layer.weight_shape or ())[1:]
    wanted = list(edit.place)[: len(shape)]
    place: list[int] = []
    for key, given in edit.place.items():
        if (given is not None) != (key in wanted):
            named = ", ".join(wanted) or "nothing but its channel"
            raise BadEdit(faults={key: f"A weight of {name} is found by {named}."})
        if given is not None:
            _check(key, given, shape[len(place)], f"{key} of {name}'s weights")
            place.append(given)
    weights.weight[(edit.channel, *place)] = edit.weight


def _check(key: str, number: int, count: int, of: str) -> None:
    if number >= count:
        raise BadEdit(faults={key: f"There is no {key} {number}: {of} go from 0 to {count - 1}."})
