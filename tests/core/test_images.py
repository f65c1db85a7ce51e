"""Any bytes become a picture or a domain error; every mode and format gives the same picture."""

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.core.errors import ConvScopeError, ImageTooLarge, InvalidPixels, UnreadableImage
from app.core.images import (
    Picture,
    picture_from_grey,
    picture_from_image,
    picture_from_pixels,
    picture_to_png,
    read_picture,
)
from tests.pictures import draw_digit, encode, paint

LIMIT = 16_000_000
INK = draw_digit(canvas=(60, 50), height=30, at=(12, 10), pen=5)
DARK = 255 - INK
CREATED = settings(max_examples=60, deadline=None)


def read(data: bytes) -> Picture:
    return read_picture(data, LIMIT)


def difference(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(one.astype(int) - other.astype(int)).max())


@pytest.mark.parametrize(
    ("kind", "options"), [("png", {}), ("bmp", {}), ("gif", {}), ("webp", {"lossless": True})]
)
@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1"])
def test_formats_without_loss_give_the_very_pixels(
    kind: str, options: dict[str, Any], mode: str
) -> None:
    ink = DARK if mode != "1" else np.where(DARK > 127, 255, 0).astype(np.uint8)
    data = encode(Image.fromarray(ink).convert(mode), kind, **options)
    assert difference(read(data).pixels, ink) == 0


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_of_any_mode_is_about_the_picture(mode: str) -> None:
    picture = read(encode(Image.fromarray(DARK).convert(mode), "jpeg", quality=95))
    grey = picture.pixels if picture.pixels.ndim == 2 else picture.pixels.mean(axis=2)
    assert difference(grey, DARK) < 32


def test_colours_survive() -> None:
    image = paint(INK, (200, 30, 30), (20, 110, 20))
    assert difference(read(encode(image)).pixels, np.asarray(image)) == 0


def test_16_bit_grey_is_scaled_not_clipped() -> None:
    wide = np.linspace(0, 65535, 400).reshape(20, 20).astype(np.uint16)
    pixels = read(encode(Image.fromarray(wide))).pixels
    assert difference(pixels, np.rint(wide / 257)) == 0


@pytest.mark.parametrize("mode", ["I", "F", "LAB", "HSV", "YCbCr"])
def test_images_of_other_modes_are_pictures_too(mode: str) -> None:
    image = Image.fromarray(DARK)
    if mode == "I":
        image = Image.fromarray(DARK.astype(np.int32) * 257)
    elif mode == "F":
        image = Image.fromarray(DARK.astype(np.float32))
    else:
        image = image.convert("RGB")
        image = image if mode == "LAB" else image.convert(mode)
    assert difference(picture_from_image(image).pixels, DARK) <= 3


@pytest.mark.parametrize("kind", ["png", "webp"])
@pytest.mark.parametrize(("ink", "backdrop"), [(10, 255), (250, 0)])
def test_transparent_pictures_get_a_backdrop_that_contrasts(
    kind: str, ink: int, backdrop: int
) -> None:
    image = Image.new("RGB", (60, 50), (ink,) * 3)
    image.putalpha(Image.fromarray(INK))
    pixels = read(encode(image, kind, lossless=True)).pixels
    assert pixels[0, 0] == backdrop
    assert abs(int(pixels[INK == 255].mean()) - ink) < 4


def test_a_sticker_with_its_own_paper_keeps_its_paper() -> None:
    alpha = Image.new("L", (60, 50))
    alpha.paste(255, (4, 4, 56, 46))
    image = Image.fromarray(DARK).convert("RGB")
    image.putalpha(alpha)
    assert read(encode(image)).pixels[0, 0] > 240


def test_a_palette_with_transparency() -> None:
    image = Image.fromarray(DARK).quantize(4)
    paper = image.getpixel((0, 0))
    data = encode(image, "png", transparency=paper)
    assert difference(read(data).pixels, read(encode(image.convert("L"))).pixels) < 8


