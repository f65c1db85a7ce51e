"""How well a model reads pictures as people make them, prepared as the server prepares them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from app.core.dataset_files import Split
from app.core.drawings import KINDS, make_drawing
from app.core.errors import ConvScopeError
from app.core.images import read_picture
from app.core.preparing import prepare
from models.registry import ModelCard

MAX_PIXELS = 16_000_000


@dataclass(frozen=True)
class DrawingsRead:
    """What a model made of ``count`` drawings of a kind; ``refused`` ones couldn't be prepared."""

    kind: str
    count: int
    recognised: int
    refused: int

    @property
    def accuracy(self) -> float:
        """The share of drawings that were recognised, in 0..1; a refused one was not."""
        return self.recognised / self.count


def evaluate_drawings(
    network: nn.Module, card: ModelCard, digits: Split, seed: int = 0
) -> Iterator[DrawingsRead]:
    """Draw each of the digits anew in every kind, prepare it as the card says, and read it.

    ``digits`` are light on dark as in MNIST and not empty. The same seed gives the same drawings.
    """
    for number, kind in enumerate(KINDS):
        chance = np.random.default_rng([seed, number])
        pictures = [make_drawing(kind, digit, chance) for digit in digits.images[:, 0].numpy()]
        yield _read(kind, network, card, pictures, digits.labels)


def _read(
    kind: str, network: nn.Module, card: ModelCard, pictures: list[bytes], labels: Tensor
) -> DrawingsRead:
    inputs = [_prepare(picture, card) for picture in pictures]
    kept = [i for i, tensor in enumerate(inputs) if tensor is not None]
    tensors = [tensor for tensor in inputs if tensor is not None]
    recognised = 0
    if tensors:
        device = next(network.parameters()).device
        with torch.inference_mode():
            predicted = network.eval()(torch.stack(tensors).to(device)).argmax(dim=1).cpu()
        recognised = int((predicted == labels[kept]).sum())
    return DrawingsRead(kind, len(pictures), recognised, len(pictures) - len(kept))


def _prepare(picture: bytes, card: ModelCard) -> Tensor | None:
    try:
        return prepare(
            read_picture(picture, MAX_PIXELS), card.input_shape, card.preprocessing
        ).tensor
    except ConvScopeError:
        return None
