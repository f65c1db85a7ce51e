"""Picture files whose parts cost far more than their bytes are refused; true ones aren't."""

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from app.core.errors import UnreadableImage
from app.core.images import read_picture
from app.core.picture_parts import (
    MOST_NOTES,
    MOST_PARTS,
    MOST_SCANS,
    NOTES,
    SCAN,
    check_parts,
    count_parts,
)
from tests.fuzz.seeding import with_notes, with_scans
from tests.pictures import draw_digit, encode

DIGIT = Image.fromarray(draw_digit())
JPEG = encode(DIGIT.convert("RGB"), "jpeg")
STEPS = encode(DIGIT.convert("RGB"), "jpeg", progressive=True)
PNG = encode(DIGIT)


def height(data: bytes) -> int:
    return read_picture(data, 10**6).height


def test_scans_are_counted() -> None:
    assert count_parts(JPEG)[SCAN] == 1
    # As libjpeg makes them of three colours: jcparam.c's simple progression.
    assert count_parts(STEPS)[SCAN] == 10
    assert count_parts(with_scans(STEPS, 30))[SCAN] == 40


def test_a_jpeg_of_too_many_scans() -> None:
    assert height(with_scans(STEPS, MOST_SCANS - 10)) == DIGIT.height
    with pytest.raises(UnreadableImage, match="more than 100 scans"):
        read_picture(with_scans(STEPS, MOST_SCANS - 9), 10**6)


def test_what_looks_like_scans_is_none() -> None:
    """In a note, behind the picture, and behind numbers that begin like a marker."""
    note = b"\xff\xfe" + (2 + 400).to_bytes(2) + b"\xff\xda" * 200
    noted = JPEG[:2] + note * 9 + JPEG[2:] + b"\xff\xda" * 10_000
    assert count_parts(noted)[SCAN] == 1
    assert height(noted) == DIGIT.height


def test_restarts_are_no_parts() -> None:
    often = encode(DIGIT, "jpeg", restart_marker_blocks=1)
    assert often.count(b"\xff\xd0") > 100
    assert count_parts(often).total() < 20
    assert height(often) == DIGIT.height


@pytest.mark.parametrize(
    "filling", [b"\xff", b"x", b"\xff\xfe\0\2", b"\xff\0"], ids=["255", "any", "empty", "stuffed"]
)
def test_a_jpeg_with_much_before_its_first_scan(filling: bytes) -> None:
    tables = JPEG.index(b"\xff\xdb")
    assert height(JPEG[:tables] + filling * 100 + JPEG[tables:]) == DIGIT.height
    with pytest.raises(UnreadableImage, match="more than 10,000 parts"):
        read_picture(JPEG[:tables] + filling * MOST_PARTS + JPEG[tables:], 10**6)


@pytest.mark.parametrize("kind", NOTES[:-1])
def test_a_png_of_too_many_notes(kind: str) -> None:
    with pytest.raises(UnreadableImage, match="more than 100 notes"):
        read_picture(with_notes(PNG, kind.encode(), MOST_NOTES + 1), 10**6)


def test_notes_are_counted_behind_the_pixels_too() -> None:
    head, notes = PNG.index(b"IDAT") - 4, with_notes(PNG, b"zTXt", 101)
    behind = PNG[:-12] + notes[head : head + len(notes) - len(PNG)] + PNG[-12:]
    assert count_parts(behind)["zTXt"] == 101
    with pytest.raises(UnreadableImage, match="more than 100 notes"):
        read_picture(behind, 10**6)


def test_a_png_of_more_than_one_profile() -> None:
    assert height(with_notes(PNG, b"iCCP", 1)) == DIGIT.height
    with pytest.raises(UnreadableImage, match="more than one colour profile"):
        read_picture(with_notes(PNG, b"iCCP", 2), 10**6)


def test_a_png_of_too_many_chunks() -> None:
    with pytest.raises(UnreadableImage, match="more than 10,000 parts"):
        read_picture(with_notes(PNG, b"abCd", MOST_PARTS), 10**6)


def test_no_more_is_counted_than_is_refused() -> None:
    assert count_parts(with_notes(PNG, b"abCd", 20_000)).total() == MOST_PARTS + 1


def test_a_picture_with_many_true_notes_is_read() -> None:
    notes = PngImagePlugin.PngInfo()
    for number in range(MOST_NOTES):
        notes.add_text(f"note {number}", "said", zip=bool(number % 2))
    file = io.BytesIO()
    DIGIT.save(file, "png", pnginfo=notes)
    assert height(file.getvalue()) == DIGIT.height


def test_a_large_picture_has_few_parts() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1000, 2000, 3), dtype=np.uint8)
    for kind in ("png", "jpeg"):
        check_parts(encode(Image.fromarray(noise), kind))
