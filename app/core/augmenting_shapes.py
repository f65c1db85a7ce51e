"""Augmentations that move, bend and cut what an image shows."""

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

from app.core.augmenting_chance import between, random
from app.core.augmenting_tones import smooth
from app.core.resizing import resize as resized


def affine(
    images: Tensor,
    generator: Generator,
    rotation: float = 10.0,
    slant: float = 0.1,
    scale: float = 0.1,
    aspect: float = 0.1,
    translation: float = 1.0,
) -> Tensor:
    """Rotate (degrees), shear, scale and stretch (shares of 1), and move (pixels), each up to that.

    The slant is the sideways shift per unit of height; the aspect narrows or widens.
    """
    angle = between(images, generator, rotation * math.pi / 180)
    shear = between(images, generator, slant)
    size = torch.exp(between(images, generator, math.log1p(scale)))
    stretch = torch.exp(between(images, generator, math.log1p(aspect) / 2))
    cos, sin = angle.cos() / size, angle.sin() / size
    x, y = (between(images, generator, 2 * translation / images.shape[-1]) for _ in range(2))
    rows = [
        [cos * stretch, (sin + cos * shear) / stretch, x],
        [-sin * stretch, (cos - sin * shear) / stretch, y],
    ]
    theta = torch.cat([torch.cat(row, dim=2) for row in rows], dim=1).squeeze(-1)
    return _sample(images, _grid(theta, images))


def elastic(
    images: Tensor, generator: Generator, strength: float = 1.5, smoothness: float = 4.0
) -> Tensor:
    """Bend strokes by a smooth random field: up to about ``strength`` pixels, over ``smoothness``.

    After Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied
    to visual document analysis", 2003; here the field is scaled to its own deviation.
    """
    n, _, height, width = images.shape
    noise = torch.empty(n, 2, height, width, device=images.device).normal_(generator=generator)
    field = smooth(noise, smoothness)
    field = field / field.std(dim=(1, 2, 3), keepdim=True) * (strength / 2)
    shift = field.permute(0, 2, 3, 1) * (2 / torch.tensor([width, height], device=images.device))
    upright = torch.eye(2, 3, device=images.device).expand(n, 2, 3)
    return _sample(images, _grid(upright, images) + shift)


def thickness(
    images: Tensor, generator: Generator, thinner: float = 1.0, thicker: float = 1.0
) -> Tensor:
    """Take up to ``thinner`` pixels off each stroke's width, or add up to ``thicker``.

    Grey-level erosion and dilation on a copy of twice the size, whose return to the old size
    smooths the edges. A step that would rub out more than two thirds of the ink is not done.
    """
    large = functional.interpolate(images, scale_factor=2, mode="bilinear", align_corners=False)
    amount = random(images, generator) * (thinner + thicker) - thinner
    for step in range(math.ceil(thicker)):
        large = torch.lerp(large, _dilate(large), (amount - step).clamp(0, 1))
    for step in range(math.ceil(thinner)):
        thin = torch.lerp(large, -_dilate(-large), (-amount - step).clamp(0, 1))
        large = torch.where(_ink(thin) < _ink(large) / 3, large, thin)
    return functional.avg_pool2d(large, 2)


def refit(images: Tensor, generator: Generator, size: float = 20.0, ink: float = 0.2) -> Tensor:
    """Scale what is lighter than ``ink`` to fit ``size`` pixels and centre its mass.

    This is how MNIST was made, and how a drawing is prepared: it follows changes of shape, whose
    results would be fitted anew if somebody had drawn them. An empty image stays as it is.
    """
    dark = images.amax(dim=1) > ink
    extent = torch.maximum(_extent(dark.any(dim=2)), _extent(dark.any(dim=1)))
    zoom = torch.where(extent > 0, extent / max(size, 1.0), 1.0)
    mass = images.sum(dim=1) + 1e-9
    x, y = (_centre(mass.sum(dim=axis)) for axis in (1, 2))
    zero = torch.zeros_like(zoom)
    theta = torch.stack([zoom, zero, x, zero, zoom, y], dim=1).reshape(-1, 2, 3)
    return _sample(images, _grid(theta, images))


