"""Which pictures a folder or zip holds, of which class each is, and how its bytes are read.

Expected are ``train/<class>/*`` and ``test/<class>/*``, alone or in one folder that holds both.
Paths are told apart in Unicode's composed form (NFC), since systems write one letter in several
ways.
"""

import re
import stat
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import IO

from app.core.dataset_files import PARTS
from app.core.declared_types import fits
from app.core.errors import ConvScopeError

MOST_PICTURES = 1_000_000
MOST_UPLOADED = 200_000
MOST_PICTURE_BYTES = 50 * 1024 * 1024
MOST_BYTES = 8 * 1024**3

_JUNK = re.compile(r"(^|/)(__MACOSX/|\.|Thumbs\.db$|desktop\.ini$)")
_SHOWN = 3
# What each file's line begins with in a zip's list, and two of its flags (PKWARE, APPNOTE.TXT,
# 4.3.12 and 4.4.4).
_LISTED = b"PK\x01\x02"
_ENCRYPTED, _UTF8 = 0x1, 0x800
# Of others zipfile unpacks all that a few bytes stand for, however much that is.
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_PIECE = 1024 * 1024


class BadImport(ConvScopeError):
    """What is to be imported is no data set; the message says what is wrong with it."""


@dataclass(frozen=True)
class Entry:
    """A picture of a class: ``path`` names it for people, ``read`` gives its bytes."""

    part: str
    label: str
    path: str
    read: Callable[[], bytes]


@contextmanager
def open_entries(source: Path | IO[bytes]) -> Iterator[list[Entry]]:
    """The pictures in the folder or zip at ``source``, or in an open zip, in the order of their
    paths. Their bytes can be read until the block is left. Raises BadImport."""
    if isinstance(source, Path) and source.is_dir():
        yield _sorted(_in_folder(source))
    elif isinstance(source, Path) and not source.exists():
        raise BadImport(f"There is neither a folder nor a file at {source}.")
    else:
        with _unzip(source) as archive:
            yield _sorted(_in_zip(archive))


def name_some(paths: Sequence[str]) -> str:
    """A few of the paths by name, and how many there are besides."""
    more = f" and {len(paths) - _SHOWN:,} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more


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
        name = _composed(path.relative_to(folder).as_posix())
        if _JUNK.search(name):
            continue
        _check_text(name)
        if path.is_symlink():
            raise BadImport(f"{name} is a link. Put the picture itself there.")
        if path.is_file():
            yield _File(name, path.stat().st_size, path.read_bytes)


def _check_text(name: str) -> None:
    """Refuse bytes that are no text: a class that is called so could be shown and kept nowhere."""
    if not fits(name, str):
        raise BadImport(f"The name of {name} is not in UTF-8. Rename it, and import the set again.")


def _in_zip(archive: zipfile.ZipFile) -> Iterator[_File]:
    for info in archive.infolist():
        name = _name_of(info)
        _check_name(name, info)
        if info.is_dir() or _JUNK.search(name):
            continue
        _check_packing(name, info)
        yield _File(name, info.file_size, partial(_unpack, archive, info))


def _name_of(info: zipfile.ZipInfo) -> str:
    """A path in UTF-8, as most zips have it though some don't say so; else in the code page of old
    ones, as which Python has read it."""
    name = info.filename
    if not info.flag_bits & _UTF8:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return _composed(name)


def _composed(path: str) -> str:
    return unicodedata.normalize("NFC", path)


def _check_name(name: str, info: zipfile.ZipInfo) -> None:
    if stat.S_ISLNK(info.external_attr >> 16):
        raise BadImport(f"{name} is a link. Pack the picture itself.")
    if "\\" in name or ".." in PurePosixPath(name).parts or name.startswith("/"):
        raise BadImport(f"The path {name!r} leads out of the zip. Pack it anew.")
    if not name:
        raise BadImport("The zip has a file without a name. Pack it anew.")


def _check_packing(name: str, info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise BadImport(f"The zip has a password: {name} is encrypted. Pack it again without one.")
    if info.compress_type not in _PACKINGS:
        raise BadImport(
            f"{name} is packed in a way that isn't read here: pack the zip again with the usual "
            "Deflate."
        )


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """As many bytes as the zip declares. Raises BadZipFile where there are more, and whatever
    ``zipfile`` raises at damaged ones."""
    one_more = copy(info)
    one_more.file_size += 1  # zipfile itself stops there, and says nothing of what is left.
    with archive.open(one_more) as file:
        data = file.read(one_more.file_size)
    if len(data) > info.file_size:
        raise zipfile.BadZipFile(f"{info.filename} holds more than the zip declares.")
    return data


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
        said = f": {name_some(strange)} lie elsewhere" if strange else ": there is no file at all"
        raise BadImport(
            f"Pictures are expected as train/<class>/<picture> and test/<class>/<picture>{said}."
        )
    entries.sort(key=lambda entry: entry.path)
    _check_once(entries)
    return entries


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


def _check_once(entries: Sequence[Entry]) -> None:
    """Refuse paths that come twice in a sorted list."""
    twice = sorted({one.path for one, other in pairwise(entries) if one.path == other.path})
    if twice:
        raise BadImport(
            f"{name_some(twice)} is there more than once, letter for letter. Rename one, or take "
            "it out."
        )
