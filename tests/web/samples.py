"""Pictures to send, good and bad."""

import base64
import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Pixels = NDArray[np.uint8]
Values = NDArray[np.float32]


def draw_seven(side: int = 280, thickness: int = 22) -> Image.Image:
    """A seven, white on black, as the pad draws it."""
    picture = Image.new("L", (side, side), 0)
    corners = [(0.3 * side, 0.25 * side), (0.72 * side, 0.25 * side), (0.45 * side, 0.8 * side)]
    ImageDraw.Draw(picture).line(corners, fill=255, width=thickness, joint="curve")
    return picture


def exact_pixels(seed: int = 0) -> Pixels:
    """Any numbers of just the size that the shipped networks take."""
    return np.random.default_rng(seed).integers(0, 256, (28, 28), dtype=np.uint8)


def encode(picture: Image.Image, form: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def data_url(data: bytes) -> str:
    return f"data:image/png;base64,{base64_of(data)}"


def bomb(width: int = 5000, height: int = 4000) -> bytes:
    """A PNG file of a few kilobytes that unpacks to 20 million pixels."""
    rows = zlib.compress(bytes((width // 8 + 1) * height), 9)
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def animation() -> bytes:
    """A GIF whose first frame is a seven and whose others are black."""
    frames = [draw_seven(), Image.new("L", (280, 280), 0), Image.new("L", (280, 280), 255)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=50)
    return file.getvalue()


SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0L9 9"/></svg>'
HTML = b"<!doctype html><html><body>not a picture</body></html>"
