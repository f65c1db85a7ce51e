"""Augmentations that change how light and of what colour an image is, place by place."""

import torch
from torch import Generator, Tensor

from app.core.augmenting_chance import between, random


def contrast(
    images: Tensor, generator: Generator, gamma: float = 1.0, fading: float = 0.3
) -> Tensor:
    """Harden or soften edges, value ** exp(up to ``gamma``), and fade by up to ``fading``."""
    exponent = torch.exp(between(images, generator, gamma))
    return images**exponent * (1 - fading * random(images, generator))


def blur(images: Tensor, generator: Generator, radius: float = 1.0) -> Tensor:
    """Mix each image with its blurred copy (Gaussian of ``radius`` pixels), in any proportion."""
    return torch.lerp(images, smooth(images, radius), random(images, generator))


def specks(
    images: Tensor, generator: Generator, grain: float = 0.05, density: float = 0.005
) -> Tensor:
    """Add what paper adds: noise up to a deviation of ``grain``, specks on ``density`` pixels."""
    noise = torch.empty_like(images).normal_(generator=generator)
    grainy = images + noise * grain * random(images, generator)
    light = torch.empty_like(images).uniform_(generator=generator)
    return torch.maximum(grainy, (1 - light / max(density, 1e-9)).clamp(min=0)).clamp(0, 1)


def jitter(
    images: Tensor,
    generator: Generator,
    brightness: float = 0.2,
    contrast: float = 0.2,
    saturation: float = 0.2,
) -> Tensor:
    """Scale brightness, contrast and saturation, each by 1 plus or minus up to that share."""
    images = images * (1 + between(images, generator, brightness))
    mean = luma(images).mean(dim=(2, 3), keepdim=True)
    images = torch.lerp(mean, images, 1 + between(images, generator, contrast))
    images = torch.lerp(luma(images), images, 1 + between(images, generator, saturation))
    return images.clamp(0, 1)


def grayscale(images: Tensor, generator: Generator, p: float = 0.1) -> Tensor:
    """Take the colour of each image with probability ``p``."""
    return torch.where(random(images, generator) < p, luma(images), images)


def luma(images: Tensor) -> Tensor:
    """How light RGB images (n, 3, height, width) are: (n, 1, height, width); grey ones, as is.

    The weights are those of ITU-R BT.601, which Pillow uses too.
    """
    if images.shape[1] == 1:
        return images
    weights = images.new_tensor([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)
    return (images * weights).sum(dim=1, keepdim=True)


def smooth(images: Tensor, radius: float) -> Tensor:
    """A Gaussian as one matrix product per axis, which is faster than a long thin convolution."""
    height, width = images.shape[-2:]
    return _gaussian(height, radius, images) @ images @ _gaussian(width, radius, images).T


def _gaussian(length: int, radius: float, like: Tensor) -> Tensor:
    places = torch.arange(length, device=like.device, dtype=like.dtype)
    weights = torch.exp(-0.5 * ((places[:, None] - places) / max(radius, 1e-3)) ** 2)
    return weights / weights.sum(dim=1, keepdim=True)
