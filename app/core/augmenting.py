"""Changes to training images that leave their labels true, on whole batches of tensors.

Every augmentation takes images (n, channels, height, width) with values in 0..1, light ink on
dark, and a torch.Generator, and gives new images of the same shape and range. A recipe names them
with their parameters; they are applied in its order, each to its ``share`` of the images.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional

from app.core.errors import ConvScopeError

Augmentation = Callable[[Tensor, Generator], Tensor]
HIGHEST = 360  # of any parameter; rotation alone comes near it
_augmentations: dict[str, Callable[..., Tensor]] = {}


class BadAugmentation(ConvScopeError):
    """A recipe's augmentation isn't known or its parameters don't fit; the message says which."""


def augmentation(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Let recipes name the decorated function."""
    _augmentations[function.__name__] = function
    return function


def list_augmentations() -> dict[str, dict[str, float]]:
    """The parameters, with their defaults, of every augmentation by name."""
    return {
        name: {
            parameter.name: parameter.default
            for parameter in inspect.signature(function).parameters.values()
            if parameter.default is not inspect.Parameter.empty
        }
        for name, function in _augmentations.items()
    }


def create_augmentation(entries: Iterable[Mapping[str, Any]]) -> Augmentation:
    """One function that applies ``entries``, such as {"name": "affine", "share": 0.5}, in order.

    Raises BadAugmentation, now and not in the middle of a training.
    """
    steps = [_create_step(dict(entry)) for entry in entries]

    def apply(images: Tensor, generator: Generator) -> Tensor:
        for step in steps:
            images = step(images, generator)
        return images

    return apply


def _create_step(entry: dict[str, Any]) -> Augmentation:
    name = entry.pop("name", None)
    _check(name, entry)
    share = entry.pop("share", 1.0)
    function = _augmentations[name]

    def step(images: Tensor, generator: Generator) -> Tensor:
        chosen = (_random(images, generator) < share).flatten().nonzero().flatten()
        if not len(chosen):
            return images
        return images.index_copy(0, chosen, function(images[chosen], generator, **entry))

    return step


def _check(name: object, parameters: dict[str, Any]) -> None:
    known = list_augmentations()
    if name not in known:
        raise BadAugmentation(f"No augmentation is called {name!r}. There are: {', '.join(known)}.")
    for key, value in parameters.items():
        if key not in ("share", *known[name]):
            having = ", ".join(known[name])
            raise BadAugmentation(f"{name} has no parameter {key!r}. It has: share, {having}.")
        highest = 1 if key == "share" else HIGHEST
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not 0 <= value <= highest:
            raise BadAugmentation(f"{name}'s {key} is a number of 0 to {highest}, not {value!r}.")


@augmentation
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
    angle = _between(images, generator, rotation * math.pi / 180)
    shear = _between(images, generator, slant)
    size = torch.exp(_between(images, generator, math.log1p(scale)))
    stretch = torch.exp(_between(images, generator, math.log1p(aspect) / 2))
    cos, sin = angle.cos() / size, angle.sin() / size
    x, y = (_between(images, generator, 2 * translation / images.shape[-1]) for _ in range(2))
    rows = [
        [cos * stretch, (sin + cos * shear) / stretch, x],
        [-sin * stretch, (cos - sin * shear) / stretch, y],
    ]
    theta = torch.cat([torch.cat(row, dim=2) for row in rows], dim=1).squeeze(-1)
    return _sample(images, _grid(theta, images))


@augmentation
def elastic(
    images: Tensor, generator: Generator, strength: float = 1.5, smoothness: float = 4.0
) -> Tensor:
    """Bend strokes by a smooth random field: up to about ``strength`` pixels, over ``smoothness``.

    After Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied
    to visual document analysis", 2003; here the field is scaled to its own deviation.
    """
    n, _, height, width = images.shape
    noise = torch.empty(n, 2, height, width, device=images.device).normal_(generator=generator)
    field = _blur(noise, smoothness)
    field = field / field.std(dim=(1, 2, 3), keepdim=True) * (strength / 2)
    shift = field.permute(0, 2, 3, 1) * (2 / torch.tensor([width, height], device=images.device))
    upright = torch.eye(2, 3, device=images.device).expand(n, 2, 3)
    return _sample(images, _grid(upright, images) + shift)


@augmentation
def thickness(
    images: Tensor, generator: Generator, thinner: float = 1.0, thicker: float = 1.0
) -> Tensor:
    """Take up to ``thinner`` pixels off each stroke's width, or add up to ``thicker``.

    Grey-level erosion and dilation on a copy of twice the size, whose return to the old size
    smooths the edges. A step that would rub out more than two thirds of the ink is not done.
    """
    large = functional.interpolate(images, scale_factor=2, mode="bilinear", align_corners=False)
    amount = _random(images, generator) * (thinner + thicker) - thinner
    for step in range(math.ceil(thicker)):
        large = torch.lerp(large, _dilate(large), (amount - step).clamp(0, 1))
    for step in range(math.ceil(thinner)):
        thin = torch.lerp(large, -_dilate(-large), (-amount - step).clamp(0, 1))
        large = torch.where(_ink(thin) < _ink(large) / 3, large, thin)
    return functional.avg_pool2d(large, 2)


@augmentation
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


@augmentation
def contrast(
    images: Tensor, generator: Generator, gamma: float = 1.0, fading: float = 0.3
) -> Tensor:
    """Harden or soften edges, value ** exp(up to ``gamma``), and fade by up to ``fading``."""
    exponent = torch.exp(_between(images, generator, gamma))
    return images**exponent * (1 - fading * _random(images, generator))


@augmentation
def blur(images: Tensor, generator: Generator, radius: float = 1.0) -> Tensor:
    """Mix each image with its blurred copy (Gaussian of ``radius`` pixels), in any proportion."""
    return torch.lerp(images, _blur(images, radius), _random(images, generator))


@augmentation
def specks(
    images: Tensor, generator: Generator, grain: float = 0.05, density: float = 0.005
) -> Tensor:
    """Add what paper adds: noise up to a deviation of ``grain``, specks on ``density`` pixels."""
    noise = torch.empty_like(images).normal_(generator=generator)
    grainy = images + noise * grain * _random(images, generator)
    light = torch.empty_like(images).uniform_(generator=generator)
    return torch.maximum(grainy, (1 - light / max(density, 1e-9)).clamp(min=0)).clamp(0, 1)


def _random(images: Tensor, generator: Generator) -> Tensor:
    """A number of 0..1 per image: (n, 1, 1, 1)."""
    return torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device)


def _between(images: Tensor, generator: Generator, limit: float) -> Tensor:
    return (2 * _random(images, generator) - 1) * limit


def _grid(theta: Tensor, images: Tensor) -> Tensor:
    n, _, height, width = images.shape
    return functional.affine_grid(theta, [n, 1, height, width], align_corners=False)


def _sample(images: Tensor, grid: Tensor) -> Tensor:
    return functional.grid_sample(images, grid, align_corners=False).clamp(0, 1)


def _blur(images: Tensor, radius: float) -> Tensor:
    """A Gaussian as one matrix product per axis, which is faster than a long thin convolution."""
    height, width = images.shape[-2:]
    return _gaussian(height, radius, images) @ images @ _gaussian(width, radius, images).T


def _gaussian(length: int, radius: float, like: Tensor) -> Tensor:
    places = torch.arange(length, device=like.device, dtype=like.dtype)
    weights = torch.exp(-0.5 * ((places[:, None] - places) / max(radius, 1e-3)) ** 2)
    return weights / weights.sum(dim=1, keepdim=True)


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
