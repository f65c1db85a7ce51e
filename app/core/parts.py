"""The parts of a drawing: which patches of ink belong to it, and which are specks and frames."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Bits = NDArray[np.bool_]
Box = tuple[slice, slice]

# Below these shares of the main part's ink, a patch is a speck: wherever it lies, and far off.
_DUST, _SPECK = 0.006, 0.05
_FAR = 0.25

_EIGHT = np.ones((3, 3), bool)


def drawing_mask(ink: NDArray[np.floating]) -> Bits | None:
    """Where the drawing is, in a map (h, w) of how much ink there is; None where all belongs to it.

    The main part is the one with most ink, those that touch the border counting less. What is far
    from it and small goes; broken strokes stay.
    """
    labels, count = ndimage.label(ink > 0, _EIGHT)
    if count < 2:
        return None
    boxes = ndimage.find_objects(labels)
    mass = np.asarray(ndimage.sum_labels(ink, labels, range(1, count + 1)))
    weight = mass * [_weight(index, labels, boxes) for index in range(count)]
    kept = _near_or_large(boxes, mass, int(weight.argmax()), labels.shape)
    kept &= weight > 0
    if kept.all():
        return None
    mask: Bits = np.concatenate([[False], kept])[labels]
    return mask


def _weight(index: int, labels: NDArray[np.int32], boxes: list[Box]) -> float:
    """How likely a part is the drawing: less so at the border, not at all as a frame around it."""
    if _is_frame(labels[boxes[index]] == index + 1, labels[boxes[index]]):
        return 0.0
    return 0.25 if _touches(boxes[index], labels.shape) else 1.0


def _is_frame(part: Bits, around: NDArray[np.int32]) -> bool:
    """Whether a part runs along the sides of its box, and nowhere else, around another part."""
    height, width = part.shape
    edge = 1 + min(height, width) // 12
    if min(height, width) < 8 or not part[edge:-edge, edge:-edge].size:
        return False
    inside = (slice(edge, -edge), slice(edge, -edge))
    sides = (part[:edge].any(0), part[-edge:].any(0), part[:, :edge].any(1), part[:, -edge:].any(1))
    hollow = np.count_nonzero(part[inside]) < 0.02 * part.sum()
    filled = np.count_nonzero(around[inside]) > 0.02 * height * width
    return bool(hollow and filled and all(side.mean() > 0.9 for side in sides))


def _touches(box: Box, shape: tuple[int, ...]) -> bool:
    rows, columns = box
    return bool(
        rows.start == 0 or columns.start == 0 or rows.stop == shape[0] or columns.stop == shape[1]
    )


def _near_or_large(
    boxes: list[Box], mass: NDArray[np.floating], main: int, shape: tuple[int, ...]
) -> Bits:
    at_border = np.array([_touches(box, shape) for box in boxes])
    gaps = np.array([_gap(box, boxes[main]) for box in boxes])
    size = max(side.stop - side.start for side in boxes[main])
    share = mass / mass[main]
    near = gaps <= _FAR * size
    kept = np.where(near, share > _DUST, share > _SPECK)
    if not at_border[main]:
        kept &= ~at_border | (gaps <= 0.1 * size)
    kept[main] = True
    return np.asarray(kept, bool)


def _gap(one: Box, other: Box) -> int:
    """Pixels between two boxes along the axis on which they are farther apart."""
    gaps = [max(b.start - a.stop, a.start - b.stop, 0) for a, b in zip(one, other, strict=True)]
    return int(max(gaps))


def stroke_width(inked: Bits) -> float:
    """The mean width of strokes (h, w) in pixels: twice their area by their outline's length.

    The length is Crofton's: pi / 4 times the crossings of all rows and columns.
    """
    crossings = np.count_nonzero(inked[1:] != inked[:-1])
    crossings += np.count_nonzero(inked[:, 1:] != inked[:, :-1])
    # What reaches the border ends there.
    crossings += sum(map(np.count_nonzero, (inked[0], inked[-1], inked[:, 0], inked[:, -1])))
    return 2 * np.count_nonzero(inked) / max(np.pi / 4 * crossings, 1e-9)
