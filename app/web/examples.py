"""The picture that the API's documentation shows, so that each example works when it is tried."""

import base64
import io
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from app.core.images import Picture, read_picture
from app.services.image_store import identify

SIDE = 56


@cache
def example_png() -> bytes:
    """A seven, dark on white, as a PNG file."""
    picture = Image.new("L", (SIDE, SIDE), 255)
    pen = ImageDraw.Draw(picture)
    pen.line([(16, 14), (41, 14), (26, 44)], fill=0, width=5, joint="curve")
    file = io.BytesIO()
    picture.save(file, "png")
    return file.getvalue()


def example_picture() -> Picture:
    """The same picture, decoded. The server keeps it, so that its id can be tried."""
    return read_picture(example_png(), SIDE * SIDE)


@cache
def example_image() -> str:
    """The id under which the server keeps it."""
    return identify(example_picture())


def example_data_url() -> str:
    """The same picture as a data URL."""
    return "data:image/png;base64," + base64.b64encode(example_png()).decode()


def example_rows() -> list[list[int]]:
    """A smaller seven as rows of 0..255, light on dark, for the ``pixels`` form."""
    picture = Image.open(io.BytesIO(example_png())).resize((14, 14))
    rows: list[list[int]] = (255 - np.asarray(picture).astype(int)).tolist()
    return rows
