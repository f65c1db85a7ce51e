"""Strokes as strong and as wide as those of MNIST's pens."""

import numpy as np

from app.core.images import Pixels

# MNIST's own pictures reach at least this.
_STRONG = 240


def saturate(pixels: Pixels) -> Pixels:
    """Strengthen a faint picture (h, w) until its strongest pixel is 255."""
    strongest = int(pixels.max(initial=0))
    if strongest >= _STRONG or strongest == 0:
        return pixels
    return np.rint(pixels * (255 / strongest)).astype(np.uint8)


def thicken(pixels: Pixels, box: int) -> Pixels:
    """TODO."""
    return pixels
