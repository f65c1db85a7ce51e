"""A folder or zip of pictures, one folder per class, as a data set of the user's own.

Nothing is unpacked to the disk: each picture is read where it lies, and the finished data set is
written in one step.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
import torch
from PIL import ExifTags, Image

from app.core.dataset_files import PARTS, Dataset, DatasetFolders, Split, save_dataset
from app.core.datasets import BUNDLED, title_of
from app.core.errors import ConvScopeError, UnreadableImage
from app.core.images import Pixels, read_picture
from app.core.importing_files import MOST_BYTES, BadImport, Entry, name_some, open_entries
from app.core.memory import device_memory
from app.core.picture_parts import check_parts
from app.core.resizing import middle
from app.core.sniffing import FORMATS
from app.core.whole_files import remove_leftovers

MOST_PIXELS = 50_000_000
# Of all pictures together: as many as there are bits in the most bytes that are read, since a
# photograph has at least one for each pixel. A million drawings of 256 x 256 have fewer, however
# few bytes they need. They take an hour at worst; without a limit a small zip could take days.
MOST_PIXELS_TOGETHER = 8 * MOST_BYTES
MOST_TENSOR_BYTES = 4 * 1024**3

# Pictures of different sizes are brought to this one, unless another is asked for.
USUAL_SIDE = 64
LARGEST_SIDE = 512

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
# Pillow's modes without colour. A picture of another mode may turn out to have none, too.
_GREY = {"1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "I;16N"}
# What in a PNG says how it is turned: an EXIF chunk, and the keywords of texts that hold the same.
_TURNING = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")

Progress = Callable[[int, int], None]
Shape = tuple[int, int, int]


def check_name(name: str, folders: DatasetFolders) -> str:
    """A name that a new data set may have. Raises BadImport."""
    if not _NAME.fullmatch(name):
        raise BadImport(
            f"{name!r} is no name for a data set: use up to 64 small letters, digits and hyphens."
        )
    if name == BUNDLED.name or folders.file(name).exists():
        raise BadImport(f"There is a data set called {name!r} already. Choose another name.")
    return name


def import_dataset(
    source: Path | IO[bytes],
    name: str,
    folders: DatasetFolders,
    side: int | None = None,
    progress: Progress = lambda done, total: None,
) -> Dataset:
    """Import the folder or zip at ``source``, or an open zip, as the data set ``name``.

    All pictures get one size: their own if it is the same for all, else ``side`` x ``side`` pixels,
    their middle. They are grey if none has colour, else RGB. ``progress`` is told how many
    pictures of how many are done. Raises BadImport and DatasetUnavailable; then nothing is kept.
    """
    check_name(name, folders)
    remove_leftovers(folders.kept)
    if side is not None and not 4 <= side <= LARGEST_SIDE:
        raise BadImport(f"The size is a number of 4 to {LARGEST_SIDE} pixels, not {side}.")
    with open_entries(source) as entries:
        classes = _classes_of(entries)
        shape = _shape_of(entries, side)
        _check_budget(len(entries), prod(shape))
        reading = _Reading(shape, len(entries), progress)
        parts = [[entry for entry in entries if entry.part == part] for part in PARTS]
        train, test = (_split(part, classes, reading) for part in parts)
    _check_whole(reading.broken)
    if not reading.coloured:
        # All their channels are equal.
        train, test = (Split(each.images[:, :1], each.labels) for each in (train, test))
        shape = (1, *shape[1:])
    dataset = Dataset(name, title_of(name), classes, shape, len(train), len(test))
    save_dataset(folders.kept, dataset, train, test)
    return dataset


@dataclass
class _Reading:
    """The pictures of a data set, decoded one by one: how many are done, which of them are broken,
    and whether any has colour."""

    shape: Shape
    total: int
    progress: Progress
    done: int = 0
    broken: dict[str, str] = field(default_factory=dict)
    coloured: bool = False

    def read(self, entry: Entry) -> Pixels | None:
        """A picture in the shape of all; None for one that is broken."""
        self.done += 1
        self.progress(self.done, self.total)
        try:
            pixels = read_picture(entry.read(), MOST_PIXELS).pixels
        except ConvScopeError as error:
            self.broken[entry.path] = str(error)
            return None
        self.coloured |= pixels.ndim == 3
        return _fit(pixels, *self.shape)


def _check_whole(broken: dict[str, str]) -> None:
    """Refuse broken pictures, given what is said of each."""
    if broken:
        path, said = next(iter(broken.items()))
        of = f" Of {path}: " if len(broken) > 1 else " "
        raise BadImport(f"{name_some(list(broken))} can't be decoded.{of}{said}")


def _classes_of(entries: Sequence[Entry]) -> tuple[str, ...]:
    train, test = ({e.label for e in entries if e.part == part} for part in PARTS)
    if missing := sorted(train ^ test):
        raise BadImport(
            f"Every class has pictures in train and in test; {name_some(missing)} lacks one of "
            "them."
        )
    if len(train) < 2:
        raise BadImport("A data set has at least two classes, each a folder in train and in test.")
    return tuple(sorted(train))


def _shape_of(entries: Sequence[Entry], side: int | None) -> Shape:
    """Channels, height and width of all pictures, as their headers tell: one channel where none
    can have colour."""
    headers = _headers_of(entries)
    channels = 1 if {header.mode for header in headers} <= _GREY else 3
    sizes = {header.size for header in headers}
    if side is None and len(sizes) == 1:
        ((width, height),) = sizes
        if max(width, height) <= LARGEST_SIDE:
            return channels, height, width
    return channels, side or USUAL_SIDE, side or USUAL_SIDE


@dataclass(frozen=True)
class _Header:
    """What is known of a picture before it is decoded: ``size`` is its width and height when it
    stands upright."""

    mode: str
    size: tuple[int, int]

    @property
    def pixels(self) -> int:
        return self.size[0] * self.size[1]


def _headers_of(entries: Sequence[Entry]) -> set[_Header]:
    """The headers that there are among the pictures. Raises BadImport for pictures that can't be
    read or have too many pixels."""
    headers, strange, large, total = set(), [], [], 0
    costly: dict[str, str] = {}
    for entry in entries:
        try:
            header = _header_of(entry.read())
        except UnreadableImage as error:
            costly[entry.path] = str(error)
            continue
        except Exception:  # Pillow's decoders and damaged archives raise nearly anything.
            strange.append(entry.path)
            continue
        headers.add(header)
        total += header.pixels
        if header.pixels > MOST_PIXELS:
            large.append(entry.path)
    if strange:
        raise BadImport(
            f"{name_some(strange)} can't be read as pictures (PNG, JPEG, WebP, GIF or BMP). Take "
            "them out, or replace them."
        )
    _check_whole(costly)
    _check_pixels(large, total)
    return headers


def _check_pixels(large: Sequence[str], total: int) -> None:
    if large:
        raise BadImport(
            f"{name_some(large)} can't be read: a picture has at most {MOST_PIXELS / 1e6:.0f} "
            "million pixels. Send smaller copies."
        )
    if total > MOST_PIXELS_TOGETHER:
        raise BadImport(
            f"All pictures together have more than {MOST_PIXELS_TOGETHER / 1e9:.1f} billion "
            "pixels. Send smaller copies, or take fewer."
        )


def _header_of(data: bytes) -> _Header:
    """Raises UnreadableImage where this alone would take long, and whatever Pillow raises."""
    check_parts(data)
    with Image.open(BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
        # The size of a larger picture isn't kept, and must not be decoded here.
        lies = max(width, height) <= LARGEST_SIDE and _lies_on_its_side(image, data)
        return _Header(image.mode, (height, width) if lies else (width, height))


def _lies_on_its_side(image: Image.Image, data: bytes) -> bool:
    # Pillow looks for EXIF behind the pixels of a PNG, too, and decodes them on its way there.
    if image.format == "PNG" and not any(name in data for name in _TURNING):
        return False
    with suppress(Exception):  # A damaged note on the picture doesn't make it unreadable.
        return int(image.getexif().get(ExifTags.Base.Orientation, 1)) in range(5, 9)
    return False


def _check_budget(count: int, size: int) -> None:
    # All are in memory until they are written, and some of them twice while that is done.
    most = min(MOST_TENSOR_BYTES, device_memory("cpu") // 4)
    if count * size > most:
        raise BadImport(
            f"{count:,} pictures of {size:,} numbers are {count * size / 1e9:.1f} GB, more than "
            f"{most / 1e9:.1f}. Ask for smaller ones, or take fewer."
        )


def _fit(pixels: Pixels, channels: int, height: int, width: int) -> Pixels:
    """A picture as (channels, height, width): the middle of what it shows, in that size."""
    image = Image.fromarray(pixels).convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        top, left, rows, columns = middle((image.height, image.width), (height, width))
        box = (left, top, left + columns, top + rows)
        image = image.resize((width, height), Image.Resampling.BICUBIC, box)
    return np.asarray(image).reshape(height, width, channels).transpose(2, 0, 1)


def _split(entries: Sequence[Entry], classes: tuple[str, ...], reading: _Reading) -> Split:
    number = {label: index for index, label in enumerate(classes)}
    images = np.empty((len(entries), *reading.shape), np.uint8)
    for place, entry in enumerate(entries):
        if (pixels := reading.read(entry)) is not None:
            images[place] = pixels
    labels = torch.tensor([number[entry.label] for entry in entries])
    return Split(torch.from_numpy(images), labels)
