"""Ink, told from paper: a picture of any polarity becomes a map of 0 for paper and 255 for ink.

Drawings of a pen on flat paper keep their very pixels; photographs go to ``lighting``.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from app.core.errors import EmptyDrawing
from app.core.images import Picture, Pixels
from app.core.lighting import separate

NOTHING_DRAWN = "There is nothing drawn yet: draw something, or choose a picture with a digit."


@dataclass(frozen=True, eq=False)
class Ink:
    """The ink of a picture, cropped: ``pixels`` (h, w) uint8, 0 is paper and 255 is ink.

    The map's (y, x) is the picture's (top + y * scale, left + x * scale).
    """

    pixels: Pixels
    top: float
    left: float
    scale: float


@dataclass(frozen=True)
class Tones:
    """The grey values of flat paper and of ink; ``floor`` is the least difference that counts."""

    paper: int
    ink: int
    floor: int

    def table(self) -> list[int]:
        """For each grey value, how much ink that is: 0..255."""
        contrast = self.ink - self.paper
        strong = 255 if abs(contrast) < 240 else abs(contrast)
        share = (np.arange(256) - self.paper) / contrast
        amount = np.rint(np.clip(share, 0, 1) * strong)
        amount[np.abs(np.arange(256) - self.paper) <= self.floor] = 0
        return [int(value) for value in amount]


def find_ink(picture: Picture) -> Ink:
    """The ink of a picture, cropped to it. Raises EmptyDrawing where there is none."""
    grey = most_contrast(picture)
    if grey.getextrema()[0] == grey.getextrema()[1]:
        raise EmptyDrawing(NOTHING_DRAWN)
    tones = Tones(0, 255, 0) if picture.light_ink else flat_tones(grey)
    if tones is None:
        return _cropped(*separate(grey))
    return _cropped(np.asarray(grey.point(tones.table())), 0.0, 0.0, 1.0)


def _cropped(ink: Pixels, top: float, left: float, scale: float) -> Ink:
    box = Image.fromarray(ink).getbbox()
    if box is None:
        raise EmptyDrawing(NOTHING_DRAWN)
    x, y, right, bottom = box
    return Ink(ink[y:bottom, x:right], top + y * scale, left + x * scale, scale)


def most_contrast(picture: Picture) -> Image.Image:
    """The picture as one grey channel."""
    return Image.fromarray(picture.pixels).convert("L")


def flat_tones(grey: Image.Image) -> Tones | None:
    """Paper and ink of a drawing on flat paper; None for paper that isn't flat."""
    ring = _ring_histogram(grey)
    counts = np.asarray(grey.histogram(), dtype=np.float64)
    paper = int(np.convolve(ring, np.ones(3), "same").argmax())
    difference = np.arange(256) - paper
    mass = counts * np.abs(difference)
    darker, lighter = mass[difference < -8].sum(), mass[difference > 8].sum()
    side = difference < 0 if darker >= lighter else difference > 0
    # The ink's tone: the median over the ink, each pixel counted by how much it differs.
    inked = np.where(side & (np.abs(difference) > 8), mass * np.abs(difference), 0)
    if not inked.any():
        return None
    ink = int(np.searchsorted(np.cumsum(inked), inked.sum() * 0.6))
    contrast = abs(ink - paper)
    near = np.abs(difference) <= max(3, contrast // 20)
    flat = ring[near].sum() / ring.sum()
    if flat < 0.6 or counts[near].sum() < 0.4 * counts.sum():
        return None
    faint = counts[side & near & (difference != 0)].sum()
    strong = counts[side & ~near].sum()
    floor = max(3, contrast // 16) if faint > 0.3 * strong else 0
    return Tones(paper, ink, floor)


def _ring_histogram(grey: Image.Image) -> np.ndarray:
    width, height = grey.size
    edge = max(1, min(width, height) // 50)
    boxes = (
        (0, 0, width, edge),
        (0, height - edge, width, height),
        (0, 0, edge, height),
        (width - edge, 0, width, height),
    )
    return np.sum([grey.crop(box).histogram() for box in boxes], axis=0)
