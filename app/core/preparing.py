"""From a picture to the tensor that a model's card asks for, with every step kept to be shown.

``digit`` goes the way that MNIST was made (LeCun, Cortes and Burges, "The MNIST database"): crop
to the ink, fit 20 x 20 keeping the aspect, centre of mass in 28 x 28.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from app.core.errors import EmptyDrawing, ImageTooSmall
from app.core.images import Picture, Pixels
from app.core.inking import NOTHING_DRAWN, Ink, find_ink
from app.core.resizing import LUMA, middle, resize
from app.core.strokes import saturate, thicken
from models.registry import Preprocessing

InputShape = tuple[int, int, int]
Numbers = NDArray[np.uint8] | NDArray[np.float32]

# MNIST's digits are 20 of 28 pixels.
_BOX, FRAME = 20, 28

_SMALLEST_SIDE = 4
_STEP_SIDE = 112
_BRIGHT_BORDER = 192
# MNIST's digits have pixels above the first, none around them above the second, and their centre of
# mass lies in [14, 15), a pixel more or less where a picture was scaled.
_STRONG, _FAINT, _MIDDLE = 160, 40, 14.5


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a preparation: what came of it is ``picture``, (h, w) or (h, w, 3), uint8."""

    name: str
    caption: str
    picture: Pixels

    @property
    def pixels(self) -> Pixels:
        """The picture as small as it is shown: averaged in blocks, no side longer than 112."""
        factor = ceil(max(self.picture.shape[:2]) / _STEP_SIDE)
        if factor == 1:
            return self.picture
        return np.asarray(Image.fromarray(self.picture).reduce(factor))


