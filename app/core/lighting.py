"""Ink on unevenly lit paper: the paper's own brightness is estimated everywhere and divided out."""

import numpy as np
from PIL import Image
from scipy import ndimage  # type: ignore[import-untyped]

from app.core.errors import EmptyDrawing
from app.core.images import Pixels

_WORKING_SIDE = 256


def separate(grey: Image.Image) -> tuple[Pixels, float, float, float]:
    """The ink (h, w) of an unevenly lit grey picture, and its top, left and scale in it."""
    factor = max(grey.size) / _WORKING_SIDE
    if factor > 1:
        size = (max(1, round(grey.width / factor)), max(1, round(grey.height / factor)))
        grey = grey.resize(size, Image.Resampling.BOX)
    v = np.asarray(grey).astype(np.float32)
    v = ndimage.gaussian_filter(v, 1)
    if np.median(v) < 100:
        v = 255 - v
    side = max(3, max(v.shape) // 4)
    paper = ndimage.grey_closing(v, size=(side, side))
    share = 1 - v / np.maximum(paper, 1)
    core = np.percentile(share, 98)
    if core < 0.03:
        raise EmptyDrawing("There is no ink to be told from the paper: draw or photograph a digit.")
    ink = np.clip((share / core - 0.35) / 0.4, 0, 1)
    return np.rint(ink * 255).astype(np.uint8), 0.0, 0.0, max(factor, 1.0)
