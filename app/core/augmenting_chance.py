"""Random numbers per image, from the generator that makes an augmentation repeatable."""

import torch
from torch import Generator, Tensor


def random(images: Tensor, generator: Generator) -> Tensor:
    """A number of 0..1 per image: (n, 1, 1, 1)."""
    return torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device)


def between(images: Tensor, generator: Generator, limit: float) -> Tensor:
    """A number of -limit..limit per image: (n, 1, 1, 1)."""
    return (2 * random(images, generator) - 1) * limit