@dataclass(frozen=True)
class Placement:
    """Where the model's input lies in the picture.

    Both are measured from the outer edge of the first pixel: the input's (y, x) is the picture's
    (top + y * scale_y, left + x * scale_x).
    """

    top: float
    left: float
    scale_y: float
    scale_x: float

    def part(self, top: int, left: int) -> "Placement":
        """That of an input that begins so many of this one's pixels further down and right."""
        top_there, left_there = self.top + top * self.scale_y, self.left + left * self.scale_x
        return Placement(top_there, left_there, self.scale_y, self.scale_x)

    def scaled(self, by_y: float, by_x: float) -> "Placement":
        """Where the same corner lies when the input's pixels are so many times as large."""
        return Placement(self.top, self.left, self.scale_y * by_y, self.scale_x * by_x)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A model's input and how it came about.

    ``tensor`` is float32 (channels, height, width), normalised as the card says.
    """

    tensor: Tensor
    steps: tuple[Step, ...]
    placement: Placement


def prepare(picture: Picture, input_shape: InputShape, preprocessing: Preprocessing) -> Prepared:
    """Prepare a picture for an input of (channels, height, width).

    Numbers of just the input's size are taken as they are, and for ``digit`` so is a file that
    holds what MNIST would, in either polarity. Raises EmptyDrawing where ``digit`` finds no ink,
    and ImageTooSmall.
    """
    if picture.pixels.shape[:2] == input_shape[1:]:
        if picture.exact:
            return _prepare_exact(picture, input_shape, preprocessing)
        if preprocessing.method == "digit" and _is_prepared(_light_on_dark(picture.pixels)):
            return _prepare_exact(picture, input_shape, preprocessing)
    if preprocessing.method == "digit":
        return _prepare_digit(picture, input_shape, preprocessing)
    return _prepare_picture(picture, input_shape, preprocessing)


def _prepare_exact(picture: Picture, shape: InputShape, how: Preprocessing) -> Prepared:
    values = picture.pixels if picture.values is None else picture.values
    steps = [Step("drawn", "The picture, of the size that the network sees", picture.pixels)]
    if how.method == "digit":
        values = _in_channels(values, shape[0])
        if values.min() == values.max():
            raise EmptyDrawing(NOTHING_DRAWN)
        if not picture.exact and _is_bright(values):
            values = 255 - values
            steps.append(Step("inverted", "Light ink on dark paper", _squeezed(values)))
    return _finish(_in_channels(values, shape[0]), steps, Placement(0.0, 0.0, 1.0, 1.0), how)


def _is_prepared(values: Numbers) -> bool:
    """Whether a picture (h, w), light on dark, is what MNIST's makers would have made of it: strong
    ink that fills no more than their box, its centre of mass in the middle, and nothing around."""
    if values.max() < _STRONG:
        return False
    box = Image.fromarray((values > _FAINT).astype(np.uint8)).getbbox()
    assert box is not None
    height, width = values.shape
    longest = max((box[2] - box[0]) / width, (box[3] - box[1]) / height) * FRAME
    mass = np.where(values > _FAINT, values, 0).astype(np.float64)
    return longest <= _BOX + 1 and _is_central(mass.sum(axis=0)) and _is_central(mass.sum(axis=1))


def _is_central(mass: NDArray[np.float64]) -> bool:
    centre = mass @ (np.arange(len(mass)) + 0.5) / mass.sum() * FRAME / len(mass)
    return bool(abs(centre - _MIDDLE) <= 1)


def _light_on_dark(pixels: Pixels) -> Numbers:
    """A picture as grey (h, w), inverted where its border is bright."""
    grey = _in_channels(pixels, 1)[:, :, 0]
    return 255 - grey if _is_bright(grey) else grey


def _is_bright(values: Numbers) -> bool:
    return bool(np.median(_border(values)) >= _BRIGHT_BORDER)


def _border(values: Numbers) -> Numbers:
    """The outermost pixels of (h, w) or (h, w, channels)."""
    return np.concatenate([values[0], values[-1], values[1:-1, 0], values[1:-1, -1]])


def _prepare_digit(picture: Picture, shape: InputShape, how: Preprocessing) -> Prepared:
    if min(picture.pixels.shape[:2]) < _SMALLEST_SIDE:
        raise ImageTooSmall(
            f"A picture of {picture.width} × {picture.height} pixels is too small to hold a "
            f"digit: send one of at least {_SMALLEST_SIDE} pixels across."
        )
    ink = find_ink(picture)
    pen = thicken(ink, _BOX)
    height, width = _fit(pen.pixels.shape, _BOX)
    fitted = saturate(_resize(pen.pixels, height, width))
    top, left = _centre(fitted, FRAME, FRAME)
    centred = np.zeros((FRAME, FRAME), np.uint8)
    centred[top : top + height, left : left + width] = fitted
    scale_y = pen.scale * pen.pixels.shape[0] / height
    scale_x = pen.scale * pen.pixels.shape[1] / width
    placement = Placement(pen.top - top * scale_y, pen.left - left * scale_x, scale_y, scale_x)
    steps = [
        *_ink_steps(picture, ink, pen),
        Step(f"{_BOX} × {_BOX}", f"Fitted into {_BOX} × {_BOX} pixels", fitted),
        Step("centred", f"Its centre of mass in {FRAME} × {FRAME}", centred),
    ]
    return _resize_and_finish(_in_channels(centred, shape[0]), steps, placement, shape, how)


def _ink_steps(picture: Picture, ink: Ink, pen: Ink) -> list[Step]:
    steps = [Step("drawn", "The picture", picture.pixels)]
    if ink.whole is not None:
        steps.append(Step("ink", "The ink, without the paper's light and shadow", ink.whole))
    steps.append(Step("cropped", "Cropped to the ink, light on dark", ink.pixels))
    if pen is not ink:
        steps.append(Step("thickened", "Its thin strokes drawn wider", pen.pixels))
    return steps


def _fit(size: tuple[int, ...], box: int) -> tuple[int, int]:
    """Height and width of the largest picture of the same aspect in a square box."""
    longer = max(size)
    height, width = (max(1, round(side * box / longer)) for side in size)
    return height, width


def _resize(pixels: Pixels, height: int, width: int) -> Pixels:
    """Each new pixel is the mean of the area that it covers; a larger picture is interpolated."""
    image = Image.fromarray(pixels)
    growing = height > pixels.shape[0] or width > pixels.shape[1]
    method = Image.Resampling.BICUBIC if growing else Image.Resampling.BOX
    return np.asarray(image.resize((width, height), method))


def _centre(fitted: Pixels, height: int, width: int) -> tuple[int, int]:
    """The place, whole pixels, that brings the centre of mass into the pixel right of the middle.

    In all of MNIST's pictures the centre of mass, from the outer edges, lies in [14, 15).
    """
    mass = fitted.astype(np.float64)
    rows, columns = mass.sum(axis=1), mass.sum(axis=0)
    y = rows @ (np.arange(len(rows)) + 0.5) / rows.sum()
    x = columns @ (np.arange(len(columns)) + 0.5) / columns.sum()
    top = min(max(height // 2 - int(y), 0), height - len(rows))
    left = min(max(width // 2 - int(x), 0), width - len(columns))
    return top, left


def _prepare_picture(picture: Picture, shape: InputShape, how: Preprocessing) -> Prepared:
    height, width = how.size or shape[1:]
    top, left, rows, columns = middle((picture.height, picture.width), (height, width))
    box = (left, top, left + columns, top + rows)
    # As an import brings pictures to the size of a data set.
    image = Image.fromarray(picture.pixels)
    scaled = image.resize((width, height), Image.Resampling.BICUBIC, box)
    values = _in_channels(np.asarray(scaled), shape[0])
    steps = [
        Step("drawn", "The picture", picture.pixels),
        Step("resized", f"Its middle, in {width} × {height} pixels", _squeezed(values)),
    ]
    placement = Placement(top, left, rows / height, columns / width)
    return _resize_and_finish(values, steps, placement, shape, how)


def _resize_and_finish(
    values: Numbers, steps: list[Step], placement: Placement, shape: InputShape, how: Preprocessing
) -> Prepared:
    """Bring (h, w, channels) to the input's size, as training images are brought to it."""
    height, width = shape[1:]
    if values.shape[:2] != (height, width):
        top, left, rows, columns = middle(values.shape[:2], (height, width))
        placement = placement.part(top, left).scaled(rows / height, columns / width)
        images = torch.from_numpy(values.transpose(2, 0, 1).astype(np.float32))[None]
        values = resize(images, (height, width))[0].permute(1, 2, 0).contiguous().numpy()
        shown = _squeezed(np.rint(values))
        steps.append(Step(f"{width} × {height}", "As large as the network takes it", shown))
    return _finish(values, steps, placement, how)


