"""What augmentations make of one picture, as a network in training would be shown it."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from app.core.augmenting import create_augmentation
from app.core.images import Picture
from app.core.preparing import FRAME, prepare
from app.core.resizing import resize
from models.registry import ModelCard


def preview(
    picture: Picture,
    card: ModelCard,
    entries: Iterable[Mapping[str, Any]],
    seed: int,
    count: int,
) -> Tensor:
    """So many augmented copies, uint8 (count, channels, height, width), before normalisation.

    The picture is prepared as the card says and augmented in the size of the training images,
    before it is brought to the network's. The same seed gives the same copies. Raises
    BadAugmentation and what preparing raises.
    """
    augment = create_augmentation(entries)
    prepared = prepare(picture, _shape_in_training(card), card.preprocessing).tensor
    mean, std = (
        torch.tensor(numbers).reshape(-1, 1, 1)
        for numbers in (card.preprocessing.mean, card.preprocessing.std)
    )
    images = (prepared * std + mean).clamp(0, 1).expand(count, -1, -1, -1).contiguous()
    augmented = augment(images, torch.Generator().manual_seed(seed))
    augmented = resize(augmented, card.input_shape[1:])
    return (augmented * 255).round().to(torch.uint8)


def _shape_in_training(card: ModelCard) -> tuple[int, int, int]:
    channels, *own = card.input_shape
    as_digit = (FRAME, FRAME) if card.preprocessing.method == "digit" else own
    height, width = card.preprocessing.size or as_digit
    return channels, height, width
