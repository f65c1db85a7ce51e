"""A drawing as a phone's camera sees it: paper, ink, light, shadow, perspective, blur, noise."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Light = NDArray[np.float32]


def photograph(ink: Image.Image, rng: np.random.Generator) -> Image.Image:
    """An RGB photo of a drawing (0 is paper, 255 is ink), of the drawing's size."""
    seen = np.asarray(_in_perspective(ink, rng), np.float32) / 255
    seen = ndimage.gaussian_filter(seen, rng.uniform(0.4, 1.6) * ink.width / 640)
    paper = np.array([1, 0.985, 0.95]) * rng.uniform(0.72, 0.95)
    pen = np.array(_PENS[rng.integers(len(_PENS))]) + rng.uniform(0, 0.08)
    texture = 1 + 0.012 * _grain(seen.shape, rng)
    pressure = np.clip(
        1 - 0.25 * np.abs(ndimage.gaussian_filter(_grain(seen.shape, rng), 8) * 12), 0.5, 1
    )
    cover = (seen * pressure)[:, :, None]
    reflected = (paper * (1 - cover) + pen * cover) * texture[:, :, None]
    photo = reflected * _light(seen.shape, rng)[:, :, None] * _tint(rng)
    noise = rng.normal(0, rng.uniform(0.008, 0.03), photo.shape)
    return Image.fromarray(np.rint(np.clip(photo + noise, 0, 1) * 255).astype(np.uint8))


# Black, blue and red ballpoint, pencil, green felt tip.
_PENS = (
    (0.08, 0.08, 0.1),
    (0.1, 0.15, 0.5),
    (0.55, 0.1, 0.12),
    (0.3, 0.3, 0.32),
    (0.05, 0.3, 0.15),
)


def _in_perspective(ink: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The drawing seen from a little aside: its corners move by up to 6 % of a side."""
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=np.float64)
    moved = corners + rng.uniform(-0.06, 0.06, (4, 2))
    rows = []
    for (x, y), (u, v) in zip(corners, moved, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    a, b, c, d, e, f, g, h = np.linalg.solve(np.array(rows), moved.ravel())
    side = ink.width
    return ink.transform(
        ink.size,
        Image.Transform.PERSPECTIVE,
        (a, b, c * side, d, e, f * side, g / side, h / side),
        Image.Resampling.BICUBIC,
    )


def _grain(shape: tuple[int, ...], rng: np.random.Generator) -> Light:
    return rng.standard_normal(shape, dtype=np.float32)


def _light(shape: tuple[int, ...], rng: np.random.Generator) -> Light:
    """How much light falls where (h, w), 0..1: a gradient, a vignette, often a shadow."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]] / max(shape)
    angle = rng.uniform(0, 2 * np.pi)
    along = (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle)
    gradient = 1 - rng.uniform(0, 0.6) * (along + 0.5)
    vignette = 1 - rng.uniform(0, 0.5) * ((x - 0.5) ** 2 + (y - 0.5) ** 2) * 2
    light = rng.uniform(0.75, 1.1) * gradient * vignette
    if rng.random() < 0.6:
        light = light * _shadow(x, y, rng)
    return np.asarray(light, np.float32)


def _shadow(x: Light, y: Light, rng: np.random.Generator) -> Light:
    """A shadow on one side of a slightly bent line, its edge hard or soft."""
    angle = rng.uniform(0, 2 * np.pi)
    along = (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle)
    across = (y - 0.5) * np.cos(angle) - (x - 0.5) * np.sin(angle)
    edge = along - rng.uniform(-0.3, 0.3) - 0.08 * np.sin(across * rng.uniform(2, 7))
    softness = rng.choice([0.003, 0.02, 0.08])
    depth = rng.uniform(0.2, 0.5)
    return np.asarray(1 - depth / (1 + np.exp(-np.clip(edge / softness, -30, 30))), np.float32)


def _tint(rng: np.random.Generator) -> NDArray[np.float64]:
    """The colour of the light: from a bulb's yellow to the sky's blue."""
    warmth = rng.uniform(-0.08, 0.12)
    return np.array([1 + warmth / 2, 1, 1 - warmth])
