"""Which layers of a trace are wanted, and which of their channels, in the words of a query."""

import json
import re
from collections.abc import Mapping

from torch import Tensor

from app.core.model import Model
from app.core.picking import Pick, Picked, check_channel, pick

# None stands for all channels.
Picks = dict[str, Pick | None]

_SOME = re.compile(r"(?P<layer>.+)(?P<sign>[:@])(?P<number>[0-9]{1,9})", re.DOTALL)


def read_picks(model: Model, text: str | None) -> Picks:
    """The wanted layers by name; all of the model's where none is named.

    ``conv1`` is all of a layer, ``conv1:24`` its 24 strongest channels, ``conv1@7`` channel 7.
    Raises UnknownLayer and UnknownChannel.
    """
    if not text:
        return {layer.name: None for layer in model.layers}
    picks: Picks = {}
    for word in text.split(","):
        layer, wanted = _read_word(model, word.strip())
        before = picks.get(layer, wanted)
        picks[layer] = before and wanted and before | wanted
    return picks


def _read_word(model: Model, word: str) -> tuple[str, Pick | None]:
    some = _SOME.fullmatch(word)
    if not some or any(layer.name == word for layer in model.layers):
        return model.layer(word).name, None
    layer, number = model.layer(some["layer"]), int(some["number"])
    if some["sign"] == ":":
        return layer.name, Pick(strongest=max(1, number))
    check_channel(layer.name, layer.output_shape[0], number)
    return layer.name, Pick(channels=(number,))


def take(picks: Picks, activations: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str | None]:
    """The wanted numbers by layer, and as JSON what is picked of which layer; None if all are."""
    picked = {name: pick(activations[name], wanted) for name, wanted in picks.items() if wanted}
    values = {name: picked[name].values if name in picked else activations[name] for name in picks}
    told = {name: _tell(one) for name, one in picked.items()}
    return values, json.dumps(told) if told else None


def _tell(picked: Picked) -> dict[str, object]:
    return {key: value for key, value in vars(picked).items() if key != "values"}
