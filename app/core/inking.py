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
from app.core.parts import drawing_mask
from app.core.tones import Tones, flat_tones, most_contrast

NOTHING_DRAWN = "There is nothing drawn yet: draw something, or choose a picture with a digit."
NO_INK = (
    "No drawing stands out from the paper: draw with a darker pen, or photograph the digit closer "
    "and in better light."
)

_WORKING_SIDE = 256
_PARTS_SIDE = 96

# A photographed digit that is smaller than this, at working size, gets a closer look.
_SMALL = 110


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
    return _drawn(np.asarray(grey.point(tones.table())))


def _drawn(ink: Pixels) -> Ink:
    """The drawing, of a map that is 0 wherever there is paper."""
    factor = ceil(max(ink.shape) / _PARTS_SIDE)
    coarse = np.asarray(Image.fromarray(ink).reduce(factor), np.float32)
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
    ink = _lit((0, 0, grey.width, grey.height), grey)
    longer = max(ink.pixels.shape)
    if longer >= _SMALL or ink.scale == 1:
        return ink
    margin = 0.7 * longer * ink.scale
    height, width = (side * ink.scale for side in ink.pixels.shape)
    left, top = max(0, int(ink.left - margin)), max(0, int(ink.top - margin))
    right = min(grey.width, ceil(ink.left + width + margin))
    bottom = min(grey.height, ceil(ink.top + height + margin))
    try:
        closer = _lit((left, top, right, bottom), grey)
    except EmptyDrawing:
        return ink
    return Ink(closer.pixels, closer.top, closer.left, closer.scale, ink.whole)


def _lit(box: tuple[int, int, int, int], grey: Image.Image) -> Ink:
    """The drawing in a part of a photo: left, top, right and bottom in pixels."""
    left, top, right, bottom = box
    scale = max(1.0, max(right - left, bottom - top) / _WORKING_SIDE)
    size = (max(1, round((right - left) / scale)), max(1, round((bottom - top) / scale)))
    share = ink_share(np.asarray(grey.resize(size, Image.Resampling.BOX, box)))
    mask = drawing_mask(np.where(share > 0.2, share, 0))
    drawing = share if mask is None else np.where(mask, share, 0)
    drawing = np.rint(np.where(drawing > 0.1, drawing, 0) * 255).astype(np.uint8)
    if not drawing.any():
        raise EmptyDrawing(NO_INK)
    return crop(Ink(drawing, float(top), float(left), scale, drawing))
