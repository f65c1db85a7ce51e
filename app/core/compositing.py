"""The backdrop of transparent pictures."""

import numpy as np
from PIL import Image, ImageChops, ImageFilter

BLACK, WHITE = 0, 255

# Opaque parts whose grey values vary by more than this (standard deviation, of 255) hold paper
# as well as ink.
_TWO_TONED = 40.0


def compose(image: Image.Image) -> Image.Image:
    """An L, RGB or RGBA image as L or RGB, its transparent parts filled.

    A drawing that is nothing but ink gets white or black behind it, whichever contrasts. A picture
    that brings its own paper, such as a sticker, gets that paper's tone.
    """
    if image.mode != "RGBA":
        return merge_equal(*image.split()) if image.mode == "RGB" else image
    *colours, alpha = image.split()
    colour = merge_equal(*colours)
    if alpha.getextrema() == (255, 255):
        return colour
    tone = _backdrop(colour.convert("L"), alpha)
    return Image.composite(colour, Image.new("L", image.size, tone).convert(colour.mode), alpha)


def merge_equal(red: Image.Image, green: Image.Image, blue: Image.Image) -> Image.Image:
    """Three channels as RGB, or as the one channel that they are when all are equal."""
    if ImageChops.difference(red, green).getbbox() or ImageChops.difference(red, blue).getbbox():
        return Image.merge("RGB", (red, green, blue))
    return red


def _backdrop(grey: Image.Image, alpha: Image.Image) -> int:
    opaque = _opaque(alpha)
    mean, spread = _mean_and_spread(grey, opaque)
    if spread > _TWO_TONED:
        rim = ImageChops.subtract(opaque, opaque.filter(ImageFilter.MinFilter(3)))
        rim_mean, rim_spread = _mean_and_spread(grey, rim)
        if rim_spread < _TWO_TONED / 2:
            return round(rim_mean)
    return BLACK if mean > 127.5 else WHITE


def _opaque(alpha: Image.Image) -> Image.Image:
    """255 where a picture covers at least half as much as it does anywhere."""
    strongest = alpha.getextrema()[1]
    half = max(1, round(float(strongest) / 2))  # type: ignore[arg-type]
    return alpha.point([0] * half + [255] * (256 - half))


def _mean_and_spread(grey: Image.Image, mask: Image.Image) -> tuple[float, float]:
    """Mean and standard deviation of the grey values where the mask is set; 0 without any."""
    counts = np.asarray(grey.histogram(mask), dtype=np.float64)
    if not counts.any():
        return 0.0, 0.0
    values = np.arange(256.0)
    mean = float(counts @ values / counts.sum())
    return mean, float(np.sqrt(counts @ (values - mean) ** 2 / counts.sum()))
