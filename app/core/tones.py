"""The tones of a drawing on flat paper, and the colour channel that tells ink from paper best."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

from app.core.images import Pixels

Counts = NDArray[np.float64]

# Another channel must show this many times the contrast of the luma to be preferred.
_CLEARLY_MORE = 2.0

_NOISE = 8

# Ink differs from paper by more than so many deviations of the paper's noise; where it doesn't, the
# picture is looked at as a photograph.
_CERTAIN = 8.0


@dataclass(frozen=True)
class Tones:
    """The grey values of flat paper and of ink; ``floor`` is the largest difference that is no
    more than noise."""

    paper: int
    ink: int
    floor: int

    def table(self) -> list[int]:
        """For each grey value, how much ink that is: 0..255."""
        contrast = self.ink - self.paper
        difference = np.arange(256) - self.paper
        strong = abs(contrast) if abs(contrast) >= 240 else 255
        amount = np.rint(np.clip(difference / contrast, 0, 255 / strong) * strong)
        amount[np.abs(difference) <= self.floor] = 0
        return [int(value) for value in amount]


def most_contrast(pixels: Pixels) -> Image.Image:
    """A grey or RGB picture as grey: its luma, or the channel that shows clearly more contrast.

    Red ink on green paper of the same luma, for one, is only seen in a channel.
    """
    image = Image.fromarray(pixels)
    luma = image.convert("L")
    if image.mode == "L":
        return luma
    channels = image.split()
    contrasts = [_contrast(channel) for channel in channels]
    best = int(np.argmax(contrasts))
    return channels[best] if contrasts[best] > _CLEARLY_MORE * _contrast(luma) else luma


def _contrast(channel: Image.Image) -> float:
    """How much stands out from its surroundings, which hardly depends on the light."""
    coarse = channel.reduce(max(1, max(channel.size) // 64))
    around = coarse.filter(ImageFilter.BoxBlur(8))
    counts = np.asarray(ImageChops.difference(coarse, around).histogram(), np.float64)
    return float(np.sqrt(counts @ np.arange(256.0) ** 2 / counts.sum()))


def flat_tones(grey: Image.Image) -> Tones | None:
    """The tones of paper and ink; None where the paper isn't flat, or nothing is drawn on it."""
    ring, counts = _ring_histogram(np.asarray(grey)), np.asarray(grey.histogram(), np.float64)
    paper = int(np.convolve(ring, (1, 1.01, 1), "same").argmax())
    difference = np.arange(256) - paper
    # Ink is what differs most; squared, so that a wide faint shade doesn't outweigh a thin line.
    weight = np.where(np.abs(difference) > _NOISE, counts * difference.astype(np.float64) ** 2, 0)
    side = difference < 0 if weight[:paper].sum() >= weight[paper:].sum() else difference > 0
    weight = np.where(side, weight, 0)
    if not weight.any():
        return None
    ink = int(np.searchsorted(np.cumsum(weight), weight.sum() * (0.2 if side[0] else 0.8)))
    if abs(ink - paper) <= _CERTAIN * _deviation(ring, difference):
        return None
    near = np.abs(difference) <= max(3, abs(ink - paper) // 20)
    if ring[near].sum() < 0.6 * ring.sum() or counts[near].sum() < 0.4 * counts.sum():
        return None
    faint = counts[side & near & (difference != 0)].sum()
    noisy = faint > 0.3 * counts[side & ~near].sum()
    return Tones(paper, ink, max(3, abs(ink - paper) // 10) if noisy else 0)


def _deviation(ring: Counts, difference: NDArray[np.int64]) -> float:
    """The standard deviation of what is paper in a border, or next to it."""
    paper = np.where(np.abs(difference) <= _NOISE, ring, 0)
    return float(np.sqrt(paper @ difference.astype(np.float64) ** 2 / paper.sum()))


def _ring_histogram(grey: Pixels) -> Counts:
    """How often each grey value occurs along the border of a picture (h, w); in corners, twice."""
    edge = max(1, min(grey.shape) // 50)
    sides = (grey[:edge], grey[-edge:], grey[:, :edge], grey[:, -edge:])
    values = np.concatenate([side.ravel() for side in sides])
    return np.bincount(values, minlength=256).astype(np.float64)
