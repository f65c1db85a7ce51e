"""The strokes of a digit: a raster picture turned back into the path of a pen.

The picture is enlarged and thinned to its centre line (Zhang and Suen, "A fast parallel algorithm
for thinning digital patterns", 1984); the line's points are joined, freed of spurs and smoothed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Bits = NDArray[np.bool_]
Floats = NDArray[np.float64]

_ENLARGED = 6
_SMOOTHINGS = 8

# The eight neighbours, clockwise from the one above.
_AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


@dataclass(frozen=True, eq=False)
class PenStrokes:
    """Points (n, 2) as x, y in the digit's pixels, the lines (m, 2) that join them by index, and
    ``extra`` (n,), by how many pixels a blob, such as a filled loop, is wider than the pen."""

    points: Floats
    lines: NDArray[np.int64]
    extra: Floats

    @property
    def height(self) -> float:
        """From the topmost to the lowest point, in the digit's pixels."""
        return float(np.ptp(self.points[:, 1]))


def find_strokes(digit: NDArray[np.uint8]) -> PenStrokes:
    """The strokes of a digit (h, w), light on dark. It must hold some ink."""
    size = (digit.shape[1] * _ENLARGED, digit.shape[0] * _ENLARGED)
    enlarged = Image.fromarray(digit).resize(size, Image.Resampling.BICUBIC)
    solid = np.pad(np.asarray(enlarged) > 110, 1)
    radii = ndimage.distance_transform_edt(solid)
    line = thin(solid)
    places = np.argwhere(line)
    lines = _join(line, places)
    kept = _without_spurs(len(places), lines, radii[line])
    renumbered = np.cumsum(kept) - 1
    lines = renumbered[lines[kept[lines].all(axis=1)]]
    points = _smoothed((places[kept][:, ::-1] - 0.5) / _ENLARGED, lines)
    radius = radii[line][kept] / _ENLARGED
    extra = np.maximum(0, radius - 1.25 * np.median(radius))
    return PenStrokes(points, lines, extra)


def thin(solid: Bits) -> Bits:
    """The centre line of a solid shape (h, w), one pixel wide, by Zhang and Suen's rules."""
    line = solid.copy()
    while True:
        before = line.sum()
        for corners in (((0, 2, 4), (2, 4, 6)), ((0, 2, 6), (0, 4, 6))):
            line &= ~_removable(line, corners)
        if line.sum() == before:
            return line


def _removable(line: Bits, corners: tuple[tuple[int, ...], tuple[int, ...]]) -> Bits:
    around = np.stack([np.roll(line, (-dy, -dx), (0, 1)) for dy, dx in _AROUND])
    count = around.sum(axis=0)
    starts = (~around & np.roll(around, -1, axis=0)).sum(axis=0)
    ends = [~around[list(corner)].all(axis=0) for corner in corners]
    removable: Bits = line & (count >= 2) & (count <= 6) & (starts == 1) & ends[0] & ends[1]
    return removable


def _join(line: Bits, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs of neighbouring points; a diagonal only where no corner joins them already."""
    index = np.full(line.shape, -1)
    index[line] = np.arange(len(places))
    pairs = []
    for number, (y, x) in enumerate(places):
        for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
            around_corner = dy and dx and (line[y, x + dx] or line[y + dy, x])
            if line[y + dy, x + dx] and not around_corner:
                pairs.append((number, index[y + dy, x + dx]))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _neighbours(count: int, lines: NDArray[np.int64]) -> list[set[int]]:
    around: list[set[int]] = [set() for _ in range(count)]
    for first, second in lines.tolist():
        around[first].add(second)
        around[second].add(first)
    return around


def _without_spurs(count: int, lines: NDArray[np.int64], radii: Floats) -> Bits:
    """Which points to keep: not those of side branches that end within the stroke's own width."""
    around = _neighbours(count, lines)
    kept = np.ones(count, bool)
    for end in [number for number in range(count) if len(around[number]) == 1]:
        branch = _branch(end, around)
        if branch and len(branch) < 1.3 * radii[branch[-1]]:
            kept[branch] = False
    return kept


def _branch(end: int, around: list[set[int]]) -> list[int]:
    """The points from an end up to the one before a fork; none where no fork comes."""
    branch, before = [end], -1
    while True:
        onward = around[branch[-1]] - {before}
        if not onward:
            return []
        following = next(iter(onward))
        if len(around[following]) > 2:
            return branch
        before = branch[-1]
        branch.append(following)


def _smoothed(points: Floats, lines: NDArray[np.int64]) -> Floats:
    """Each point drawn towards the mean of its neighbours, several times; ends stay."""
    count = np.bincount(lines.ravel(), minlength=len(points))[:, None]
    for _ in range(_SMOOTHINGS):
        sums = np.zeros_like(points)
        np.add.at(sums, lines[:, 0], points[lines[:, 1]])
        np.add.at(sums, lines[:, 1], points[lines[:, 0]])
        points = np.where(count >= 2, points / 2 + sums / np.maximum(count, 1) / 2, points)
    return points
