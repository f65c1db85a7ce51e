"""The parts of a drawing: which patches of ink belong to it, and which are specks and frames."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped]

# Below these shares of the main part's ink, a patch is a speck: wherever it lies, and far off.
_DUST, _SPECK = 0.006, 0.05
_FAR = 0.25

_EIGHT = np.ones((3, 3), bool)


def drawing_mask(ink: NDArray[np.floating]) -> NDArray[np.bool_] | None:
    """Where the drawing is, in a map (h, w) of how much ink there is; None where all belongs to it.

    The main part is the one with most ink, those that touch the border counting less. What is far
    from it and small goes; broken strokes stay.
    """
    labels, count = ndimage.label(ink > 0, _EIGHT)
    if count < 2:
        return None
    boxes = ndimage.find_objects(labels)
    mass = np.asarray(ndimage.sum_labels(ink, labels, range(1, count + 1)))
    at_border = np.array([_touches(box, labels.shape) for box in boxes])
    main = int((mass * np.where(at_border, 0.25, 1)).argmax())
    kept = _near_or_large(boxes, mass, main, at_border)
    if kept.all():
        return None
    return np.concatenate([[False], kept])[labels]


def _touches(box: tuple[slice, slice], shape: tuple[int, ...]) -> bool:
    rows, columns = box
    return bool(
        rows.start == 0 or columns.start == 0 or rows.stop == shape[0] or columns.stop == shape[1]
    )


def _near_or_large(
    boxes: list[tuple[slice, slice]],
    mass: NDArray[np.floating],
    main: int,
    at_border: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    gaps = np.array([_gap(box, boxes[main]) for box in boxes])
    size = max(side.stop - side.start for side in boxes[main])
    share = mass / mass[main]
    near = gaps <= _FAR * size
    kept = np.where(near, share > _DUST, share > _SPECK)
    if not at_border[main]:
        kept &= ~at_border | (gaps <= 0.1 * size)
    kept[main] = True
    return kept


def _gap(one: tuple[slice, slice], other: tuple[slice, slice]) -> int:
    """Pixels between two boxes along the axis on which they are farther apart."""
    return max(max(b.start - a.stop, a.start - b.stop, 0) for a, b in zip(one, other, strict=True))


def stroke_width(inked: NDArray[np.bool_]) -> float:
    """The mean width of strokes (h, w) in pixels: twice their area by their outline's length.

    The length is Crofton's: pi / 4 times the crossings of all rows and columns.
    """
    framed = np.pad(inked, 1)
    crossings = np.count_nonzero(framed[1:] != framed[:-1])
    crossings += np.count_nonzero(framed[:, 1:] != framed[:, :-1])
    return 2 * int(inked.sum()) / max(np.pi / 4 * crossings, 1e-9)
