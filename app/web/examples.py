"""The picture that the API's documentation shows, so that each example works when it is tried."""

import base64
import io
from functools import cache

from PIL import Image, ImageDraw

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


def example_data_url() -> str:
    """The same picture as a data URL."""
    return "data:image/png;base64," + base64.b64encode(example_png()).decode()


def example_rows() -> list[list[int]]:
    """A smaller seven as rows of 0..255, light on dark, for the ``pixels`` form."""
    picture = Image.open(io.BytesIO(example_png())).resize((14, 14))
    return [[255 - int(picture.getpixel((x, y))) for x in range(14)] for y in range(14)]  # type: ignore[arg-type]
