"""Numbers as pictures and files, for programs and for pages without script."""

import io
from math import ceil, prod, sqrt

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from app.core.coloring import Theme, color_indices, palette, value_range

Values = NDArray[np.float32]

GAP = 1


def as_npy(values: Values) -> bytes:
    """The array as a ``.npy`` file, which ``numpy.load`` reads."""
    file = io.BytesIO()
    np.save(file, values, allow_pickle=False)
    return file.getvalue()


def png_pixels(shape: tuple[int, ...], zoom: int) -> int:
    """How many pixels ``as_png`` makes of values of a shape, gaps and empty places included."""
    if len(shape) < 3:
        return prod(shape) * zoom**2
    *maps, height, width = shape
    rows, columns = maps if len(maps) == 2 else _square(maps[0])
    return rows * (height + GAP) * columns * (width + GAP) * zoom**2


def as_png(values: Values, signed: bool, theme: Theme = "light", zoom: int = 1) -> bytes:
    """A PNG whose palette is the colour scale; a pixel per number, times ``zoom``.

    ``values`` is (height, width), a map; (n, height, width), maps in a near-square grid;
    (rows, columns, height, width), a grid as it stands; or (n,), a row of numbers. The texts
    ``min`` and ``max`` of the file say what the palette's ends stand for, so that the numbers can
    be read back to within half a step of 255.
    """
    span = value_range(values, signed)
    indices = _grid(color_indices(values, span), background=128 if signed else 0)
    indices = indices.repeat(zoom, axis=0).repeat(zoom, axis=1)
    picture = Image.fromarray(indices)
    picture.putpalette(palette(theme, signed).tobytes())
    notes = PngInfo()
    notes.add_text("min", repr(span[0]))
    notes.add_text("max", repr(span[1]))
    file = io.BytesIO()
    picture.save(file, "png", pnginfo=notes)
    return file.getvalue()


def pictures_as_png(pictures: NDArray[np.uint8], zoom: int = 1) -> bytes:
    """Grey or RGB pictures (n, channels, height, width) as a PNG, in a near-square grid."""
    channels = [_grid(pictures[:, channel], background=128) for channel in range(pictures.shape[1])]
    merged = np.stack(channels, axis=-1).repeat(zoom, axis=0).repeat(zoom, axis=1)
    file = io.BytesIO()
    Image.fromarray(merged[..., 0] if len(channels) == 1 else merged).save(file, "png")
    return file.getvalue()


def _grid(indices: NDArray[np.uint8], background: int) -> NDArray[np.uint8]:
    if indices.ndim == 1:
        return indices[None, :]
    if indices.ndim == 2:
        return indices
    if indices.ndim == 3:
        indices = _near_square(indices, background)
    rows, columns, height, width = indices.shape
    padding = ((0, 0), (0, 0), (0, GAP), (0, GAP))
    padded = np.pad(indices, padding, constant_values=background)
    whole = padded.transpose(0, 2, 1, 3).reshape(rows * (height + GAP), columns * (width + GAP))
    return whole[:-GAP, :-GAP]


def _near_square(maps: NDArray[np.uint8], background: int) -> NDArray[np.uint8]:
    rows, columns = _square(len(maps))
    missing = ((0, rows * columns - len(maps)), (0, 0), (0, 0))
    full = np.pad(maps, missing, constant_values=background)
    return full.reshape(rows, columns, *maps.shape[1:])


def _square(count: int) -> tuple[int, int]:
    """The rows and columns of a near-square grid."""
    columns = ceil(sqrt(count))
    return -(-count // columns), columns
