"""Strokes to draw with: digits in one line each, no two alike, the same ones at every run."""

import math
import random
from itertools import pairwise

from PIL import Image, ImageDraw

Point = tuple[float, float]
Stroke = list[Point]

SIDE = 280
# The page's own brush, and about as far apart as a mouse reports its places in a quick stroke.
BRUSH = 22
SPACING = 0.025

# In per cent of the pad, from the left and from the top.
_DIGITS: tuple[tuple[tuple[int, int], ...], ...] = (
    ((50, 20), (34, 32), (30, 55), (42, 78), (60, 76), (70, 50), (62, 25), (50, 20)),
    ((42, 30), (53, 20), (51, 50), (50, 80)),
    ((32, 34), (42, 21), (60, 23), (64, 40), (48, 60), (32, 78), (70, 76)),
    ((34, 24), (58, 22), (62, 38), (46, 47), (66, 58), (60, 76), (34, 76)),
    ((42, 20), (30, 54), (70, 53), (60, 30), (58, 82)),
    ((66, 22), (40, 22), (37, 46), (60, 46), (66, 64), (52, 78), (33, 72)),
    ((60, 20), (40, 38), (34, 62), (46, 78), (64, 70), (60, 52), (37, 60)),
    ((30, 24), (52, 23), (70, 22), (58, 50), (46, 80)),
    ((60, 30), (42, 22), (38, 38), (62, 60), (50, 78), (36, 64), (60, 30)),
    ((64, 32), (46, 22), (36, 40), (52, 50), (64, 34), (60, 80)),
)  # fmt: skip


def make_strokes(count: int) -> list[Stroke]:
    """So many strokes in a square of 1: digits in turn, each turned, slanted and scaled anew."""
    chance = random.Random(7)
    return [_varied(_DIGITS[place % len(_DIGITS)], chance) for place in range(count)]


def _varied(digit: tuple[tuple[int, int], ...], chance: random.Random) -> Stroke:
    angle, slant = chance.uniform(-0.2, 0.2), chance.uniform(-0.2, 0.2)
    size, right, down = (
        chance.uniform(*span) for span in ((0.8, 1.2), (-0.06, 0.06), (-0.06, 0.06))
    )
    cosine, sine = size * math.cos(angle), size * math.sin(angle)
    centred = [((x - 50 + slant * (y - 50)) / 100, (y - 50) / 100) for x, y in digit]
    corners = [
        (0.5 + right + cosine * x - sine * y, 0.5 + down + sine * x + cosine * y)
        for x, y in centred
    ]
    return _spaced(corners)


def _spaced(corners: Stroke) -> Stroke:
    """The line through the corners as points about as far apart as a moving pointer's."""
    points = corners[:1]
    for (x, y), (next_x, next_y) in pairwise(corners):
        steps = max(1, round(math.hypot(next_x - x, next_y - y) / SPACING))
        points += [
            (x + (next_x - x) * step / steps, y + (next_y - y) * step / steps)
            for step in range(1, steps + 1)
        ]
    return points


def paint(stroke: Stroke) -> Image.Image:
    """The stroke as the pad paints it: grey, ink 255 on paper 0, 280 x 280."""
    # Painted at twice the size and made smaller, since Pillow's lines have hard edges.
    picture = Image.new("L", (2 * SIDE, 2 * SIDE))
    pen = ImageDraw.Draw(picture)
    places = [(2 * SIDE * x, 2 * SIDE * y) for x, y in stroke]
    pen.line(places, fill=255, width=2 * BRUSH)
    for x, y in places:
        pen.ellipse((x - BRUSH, y - BRUSH, x + BRUSH, y + BRUSH), fill=255)
    return picture.resize((SIDE, SIDE), Image.Resampling.BOX)
