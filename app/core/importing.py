"""A folder or zip of pictures, one folder per class, as a data set of the user's own.

Expected are ``train/<class>/*`` and ``test/<class>/*``, alone or in one folder that holds both.
Nothing is unpacked to the disk: each picture is read where it lies, and the finished data set is
written in one step.
"""

import re
import stat
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from math import prod
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np
import torch
from PIL import Image

from app.core.dataset_files import PARTS, Dataset, DatasetFolders, Split, save_dataset
from app.core.datasets import BUNDLED, title_of
from app.core.errors import ConvScopeError
from app.core.images import Pixels, read_picture
from app.core.memory import device_memory
from app.core.sniffing import FORMATS
from app.core.whole_files import remove_leftovers

MOST_PICTURES = 1_000_000
MOST_UPLOADED = 200_000
MOST_PICTURE_BYTES = 50 * 1024 * 1024
MOST_BYTES = 8 * 1024**3
MOST_PIXELS = 50_000_000
MOST_TENSOR_BYTES = 4 * 1024**3

# Pictures of different sizes are brought to this one, unless another is asked for.
USUAL_SIDE = 64
LARGEST_SIDE = 512

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_JUNK = re.compile(r"(^|/)(__MACOSX/|\.|Thumbs\.db$|desktop\.ini$)")
_SHOWN = 3
# What each file's line begins with in a zip's list (PKWARE, APPNOTE.TXT, 4.3.12).
_LISTED = b"PK\x01\x02"
_PIECE = 1024 * 1024

Progress = Callable[[int, int], None]


class BadImport(ConvScopeError):
    """What is to be imported is no data set; the message says what is wrong with it."""


