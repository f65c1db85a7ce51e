"""Pictures as people make them, to test what a network for digits is worth.

Nothing here has been used to train: a digit's strokes are found again and drawn anew with a pen of
another width on a canvas of another size, then kept in a file as users send it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from app.core.pen_strokes import Floats, PenStrokes, find_strokes
from app.core.photographing import photograph

_FINEST = 2


@dataclass(frozen=True)
class Pen:
    """How a digit is drawn: sizes as shares of the canvas, the pen's width as a share of the
    digit's height, ``slant`` and ``turn`` in radians; ``slant`` None leaves the hand's own."""

    canvas: int
    height: float
    width: float
    centre: tuple[float, float] = (0.5, 0.5)
    slant: float | None = None
    turn: float = 0.0
    smooth: bool = True


def draw(strokes: PenStrokes, pen: Pen, rng: np.random.Generator) -> Image.Image:
    """The strokes drawn anew: grey, 0 is paper and 255 is ink."""
    finest = _FINEST if pen.smooth else 1
    side = pen.canvas * finest
    radii = pen.height * (pen.width / 2 + strokes.extra / max(strokes.height, 8))
    radii = np.maximum(radii, 0.5 / pen.canvas)
    points = _placed(strokes, pen, radii.max() + 1.5 / pen.canvas, rng) * side
    radii = radii * side
    image = Image.new("L", (side, side))
    _stroke(ImageDraw.Draw(image), points, strokes.lines, radii)
    return image.reduce(finest) if finest > 1 else image


def _placed(strokes: PenStrokes, pen: Pen, radius: float, rng: np.random.Generator) -> Floats:
    """The points as shares of the canvas: turned, slanted, trembling, ``radius`` inside."""
    points = strokes.points - strokes.points.mean(axis=0)
    if pen.slant is not None:
        points = _slanted(points, np.tan(pen.slant))
    cos, sin = np.cos(pen.turn), np.sin(pen.turn)
    points = points @ np.array([[cos, sin], [-sin, cos]])
    points = points + _tremor(points, rng) * 0.012 * max(np.ptp(points, axis=0))
    low, high = points.min(axis=0), points.max(axis=0)
    points = (points - (low + high) / 2) / max(*(high - low), 6) * pen.height
    margin = np.abs(points).max(axis=0) + radius
    centre = np.clip(pen.centre, np.minimum(margin, 0.5), np.maximum(1 - margin, 0.5))
    placed: Floats = points + centre
    return placed


def _slanted(points: Floats, wanted: float) -> Floats:
    """Sheared from the slant that the points have, by their moments, to the wanted one."""
    x, y = points.T
    own = -(x * y).mean() / max((y * y).mean(), 1e-9)
    shear = wanted - np.clip(own, -0.7, 0.7)
    return np.stack([x - shear * y, y], axis=1)


def _tremor(points: Floats, rng: np.random.Generator) -> Floats:
    """A slow unsteadiness of the hand (n, 2), about -1..1."""
    phase = rng.uniform(0, 2 * np.pi, (3, 2))
    waves = rng.normal(0, 0.35, (3, 2, 2))
    tremor: Floats = np.sin(np.einsum("nx,wxy->wny", points, waves) + phase[:, None]).sum(axis=0)
    return tremor / 2


def _stroke(
    canvas: ImageDraw.ImageDraw, points: Floats, lines: NDArray[np.int64], radii: Floats
) -> None:
    for (x, y), radius in zip(points, radii, strict=True):
        canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    for first, second in lines:
        width = max(1, round(radii[first] + radii[second]))
        canvas.line((*points[first], *points[second]), fill=255, width=width)


def _pen(rng: np.random.Generator) -> Pen:
    return Pen(
        canvas=int(rng.choice([200, 280, 280, 400, 560])),
        height=rng.uniform(0.55, 0.8),
        width=rng.uniform(0.07, 0.13),
        smooth=bool(rng.random() < 0.7),
    )


def _off_centre(strokes: PenStrokes, rng: np.random.Generator) -> bytes:
    angle = rng.uniform(0, 2 * np.pi)
    centre = (0.5 + 0.45 * np.cos(angle), 0.5 + 0.45 * np.sin(angle))
    pen = replace(_pen(rng), height=rng.uniform(0.3, 0.5), centre=centre)
    return _as_png(draw(strokes, pen, rng))


def _small(strokes: PenStrokes, rng: np.random.Generator) -> bytes:
    canvas = int(rng.choice([280, 400, 800, 1200]))
    height = rng.uniform(max(0.05, 22 / canvas), 0.14)
    centre = (rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9))
    pen = replace(_pen(rng), canvas=canvas, height=height, centre=centre)
    return _as_png(draw(strokes, pen, rng))


def _thin(strokes: PenStrokes, rng: np.random.Generator) -> bytes:
    pen = _pen(rng)
    pixels = rng.uniform(1, 2.5)
    return _as_png(draw(strokes, replace(pen, width=pixels / (pen.height * pen.canvas)), rng))


def _thick(strokes: PenStrokes, rng: np.random.Generator) -> bytes:
    pen = replace(_pen(rng), width=rng.uniform(0.17, 0.22))
    return _as_png(draw(strokes, pen, rng))


def _slanting(strokes: PenStrokes, rng: np.random.Generator) -> bytes:
    slant = rng.choice([-1, 1]) * np.radians(rng.uniform(15, 32))
    turn = np.radians(rng.uniform(-8, 8))
    return _as_png(draw(strokes, replace(_pen(rng), slant=slant, turn=turn), rng))


def _dark_on_white(strokes: PenStrokes, rng: np.random.Generator) -> bytes:
    ink = draw(strokes, _pen(rng), rng)
    colour = tuple(int(value) for value in rng.integers(0, 110, 3))
    paper = tuple(int(value) for value in rng.integers(225, 256, 3))
    painted = Image.composite(
        Image.new("RGB", ink.size, colour), Image.new("RGB", ink.size, paper), ink
    )
    kind = str(rng.choice(["png", "jpeg", "webp", "gif"]))
    return _encoded(
        painted,
        kind,
        **({"quality": int(rng.integers(40, 95))} if kind in ("jpeg", "webp") else {}),
    )


def _transparent(strokes: PenStrokes, rng: np.random.Generator) -> bytes:
    ink = draw(strokes, _pen(rng), rng)
    low, high = (0, 110) if rng.random() < 0.6 else (170, 256)
    painted = Image.new("RGB", ink.size, tuple(int(value) for value in rng.integers(low, high, 3)))
    painted.putalpha(ink)
    return _encoded(painted, str(rng.choice(["png", "webp"])))


def _photographed(strokes: PenStrokes, rng: np.random.Generator) -> bytes:
    pen = replace(
        _pen(rng),
        canvas=int(rng.choice([480, 640, 900])),
        height=rng.uniform(0.3, 0.7),
        width=rng.uniform(0.05, 0.12),
        centre=(rng.uniform(0.35, 0.65), rng.uniform(0.35, 0.65)),
    )
    photo = photograph(draw(strokes, pen, rng), rng)
    return _encoded(photo, "jpeg", quality=int(rng.integers(45, 92)))


_MAKERS: Final[dict[str, Callable[[PenStrokes, np.random.Generator], bytes]]] = {
    "off-centre": _off_centre,
    "small": _small,
    "thin": _thin,
    "thick": _thick,
    "slanted": _slanting,
    "dark-on-white": _dark_on_white,
    "transparent": _transparent,
    "photographed": _photographed,
}

KINDS: Final[tuple[str, ...]] = tuple(_MAKERS)


def make_drawing(kind: str, digit: NDArray[np.uint8], rng: np.random.Generator) -> bytes:
    """A digit (h, w), light on dark as in MNIST, drawn anew: the bytes of a picture file.

    ``kind`` is one of ``KINDS``. The same state of ``rng`` gives the same bytes.
    """
    return _MAKERS[kind](find_strokes(digit), rng)


def _as_png(ink: Image.Image) -> bytes:
    """Black on white, as most drawing programs keep it."""
    return _encoded(ink.point([255 - value for value in range(256)]), "png")


def _encoded(image: Image.Image, kind: str, **options: int) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
