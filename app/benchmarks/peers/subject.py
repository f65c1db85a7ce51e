"""What every server of the comparison serves: the default model, as this project's core has it.

It runs in the environment of each peer, too, so it imports no more than the core does.
"""

import base64
from typing import Any

import torch
from torch import Tensor

from app.core.checkpoints import load_network
from app.core.images import Picture, picture_from_pixels, read_picture
from app.core.model import Model
from app.core.preparing import prepare
from models.registry import WEIGHTS, ModelCard, list_cards

MAX_PIXELS = 64_000_000


def default_card() -> ModelCard:
    """The card of the model that answers where none is named."""
    return next(card for card in list_cards() if card.default)


class Subject:
    """The model with its preprocessing: the very code that ConvScope's own server runs."""

    def __init__(self, lasting: bool = False) -> None:
        """By torch, or where ``lasting`` by the quicker form of the network that ConvScope's server
        makes of it, if ONNX Runtime is there."""
        torch.set_num_threads(1)  # As ConvScope's server does; more are slower on one picture.
        card = default_card()
        self._model = Model.of(card, load_network(card, WEIGHTS), torch.device("cpu"), lasting)

    def prepare(self, content: dict[str, Any]) -> Tensor:
        """The model's input (channels, height, width) from a request's JSON: ``image`` is the
        base64 of a file, ``pixels`` are rows of numbers."""
        card = self._model.card
        return prepare(decode(content), card.input_shape, card.preprocessing).tensor

    def predict(self, inputs: Tensor) -> list[list[float]]:
        """The probabilities of each of (batch, channels, height, width), in class order."""
        return [one.probabilities.tolist() for one in self._model.predict(inputs)]


def decode(content: dict[str, Any]) -> Picture:
    """The picture of a request's JSON. Raises what the core raises."""
    if "pixels" in content:
        return picture_from_pixels(content["pixels"], MAX_PIXELS)
    return read_picture(base64.b64decode(content["image"], validate=True), MAX_PIXELS)


def recognise(content: dict[str, Any]) -> list[float]:
    """What torch itself says of a picture: a plain forward pass in the plain layout."""
    card = default_card()
    prepared = prepare(decode(content), card.input_shape, card.preprocessing)
    with torch.no_grad():
        logits = load_network(card, WEIGHTS)(prepared.tensor[None])
    probabilities: list[float] = torch.softmax(logits, dim=1)[0].tolist()
    return probabilities
