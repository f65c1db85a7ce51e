"""Strokes as strong and as wide as those of MNIST's pens."""

from math import ceil

import numpy as np
from PIL import Image
from scipy import ndimage

from app.core.images import Pixels
from app.core.inking import Ink, crop
from app.core.parts import stroke_width

# MNIST's own pictures reach at least this.
_STRONG = 240

# Strokes in MNIST are 2.5 pixels wide (median of the training pictures); 1 % are below 1.5.
_THIN, _USUAL = 1.5, 2.2

_FINER = 4
_INKED = 80


def saturate(pixels: Pixels) -> Pixels:
    """Strengthen a faint picture (h, w) until its strongest pixel is 255."""
    strongest = int(pixels.max(initial=0))
    if strongest >= _STRONG or strongest == 0:
        return pixels
    stronger: Pixels = np.rint(pixels * (255 / strongest)).astype(np.uint8)
    return stronger


def thicken(ink: Ink, box: int) -> Ink:
    """Strokes too thin for MNIST's pens drawn anew with a usual one; others stay as they are.

    The drawing is to be fitted into ``box`` pixels.
    """
    longer = max(ink.pixels.shape)
    if longer < 1.5 * box:
        return ink
    inked = ink.pixels > _INKED
    if stroke_width(inked) * box / longer >= _THIN:
        return ink
    return _redrawn(ink, box)


def _redrawn(ink: Ink, box: int) -> Ink:
    """All that lies within the usual pen's radius of the strokes' middle, with soft edges."""
    block = max(1, max(ink.pixels.shape) // (box * _FINER))
    inked = Image.fromarray((ink.pixels > _INKED).astype(np.uint8) * 255)
    coarse = np.asarray(inked.reduce(block)) > 0
    wanted = _USUAL * max(coarse.shape) / box
    reach = max(0.0, (wanted - stroke_width(coarse)) / 2)
    margin = ceil(reach) + 1
    distance = ndimage.distance_transform_edt(~np.pad(coarse, margin))
    drawn = np.rint(np.clip(reach + 1 - distance, 0, 1) * 255).astype(np.uint8)
    scale = ink.scale * block
    return crop(Ink(drawn, ink.top - margin * scale, ink.left - margin * scale, scale))
