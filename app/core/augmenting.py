"""Changes to training images that leave their labels true, on whole batches of tensors.

Every augmentation takes images (n, channels, height, width) with values in 0..1, light ink on
dark, and a torch.Generator, and gives new images of the same shape and range. A recipe names them
with their parameters; they are applied in its order, each to its ``share`` of the images.
"""

import inspect
import reprlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Generator, Tensor

from app.core import augmenting_shapes, augmenting_tones
from app.core.augmenting_chance import random
from app.core.errors import ConvScopeError

Augmentation = Callable[[Tensor, Generator], Tensor]
# What the parameters of these names may be at most: shares of the whole, full turns, and pixels of
# which each takes a pass over the images. No image here is so large that others need more.
_HIGHEST = {
    "rotation": 360.0,
    "degrees": 360.0,
    "thinner": 4.0,
    "thicker": 4.0,
    "gamma": 10.0,
    **dict.fromkeys(("share", "p", "ink", "fading", "grain", "density"), 1.0),
}
_HIGHEST_OF_OTHERS = 256.0
_augmentations: dict[str, Callable[..., Tensor]] = {
    function.__name__: function
    for function in (
        augmenting_shapes.affine,
        augmenting_shapes.rotation,
        augmenting_shapes.crop,
        augmenting_shapes.horizontal_flip,
        augmenting_shapes.vertical_flip,
        augmenting_shapes.resize,
        augmenting_shapes.erase,
        augmenting_tones.jitter,
        augmenting_tones.grayscale,
        augmenting_shapes.elastic,
        augmenting_shapes.thickness,
        augmenting_shapes.refit,
        augmenting_tones.contrast,
        augmenting_tones.blur,
        augmenting_tones.specks,
    )
}


class BadAugmentation(ConvScopeError):
    """A recipe's augmentation isn't known or its parameters don't fit; the message says which."""


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


def highest(parameter: str) -> float:
    """The most that a parameter of this name may be."""
    return _HIGHEST.get(parameter, _HIGHEST_OF_OTHERS)


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
        chosen = (random(images, generator) < share).flatten().nonzero().flatten()
        if not len(chosen):
            return images
        return images.index_copy(0, chosen, function(images[chosen], generator, **entry))

    return step


def _check(name: object, parameters: dict[str, Any]) -> None:
    known = list_augmentations()
    if not isinstance(name, str) or name not in known:
        raise BadAugmentation(
            f"No augmentation is called {reprlib.repr(name)}. There are: {', '.join(known)}."
        )
    for key, value in parameters.items():
        if key not in ("share", *known[name]):
            having = ", ".join(known[name])
            raise BadAugmentation(
                f"{name} has no parameter {reprlib.repr(key)}. It has: share, {having}."
            )
        most = highest(key)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not 0 <= value <= most:
            raise BadAugmentation(
                f"{name}'s {key} is a number of 0 to {most:g}, not {reprlib.repr(value)}."
            )