def test_a_picture_that_is_transparent_all_over_is_blank() -> None:
    pixels = read(encode(Image.new("RGBA", (30, 30)))).pixels
    assert pixels.min() == pixels.max()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_exif_orientation_is_applied(orientation: int, kind: str) -> None:
    upright = Image.fromarray(DARK)
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = read(encode(stored, kind, exif=exif, quality=95)).pixels
    assert pixels.shape[:2] == DARK.shape
    assert difference(pixels if pixels.ndim == 2 else pixels.mean(axis=2), DARK) < 40


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_exif_does_not_matter() -> None:
    data = encode(Image.fromarray(DARK), "jpeg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert read(data).pixels.shape == DARK.shape


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_of_an_animation_the_first_frame_is_read(kind: str) -> None:
    later = [Image.new("L", (60, 50), shade) for shade in (0, 90)]
    data = encode(Image.fromarray(DARK), kind, save_all=True, append_images=later)
    pixels = read(data).pixels
    assert difference(pixels if pixels.ndim == 2 else pixels.mean(axis=2), DARK) < 40


def test_large_pictures_are_read_at_reduced_size() -> None:
    large = Image.fromarray(DARK).resize((3600, 3000))
    for kind in ("jpeg", "png"):
        pixels = read(encode(large, kind)).pixels
        assert 1024 <= min(pixels.shape) < 2048
        assert difference(np.asarray(Image.fromarray(pixels).resize((60, 50))), DARK) < 48


def png_bomb(width: int, height: int) -> bytes:
    """A PNG that says it is huge, its rows all zero."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width // 8 + 1) * height), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [4472, 20_000])
def test_a_bomb_is_refused_by_its_header(side: int) -> None:
    data = png_bomb(side, side)
    assert len(data) < 100_000
    with pytest.raises(ImageTooLarge, match=f"{side} × {side} pixels.*at most 16 million"):
        read(data)


def test_the_limit_itself_is_allowed() -> None:
    data = encode(Image.new("L", (20, 10), 3))
    assert read_picture(data, 200).pixels.shape == (10, 20)
    with pytest.raises(ImageTooLarge):
        read_picture(data, 199)


PNG = encode(Image.fromarray(DARK))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "zero bytes"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", "SVG"),
        (b"<?xml version='1.0'?><svg></svg>", "SVG"),
        (b"<!DOCTYPE html><html></html>", "HTML"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"II*\0 a TIFF", "TIFF"),
        (b"\0\0\0\x18ftypheic....", "HEIC"),
        (b"\0\0\0\x18ftypisom....", "video"),
        (b'{"a": 1}', "JSON"),
        (b"just some words", "text"),
        (bytes(range(7, 200)), "binary"),
        (b"RIFF\x20\0\0\0WEBPVP8 junk", "WebP picture, but it is damaged"),
        (b"\xff\xd8\xff\xe0 junk", "JPEG picture, but it is damaged"),
        (PNG[: len(PNG) // 2], "PNG picture, but it is damaged or incomplete"),
        (PNG[:60] + b"\xff" * 20 + PNG[80:], "PNG picture, but it is damaged"),
    ],
)
def test_what_is_not_a_picture_is_named(data: bytes, words: str) -> None:
    with pytest.raises(UnreadableImage, match=words) as caught:
        read(data)
    assert "PNG, JPEG, WebP, GIF and BMP" in str(caught.value)


@pytest.mark.parametrize("kind", ["tiff", "ppm", "ico", "pcx", "eps"])
def test_other_formats_of_pillow_are_refused(kind: str) -> None:
    with pytest.raises(UnreadableImage):
        read(encode(Image.fromarray(DARK).convert("RGB"), kind))


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "bmp", "webp"])
def test_a_truncated_file_is_refused(kind: str) -> None:
    data = encode(Image.fromarray(DARK), kind)
    for share in (0.1, 0.5, 0.8):
        with pytest.raises(UnreadableImage):
            read(data[: int(len(data) * share)])


FILES = [
    encode(Image.fromarray(INK).convert(mode), kind)
    for kind, mode in (
        ("png", "RGBA"),
        ("jpeg", "RGB"),
        ("gif", "P"),
        ("bmp", "L"),
        ("webp", "RGB"),
    )
]


@CREATED
@given(st.binary(max_size=200))
def test_any_bytes_are_a_picture_or_a_domain_error(data: bytes) -> None:
    reads_or_refuses(data)


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(FILES), st.data())
def test_files_with_any_damage_are_a_picture_or_a_domain_error(
    data: bytes, choice: st.DataObject
) -> None:
    damaged = bytearray(data)
    for _ in range(choice.draw(st.integers(1, 6))):
        place = choice.draw(st.integers(0, len(data) - 1))
        damaged[place] = choice.draw(st.integers(0, 255))
    reads_or_refuses(bytes(damaged))


def reads_or_refuses(data: bytes) -> None:
    try:
        picture = read_picture(data, 100_000)
    except ConvScopeError:
        return
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.ndim == 2 or picture.pixels.shape[2] == 3


@CREATED
@given(
    st.sampled_from(["1", "L", "LA", "RGB", "RGBA", "P"]),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_random_pictures_of_any_mode_and_size_are_read(mode: str, width: int, height: int) -> None:
    image = Image.frombytes(
        "RGBA", (width, height), np.random.default_rng(width).bytes(4 * width * height)
    )
    picture = read(encode(image.convert(mode)))
    assert (picture.height, picture.width) == (height, width)


@CREATED
@given(st.integers(1, 30), st.integers(1, 30), st.booleans(), st.booleans(), st.booleans())
def test_a_kept_picture_comes_back_as_it_was(
    height: int, width: int, coloured: bool, exact: bool, light_ink: bool
) -> None:
    shape = (height, width, 3) if coloured else (height, width)
    pixels = np.random.default_rng(height * 31 + width).integers(0, 256, shape, dtype=np.uint8)
    again = read(picture_to_png(Picture(pixels, exact, light_ink)))
    assert np.array_equal(again.pixels, pixels)
    assert (again.exact, again.light_ink) == (exact, light_ink)


@CREATED
@given(st.integers(1, 12), st.integers(1, 12), st.booleans(), st.data())
def test_numbers_in_range_are_taken_as_they_are(
    height: int, width: int, coloured: bool, choice: st.DataObject
) -> None:
    number = st.one_of(st.integers(0, 255), st.floats(0, 255))
    pixel = st.lists(number, min_size=3, max_size=3) if coloured else number
    row = st.lists(pixel, min_size=width, max_size=width)
    rows = choice.draw(st.lists(row, min_size=height, max_size=height))
    expected = np.array(rows, dtype=np.float64)
    if 0 < expected.max() <= 1:
        return
    picture = picture_from_pixels(rows)
    values = picture.pixels if picture.values is None else picture.values
    assert picture.exact
    assert np.abs(values - expected).max() < 1e-4
    assert np.abs(picture.pixels - expected).max() <= 0.5


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (None, "null, not a list"),
        ("pixels", "the text 'pixels', not a list"),
        ({"a": 1}, "an object"),
        ([], "no rows"),
        ([[], []], "rows of pixels are empty"),
        ([1, 2], "Row 0 of the pixels is a number"),
        ([[1, 2], [3]], "Row 1 has 1 pixels, but row 0 has 2"),
        ([[9, 9], [9, float("nan")]], "row 1, column 1 is not a number"),
        ([[9, float("inf")]], "row 0, column 1 is infinite"),
        ([[9, "9"]], "row 0, column 1 is the text '9'"),
        ([[9, None]], "row 0, column 1 is null"),
        ([[9, True]], "row 0, column 1 is true"),
        ([[9, 256]], "row 0, column 1 is 256, not in 0..255"),
        ([[-0.5, 9]], "row 0, column 0 is -0.5"),
        ([[9, 10**400]], "row 0, column 1 is 1000"),
        ([[[9, 9, 9, 255]]], "has 4 values, not 3. Leave out the transparency"),
        ([[[9, 9, 9], 9]], "Row 0, column 1 is a number"),
        ([[9, [9, 9, 9]]], "row 0, column 1 is a list"),
        ([[[9, 9, "x"]]], "row 0, column 0, channel 2 is the text"),
        ([[[[9], [9], [9]]]], "channel 0 is a list"),
        ([[0.0, 0.5], [1, 0]], "multiply yours by 255"),
    ],
)
def test_wrong_numbers_are_pointed_at(rows: object, words: str) -> None:
    with pytest.raises(InvalidPixels, match=words.replace(".", r"\.").replace("'", ".")):
        picture_from_pixels(rows)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner),
)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_any_json_is_a_picture_or_a_domain_error(rows: object) -> None:
    try:
        assert picture_from_pixels(rows).pixels.size
    except InvalidPixels:
        return


def test_too_many_numbers_are_refused() -> None:
    with pytest.raises(ImageTooLarge):
        picture_from_pixels([[0] * 20] * 10, max_pixels=199)


def test_grey_bytes_are_square_unless_a_width_is_given() -> None:
    square = picture_from_grey(bytes(range(9)))
    assert square.pixels.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert square.exact
    assert square.light_ink
    assert picture_from_grey(bytes(6), width=3).pixels.shape == (2, 3)


@pytest.mark.parametrize(("data", "width"), [(b"", None), (bytes(8), None), (bytes(7), 2)])
def test_grey_bytes_that_are_no_picture_are_refused(data: bytes, width: int | None) -> None:
    with pytest.raises(InvalidPixels, match=f"{len(data)} grey bytes"):
        picture_from_grey(data, width)


def test_pillow_images_need_no_file() -> None:
    image = Image.open(BytesIO(PNG))
    assert np.array_equal(picture_from_image(image).pixels, DARK)
