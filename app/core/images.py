"""Bytes and numbers that people send, as pictures.

Only five formats are read, whatever Pillow could do besides, and the number of pixels is known
from a file's header before anything is decoded. Numbers are checked where they come in, so that
what lies behind can trust a ``Picture``.
"""

import warnings
from dataclasses import dataclass
from io import BytesIO
from math import isqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from app.core.compositing import compose
from app.core.errors import ImageTooLarge, InvalidPixels, UnreadableImage
from app.core.picture_parts import check_parts
from app.core.pixel_rows import check_rows, parse_json
from app.core.sniffing import FORMATS, damage, guess_format

Pixels = NDArray[np.uint8]

# Pictures are kept with a shorter side of up to twice this. No network here sees more.
ENOUGH_PIXELS = 1024

# Pillow warns of pictures that it thinks too large, and decodes them all the same. The limit that
# read_picture is given refuses them, and is lower.
Image.MAX_IMAGE_PIXELS = None

# What Pillow notes about damaged side notes of a picture (EXIF, APNG) helps nobody here.
warnings.filterwarnings("ignore", module=r"PIL\.")

_ORIGIN = "ConvScope"
_WIDE = ("I;16", "I;16B", "I;16L", "I;16N", "I")


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture: ``pixels`` is (height, width) grey or (height, width, 3) RGB, uint8.

    ``exact`` says that it came as numbers, which a network of just this size takes as they are.
    ``light_ink`` says that 0 is known to be paper and 255 ink; else that is found out.
    ``values`` holds the same numbers as float32, 0..255, where they are not whole.
    """

    pixels: Pixels
    exact: bool = False
    light_ink: bool = False
    values: NDArray[np.float32] | None = None

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.pixels.shape[1])


@dataclass(frozen=True)
class Encoded:
    """A picture as it was sent: a file, raw grey bytes in rows of ``width``, or the JSON of an
    object that has its rows as "pixels".

    None has more than ``max_pixels`` when it is read.
    """

    data: bytes
    max_pixels: int
    form: Literal["file", "grey", "json"] = "file"
    width: int | None = None

    def read(self) -> Picture:
        """Decode it. Raises what ``read_picture``, ``picture_from_grey``, ``parse_json`` and
        ``picture_from_pixels`` raise."""
        if self.form == "grey":
            return picture_from_grey(self.data, self.width, self.max_pixels)
        if self.form == "json":
            return picture_from_pixels(parse_json(self.data)["pixels"], self.max_pixels)
        return read_picture(self.data, self.max_pixels)


def read_picture(data: bytes, max_pixels: int) -> Picture:
    """The picture in a PNG, JPEG, WebP, GIF or BMP file: its first frame, turned as EXIF says.

    Transparent parts get a backdrop that contrasts with the rest. Pictures larger than any network
    asks for are read at reduced size. Raises UnreadableImage, also where a file has so many parts
    that it would take long, and ImageTooLarge where the header promises more than ``max_pixels``.
    """
    check_parts(data)
    try:
        image = Image.open(BytesIO(data), formats=FORMATS)
    except Exception:  # Pillow's decoders raise nearly anything at damaged bytes.
        raise UnreadableImage(guess_format(data)) from None
    _check_size(image.size, max_pixels)
    try:
        return picture_from_image(image)
    except Exception as error:
        raise UnreadableImage(damage(image.format or "image", error)) from None


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ImageTooLarge(
            f"The picture has {width} × {height} pixels, {width * height / 1e6:.1f} million; "
            f"at most {max_pixels / 1e6:g} million are read. Send a smaller one."
        )


def picture_from_image(image: Image.Image) -> Picture:
    """A picture from an image of Pillow's, of any mode; EXIF's orientation is applied.

    Raises what Pillow raises when the image can't be decoded.
    """
    image.draft(None, (ENOUGH_PIXELS, ENOUGH_PIXELS))
    image.load()
    origin = str(image.info.get(_ORIGIN, "")).split()
    flat = compose(_reduced(_eight_bit(image)))
    upright = _upright(flat, _orientation(image))
    return Picture(np.asarray(upright), "exact" in origin, "light-ink" in origin)


def _eight_bit(image: Image.Image) -> Image.Image:
    """The image as L, RGB or RGBA."""
    if image.mode in _WIDE:
        return Image.fromarray(_high_byte(np.asarray(image)))
    if image.mode == "F":
        return Image.fromarray(np.clip(np.nan_to_num(np.asarray(image)), 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        return image if image.mode == "RGBA" else image.convert("RGBA")
    if image.mode in ("1", "L"):
        return image.convert("L")
    return image.convert("RGB")


def _high_byte(wide: NDArray[np.integer]) -> Pixels:
    """Numbers of 0..65535 as 0..255, rounded: 65535 / 255 is 257."""
    return ((np.clip(wide.astype(np.int64), 0, 65535) + 128) // 257).astype(np.uint8)


def _reduced(image: Image.Image) -> Image.Image:
    factor = min(image.size) // ENOUGH_PIXELS
    if factor < 2:
        return image
    if image.mode == "RGBA":  # Averages must not count the colour of what can't be seen.
        return image.convert("RGBa").reduce(factor).convert("RGBA")
    return image.reduce(factor)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(0x0112, 1)) if image.info else 1
    except Exception:  # A damaged note on the picture does not make the picture unreadable.
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    if orientation not in range(2, 9):
        return image
    image.getexif()[0x0112] = orientation
    return ImageOps.exif_transpose(image)


def picture_to_png(picture: Picture) -> bytes:
    """The picture as a PNG file, from which ``read_picture`` makes the same picture again.

    Numbers that are not whole are rounded.
    """
    notes = PngInfo()
    origin = ["exact"] * picture.exact + ["light-ink"] * picture.light_ink
    if origin:
        notes.add_text(_ORIGIN, " ".join(origin))
    file = BytesIO()
    Image.fromarray(picture.pixels).save(file, "png", compress_level=1, pnginfo=notes)
    return file.getvalue()


def picture_from_pixels(rows: object, max_pixels: int | None = None) -> Picture:
    """The picture of rows of numbers of 0..255, or of rows of [red, green, blue], as JSON has them.

    Raises InvalidPixels, which says where the fault is, and ImageTooLarge.
    """
    values = check_rows(rows, max_pixels)
    if 0 < values.max() <= 1:
        raise InvalidPixels(
            "No pixel is larger than 1: pixels are numbers of 0..255, so multiply yours by 255."
        )
    pixels = np.rint(values).astype(np.uint8)
    whole = bool((pixels == values).all())
    return Picture(pixels, exact=True, values=None if whole else values.astype(np.float32))


def picture_from_grey(
    data: bytes, width: int | None = None, max_pixels: int | None = None
) -> Picture:
    """The picture of raw grey bytes, row by row, 0 for paper and 255 for ink.

    It is square unless ``width``, in pixels, says otherwise. Raises InvalidPixels, and
    ImageTooLarge.
    """
    if max_pixels is not None and len(data) > max_pixels:
        raise ImageTooLarge(
            f"The picture has {len(data) / 1e6:.1f} million pixels; at most "
            f"{max_pixels / 1e6:g} million are read. Send a smaller one."
        )
    columns = width or isqrt(len(data))
    if not data or columns < 1 or len(data) % columns or (not width and columns**2 != len(data)):
        shape = f"rows of {width} pixels" if width else "a square picture"
        raise InvalidPixels(
            f"{len(data)} grey bytes are not {shape}: send one byte per pixel, row by row, and "
            "the width of a picture that isn't square."
        )
    pixels = np.frombuffer(data, np.uint8).reshape(-1, columns)
    return Picture(pixels, exact=True, light_ink=True)