def _in_channels(values: Numbers, channels: int) -> Numbers:
    """(h, w) or (h, w, 3) as (h, w, channels): grey is repeated, RGB becomes its luma."""
    if values.ndim == 3 and values.shape[2] != channels:
        # Rounded, as Pillow rounds it.
        values = np.rint(values @ np.array(LUMA) / 1000).astype(np.float32)
    if values.ndim == 2:
        return values[:, :, None].repeat(channels, axis=2)
    return values


def _squeezed(values: Numbers) -> Pixels:
    pixels = values.astype(np.uint8)
    return pixels[:, :, 0] if pixels.shape[2] not in (1, 3) or pixels.shape[2] == 1 else pixels


def _finish(
    values: Numbers, steps: list[Step], placement: Placement, how: Preprocessing
) -> Prepared:
    """Normalise (h, w, channels) of 0..255, and show that step where it does something."""
    tensor = torch.from_numpy(values.transpose(2, 0, 1).astype(np.float32, order="C") / 255)
    if any(how.mean) or set(how.std) != {1.0}:
        mean, std = (torch.tensor(numbers).view(-1, 1, 1) for numbers in (how.mean, how.std))
        tensor = (tensor - mean) / std
        steps.append(Step("normalised", "Less the mean, by the standard deviation", _shown(tensor)))
    return Prepared(tensor, tuple(steps), placement)


def _shown(tensor: Tensor) -> Pixels:
    """Any numbers (channels, h, w) as grey or RGB, from the smallest to the largest."""
    low, high = tensor.min(), tensor.max()
    pixels = ((tensor - low) / (high - low).clamp(min=1e-9) * 255).round().to(torch.uint8)
    return _squeezed(pixels.permute(1, 2, 0).contiguous().numpy())
