"""Ink, told from paper: a picture of any polarity becomes a map of 0 for paper and 255 for ink.

Drawings of a pen on flat paper keep their very pixels; photographs go to ``lighting``.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from PIL import Image

from app.core.errors import EmptyDrawing
from app.core.images import Picture, Pixels
from app.core.lighting import ink_share
from app.core.parts import drawing_mask, stroke_width
from app.core.tones import Tones, flat_tones, most_contrast

NOTHING_DRAWN = "There is nothing drawn yet: draw something, or choose a picture with a digit."
NO_INK = (
    "No drawing stands out from the paper: draw with a darker pen, or photograph the digit closer "
    "and in better light."
)

_PARTS_SIDE = 96

# A photo is looked at twice, at these sizes: as a whole, then the drawing and some paper around.
_FIRST_LOOK, _SECOND_LOOK = 192, 224
_AROUND = 0.35

# Strokes are narrower than this share of a photo's longer side.
_WIDEST_STROKE = 0.22

Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Ink:
    """The ink of a picture, cropped: ``pixels`` (h, w) uint8, 0 is paper and 255 is ink.

    The map's (y, x) is the picture's (top + y * scale, left + x * scale). ``whole`` is the map of
    the whole picture where unevenly lit paper was told from ink.
    """

    pixels: Pixels
    top: float
    left: float
    scale: float
    whole: Pixels | None = None


def find_ink(picture: Picture) -> Ink:
    """The ink of a picture, cropped to it. Raises EmptyDrawing where there is none."""
    grey = most_contrast(picture.pixels)
    lightest, darkest = grey.getextrema()
    if lightest == darkest:
        raise EmptyDrawing(NOTHING_DRAWN)
    tones = Tones(0, 255, 0) if picture.light_ink else flat_tones(grey)
    if tones is None:
        return _photographed(grey)
    return _drawn(grey.point(tones.table()))


def _drawn(map_of_ink: Image.Image) -> Ink:
    """The drawing, of a map that is 0 wherever there is paper."""
    factor = ceil(max(map_of_ink.size) / _PARTS_SIDE)
    coarse = np.asarray(map_of_ink.reduce(factor), np.float32)
    ink = np.asarray(map_of_ink)
    mask = drawing_mask(np.where(coarse > 2, coarse, 0))
    if mask is not None:
        fine = mask.repeat(factor, axis=0).repeat(factor, axis=1)
        ink = np.where(fine[: ink.shape[0], : ink.shape[1]], ink, 0).astype(np.uint8)
    return crop(Ink(ink, 0.0, 0.0, 1.0))


def crop(ink: Ink) -> Ink:
    """The map without its empty margins. Raises EmptyDrawing for an empty one."""
    box = Image.fromarray(ink.pixels).getbbox()
    if box is None:
        raise EmptyDrawing(NOTHING_DRAWN)
    x, y, right, bottom = box
    top, left = ink.top + y * ink.scale, ink.left + x * ink.scale
    return Ink(ink.pixels[y:bottom, x:right], top, left, ink.scale, ink.whole)


def _photographed(grey: Image.Image) -> Ink:
    """The drawing in a photo. Raises EmptyDrawing."""
    longer = max(grey.size)
    whole = (0, 0, grey.width, grey.height)
    first = _lit(grey, whole, _FIRST_LOOK, _WIDEST_STROKE * longer)
    stroke = stroke_width(first.pixels > 127) * first.scale
    try:
        # What is known of the strokes by now tells them from shadows, which are wider.
        second = _lit(
            grey, _around(first, grey), _SECOND_LOOK, min(3 * stroke, _WIDEST_STROKE * longer)
        )
    except EmptyDrawing:
        return first
    return second if _amount(second) > 0.5 * _amount(first) else first


def _around(ink: Ink, grey: Image.Image) -> Box:
    """The drawing's left, top, right and bottom in the photo, with some paper."""
    height, width = (side * ink.scale for side in ink.pixels.shape)
    margin = _AROUND * max(height, width) + 8
    left, top = max(0, int(ink.left - margin)), max(0, int(ink.top - margin))
    right = min(grey.width, ceil(ink.left + width + margin))
    bottom = min(grey.height, ceil(ink.top + height + margin))
    return left, top, right, bottom


def _amount(ink: Ink) -> float:
    """How much ink there is, in pixels of the picture."""
    return float(ink.pixels.sum(dtype=np.float64)) * ink.scale**2 / 255


def _lit(grey: Image.Image, box: Box, side: int, widest: float) -> Ink:
    """The drawing in a box of a photo, looked at with ``side`` pixels along its longer side.

    Strokes are narrower than ``widest`` pixels of the photo.
    """
    left, top, right, bottom = box
    scale = max(1.0, max(right - left, bottom - top) / side)
    size = (max(1, round((right - left) / scale)), max(1, round((bottom - top) / scale)))
    values = np.asarray(grey.resize(size, Image.Resampling.BOX, box))
    share = ink_share(values, max(5, round(widest / scale)))
    mask = drawing_mask(np.where(share > 0.2, share, 0))
    drawing = share if mask is None else np.where(mask, share, 0)
    drawing = np.rint(np.where(drawing > 0.1, drawing, 0) * 255).astype(np.uint8)
    if not drawing.any():
        raise EmptyDrawing(NO_INK)
    return crop(Ink(drawing, float(top), float(left), scale, drawing))
