"""What picture files are made of: a few of their parts cost far more than their bytes.

A scan of 32 bytes goes over all pixels of a JPEG again, and a note of a kilobyte in a PNG unpacks
to a megabyte. So parts are counted, by their headers alone, before anything is decoded.
"""

import re
import struct
from collections import Counter
from collections.abc import Iterator
from itertools import islice, repeat
from typing import Final

from app.core.errors import UnreadableImage

# A progressive JPEG has about ten scans, and a PNG of 50 MB some six thousand chunks.
MOST_PARTS, MOST_SCANS, MOST_NOTES = 10_000, 100, 100
NOTES: Final = ("tEXt", "zTXt", "iTXt", "iCCP")
PACKED: Final = ("zTXt", "iTXt", "iCCP")
SCAN: Final = "scan"

_PNG_CHUNK = struct.Struct(">I4s")  # bytes that follow, and of what kind
_JPEG_MARKER = re.compile(rb"\xff([^\0\xff])")
# Among a scan's numbers 255 is followed by 0, or by the number of a restart.
_JPEG_MARKER_BEHIND_SCAN = re.compile(rb"\xff([^\0\xd0-\xd7\xff])")
_ALONE = (0x01, *range(0xD0, 0xDA))  # markers without a length
_START_OF_SCAN, _END = 0xDA, 0xD9


def check_parts(data: bytes) -> None:
    """Raise UnreadableImage where a PNG or JPEG file has more parts than any true one."""
    parts = count_parts(data)
    if parts.total() > MOST_PARTS:
        raise _refusal(f"{MOST_PARTS:,} parts")
    if parts[SCAN] > MOST_SCANS:
        raise _refusal(f"{MOST_SCANS} scans")
    if parts["iCCP"] > 1:
        raise _refusal("one colour profile")
    if sum(parts[kind] for kind in NOTES) > MOST_NOTES:
        raise _refusal(f"{MOST_NOTES} notes beside it")


def count_parts(data: bytes) -> Counter[str]:
    """How many parts of each kind a PNG or JPEG file has, up to one more than ``MOST_PARTS``.

    Those of a PNG are called as its chunks are; of a JPEG the scans are told from all else.
    """
    kinds: Iterator[str] = iter(())
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        kinds = _png_chunks(data)
    elif data.startswith(b"\xff\xd8"):
        kinds = _jpeg_segments(data)
    return Counter(islice(kinds, MOST_PARTS + 1))


def _refusal(much: str) -> UnreadableImage:
    return UnreadableImage(
        f"The picture's file has more than {much}, and it would take too long to read them. Open "
        "it in a program for pictures and save it again, or send a screenshot of it."
    )


def _png_chunks(data: bytes) -> Iterator[str]:
    at = 8
    while at + _PNG_CHUNK.size <= len(data):
        size, kind = _PNG_CHUNK.unpack_from(data, at)
        yield kind.decode("latin-1")
        if kind == b"IEND":
            return
        at += _PNG_CHUNK.size + size + 4  # and a checksum


def _jpeg_segments(data: bytes) -> Iterator[str]:
    at, scanned = 2, False
    while found := (_JPEG_MARKER_BEHIND_SCAN if scanned else _JPEG_MARKER).search(data, at):
        if not scanned:  # Filling is read byte by byte.
            yield from repeat("filling", found.start() - at)
        marker = found[1][0]
        if marker == _END and scanned:
            return
        scanned = scanned or marker == _START_OF_SCAN
        yield SCAN if marker == _START_OF_SCAN else "segment"
        at = found.end()
        if marker not in _ALONE:
            at += max(2, int.from_bytes(data[at : at + 2]))