def rotation(images: Tensor, generator: Generator, degrees: float = 10.0) -> Tensor:
    """Rotate by up to so many degrees either way; what comes in from outside is black."""
    angle = between(images, generator, degrees * math.pi / 180)
    zero = torch.zeros_like(angle)
    rows = [[angle.cos(), -angle.sin(), zero], [angle.sin(), angle.cos(), zero]]
    theta = torch.cat([torch.cat(row, dim=2) for row in rows], dim=1).squeeze(-1)
    return _sample(images, _grid(theta, images))


def crop(images: Tensor, generator: Generator, padding: float = 4.0) -> Tensor:
    """Mirror ``padding`` pixels around each image, then cut its size out anywhere."""
    n, _, height, width = images.shape
    around = min(int(padding), height - 1, width - 1)
    padded = functional.pad(images, (around,) * 4, mode="reflect")
    top, left = ((random(images, generator) * (2 * around + 1)).long().flatten() for _ in range(2))
    rows = (top[:, None] + torch.arange(height, device=images.device))[:, None, :, None]
    columns = (left[:, None] + torch.arange(width, device=images.device))[:, None, None, :]
    channels = torch.arange(images.shape[1], device=images.device)[None, :, None, None]
    each = torch.arange(n, device=images.device)[:, None, None, None]
    return padded[each, channels, rows, columns]


def horizontal_flip(images: Tensor, generator: Generator, p: float = 0.5) -> Tensor:
    """Mirror each image left to right with probability ``p``."""
    return torch.where(random(images, generator) < p, images.flip(3), images)


def vertical_flip(images: Tensor, generator: Generator, p: float = 0.5) -> Tensor:
    """Mirror each image top to bottom with probability ``p``."""
    return torch.where(random(images, generator) < p, images.flip(2), images)


def resize(images: Tensor, generator: Generator, size: float = 24.0) -> Tensor:
    """Bring images to ``size`` x ``size`` pixels and back, which takes their finest detail."""
    small = resized(images, (max(1, int(size)),) * 2)
    return resized(small, tuple(images.shape[2:]))


def erase(images: Tensor, generator: Generator, size: float = 8.0) -> Tensor:
    """Grey out a square of ``size`` pixels anywhere, so that no single place decides.

    After DeVries and Taylor, "Improved regularization with Cutout", 2017.
    """
    height, width = images.shape[2:]
    y, x = (random(images, generator) * length for length in (height, width))
    rows = torch.arange(height, device=images.device)[:, None] + 0.5
    columns = torch.arange(width, device=images.device) + 0.5
    inside = ((rows - y).abs() < size / 2) & ((columns - x).abs() < size / 2)
    return images.masked_fill(inside, 0.5)


def _grid(theta: Tensor, images: Tensor) -> Tensor:
    n, _, height, width = images.shape
    return functional.affine_grid(theta, [n, 1, height, width], align_corners=False)


def _sample(images: Tensor, grid: Tensor) -> Tensor:
    return functional.grid_sample(images, grid, align_corners=False).clamp(0, 1)


def _dilate(images: Tensor) -> Tensor:
    return functional.max_pool2d(images, kernel_size=3, stride=1, padding=1)


def _ink(images: Tensor) -> Tensor:
    return images.sum(dim=(1, 2, 3), keepdim=True)


def _extent(lines: Tensor) -> Tensor:
    """From the first True to the last, inclusive, in each row of (n, length): float (n,)."""
    positions = torch.arange(1, lines.shape[1] + 1, device=lines.device)
    last = (lines * positions).amax(dim=1)
    first = (lines * positions.flip(0)).amax(dim=1)
    return (last + first - lines.shape[1]).clamp(min=0).float()


def _centre(mass: Tensor) -> Tensor:
    """The centre of mass (n,) of (n, length) in the coordinates -1..1 of a sampling grid."""
    length = mass.shape[1]
    places = (torch.arange(length, device=mass.device) * 2 + 1) / length - 1
    return (mass * places).sum(dim=1) / mass.sum(dim=1)