@dataclass(frozen=True)
class Entry:
    """A picture of a class: ``path`` names it for people, ``read`` gives its bytes."""

    part: str
    label: str
    path: str
    read: Callable[[], bytes]


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
    their middle. They are grey if all files are grey, else RGB. ``progress`` is told how many
    pictures of how many are done. Raises BadImport and DatasetUnavailable; then nothing is kept.
    """
    check_name(name, folders)
    remove_leftovers(folders.kept)
    if side is not None and not 4 <= side <= LARGEST_SIDE:
        raise BadImport(f"The size is a number of 4 to {LARGEST_SIDE} pixels, not {side}.")
    with _open(source) as entries:
        classes = _classes_of(entries)
        shape = _shape_of(entries, side)
        _check_budget(len(entries), prod(shape))
        done = 0
        broken: dict[str, str] = {}

        def read(entry: Entry) -> Pixels | None:
            nonlocal done
            done += 1
            progress(done, len(entries))
            try:
                return _decode(entry, *shape)
            except ConvScopeError as error:
                broken[entry.path] = str(error)
                return None

        train, test = (
            _split([entry for entry in entries if entry.part == part], classes, shape, read)
            for part in PARTS
        )
    if broken:
        path, said = next(iter(broken.items()))
        of = f" Of {path}: " if len(broken) > 1 else " "
        raise BadImport(f"{_named(list(broken))} can't be decoded.{of}{said}")
    dataset = Dataset(name, title_of(name), classes, shape, len(train), len(test))
    save_dataset(folders.kept, dataset, train, test)
    return dataset


@contextmanager
def _open(source: Path | IO[bytes]) -> Iterator[list[Entry]]:
    if isinstance(source, Path) and source.is_dir():
        yield _sorted(_in_folder(source))
    elif isinstance(source, Path) and not source.exists():
        raise BadImport(f"There is neither a folder nor a file at {source}.")
    else:
        with _unzip(source) as archive:
            yield _sorted(_in_zip(archive))


def _unzip(source: Path | IO[bytes]) -> zipfile.ZipFile:
    if not isinstance(source, Path):
        _check_directory(source)
    try:
        return zipfile.ZipFile(source)
    except Exception as error:  # Damaged lists of files raise nearly anything.
        raise BadImport(
            f"This is not a zip file that can be read ({error}). Take a zip without a password."
        ) from error


def _check_directory(file: IO[bytes]) -> None:
    """Refuse a zip that lists so many files that its list alone would fill the memory."""
    listed, before = 0, b""
    while piece := file.read(_PIECE):
        listed += (before + piece).count(_LISTED)
        before = piece[1 - len(_LISTED) :]
    file.seek(0)
    if listed > MOST_UPLOADED:
        raise BadImport(
            f"The zip lists more than {MOST_UPLOADED:,} files. Import it with `convscope data "
            "import`, or take fewer."
        )


@dataclass(frozen=True)
class _File:
    path: str
    size: int
    read: Callable[[], bytes]


def _in_folder(folder: Path) -> Iterator[_File]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if _JUNK.search(name):
            continue
        if path.is_symlink():
            raise BadImport(f"{name} is a link. Put the picture itself there.")
        if path.is_file():
            yield _File(name, path.stat().st_size, path.read_bytes)


def _in_zip(archive: zipfile.ZipFile) -> Iterator[_File]:
    for info in archive.infolist():
        name = info.filename
        if stat.S_ISLNK(info.external_attr >> 16):
            raise BadImport(f"{name} is a link. Pack the picture itself.")
        if "\\" in name or ".." in PurePosixPath(name).parts or name.startswith("/"):
            raise BadImport(f"The path {name!r} leads out of the zip. Pack it anew.")
        if not name:
            raise BadImport("The zip has a file without a name. Pack it anew.")
        if info.is_dir() or _JUNK.search(name):
            continue
        # No more is unpacked than the header says.
        yield _File(name, info.file_size, partial(archive.read, info))


def _sorted(files: Iterator[_File]) -> list[Entry]:
    """The files as pictures of classes, in the order of their paths."""
    entries: list[Entry] = []
    strange: list[str] = []
    total = 0
    for file in files:
        total += file.size
        _check_amount(file, len(entries) + len(strange), total)
        parts = file.path.split("/")
        at = 1 if len(parts) == 4 else 0
        if len(parts) == at + 3 and parts[at] in PARTS:
            entries.append(Entry(parts[at], parts[at + 1], file.path, file.read))
        else:
            strange.append(file.path)
    if strange or not entries:
        said = f": {_named(strange)} lie elsewhere" if strange else ": there is no file at all"
        raise BadImport(
            f"Pictures are expected as train/<class>/<picture> and test/<class>/<picture>{said}."
        )
    return sorted(entries, key=lambda entry: entry.path)


def _check_amount(file: _File, count: int, total: int) -> None:
    if file.size > MOST_PICTURE_BYTES:
        raise BadImport(
            f"{file.path} has {file.size / 1e6:.0f} MB; a picture has at most "
            f"{MOST_PICTURE_BYTES / 1e6:.0f}."
        )
    if count >= MOST_PICTURES:
        raise BadImport(f"These are more than {MOST_PICTURES:,} pictures. Take fewer.")
    if total > MOST_BYTES:
        raise BadImport(f"All pictures together have more than {MOST_BYTES / 1e9:.0f} GB.")


def _classes_of(entries: Sequence[Entry]) -> tuple[str, ...]:
    train, test = ({e.label for e in entries if e.part == part} for part in PARTS)
    if missing := sorted(train ^ test):
        raise BadImport(
            f"Every class has pictures in train and in test; {_named(missing)} lacks one of them."
        )
    if len(train) < 2:
        raise BadImport("A data set has at least two classes, each a folder in train and in test.")
    return tuple(sorted(train))


def _shape_of(entries: Sequence[Entry], side: int | None) -> tuple[int, int, int]:
    """Channels, height and width of all pictures, as their headers tell."""
    sizes, modes, strange, large = set(), set(), [], []
    for entry in entries:
        try:
            with Image.open(BytesIO(entry.read()), formats=FORMATS) as image:
                sizes.add(image.size)
                modes.add(image.mode)
                if image.width * image.height > MOST_PIXELS:
                    large.append(entry.path)
        except Exception:  # Pillow's decoders and damaged archives raise nearly anything.
            strange.append(entry.path)
    if strange:
        raise BadImport(
            f"{_named(strange)} can't be read as pictures (PNG, JPEG, WebP, GIF or BMP). Take "
            "them out, or replace them."
        )
    if large:
        raise BadImport(
            f"{_named(large)} can't be read: a picture has at most {MOST_PIXELS / 1e6:.0f} million "
            "pixels. Send smaller copies."
        )
    channels = 1 if modes <= {"1", "L"} else 3
    if side is None and len(sizes) == 1:
        (width, height), *_ = sizes
        if max(width, height) <= LARGEST_SIDE:
            return channels, height, width
    return channels, side or USUAL_SIDE, side or USUAL_SIDE


def _check_budget(count: int, size: int) -> None:
    # All are in memory until they are written, and some of them twice while that is done.
    most = min(MOST_TENSOR_BYTES, device_memory("cpu") // 4)
    if count * size > most:
        raise BadImport(
            f"{count:,} pictures of {size:,} numbers are {count * size / 1e9:.1f} GB, more than "
            f"{most / 1e9:.1f}. Ask for smaller ones, or take fewer."
        )


def _decode(entry: Entry, channels: int, height: int, width: int) -> Pixels:
    """A picture as (channels, height, width): the middle of what it shows, in that size.

    Raises what ``read_picture`` raises.
    """
    picture = read_picture(entry.read(), MOST_PIXELS)
    image = Image.fromarray(picture.pixels).convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        scale = min(image.width / width, image.height / height)
        left, top = (image.width - width * scale) / 2, (image.height - height * scale) / 2
        box = (left, top, left + width * scale, top + height * scale)
        image = image.resize((width, height), Image.Resampling.BICUBIC, box)
    return np.asarray(image).reshape(height, width, channels).transpose(2, 0, 1)


def _split(
    entries: Sequence[Entry],
    classes: tuple[str, ...],
    shape: tuple[int, int, int],
    read: Callable[[Entry], Pixels | None],
) -> Split:
    number = {label: index for index, label in enumerate(classes)}
    images = np.empty((len(entries), *shape), np.uint8)
    for place, entry in enumerate(entries):
        if (pixels := read(entry)) is not None:
            images[place] = pixels
    labels = torch.tensor([number[entry.label] for entry in entries])
    return Split(torch.from_numpy(images), labels)


def _named(paths: Sequence[str]) -> str:
    """A few of the paths by name, and how many there are besides."""
    more = f" and {len(paths) - _SHOWN:,} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more
