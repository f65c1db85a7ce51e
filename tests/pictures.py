"""Pictures for tests: digits drawn as polylines, and files in every mode and format."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

# A seven and a five, whose bar is a stroke of its own, as x, y in 0..1.
SEVEN = (((0.1, 0.0), (0.9, 0.0), (0.35, 1.0)),)
FIVE = (
    ((0.25, 0.0), (0.2, 0.45), (0.6, 0.4), (0.85, 0.65), (0.7, 0.95), (0.1, 0.98)),
    ((0.4, 0.0), (0.9, 0.0)),
)

Strokes = tuple[tuple[tuple[float, float], ...], ...]


def encode(image: Image.Image, kind: str = "png", **options: object) -> bytes:
    """The image as the bytes of a file."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def draw_digit(
    strokes: Strokes = SEVEN,
    *,
    canvas: tuple[int, int] = (280, 280),
    height: float = 160,
    at: tuple[float, float] = (60, 50),
    pen: int = 18,
) -> NDArray[np.uint8]:
    """Polylines (canvas height, width) with soft edges: 0 is paper, 255 is ink."""
    width, tall = canvas
    image = Image.new("L", (2 * width, 2 * tall))
    brush = ImageDraw.Draw(image)
    for stroke in strokes:
        points = [(2 * (at[0] + x * height), 2 * (at[1] + y * height)) for x, y in stroke]
        brush.line(points, fill=255, width=2 * pen, joint="curve")
        for x, y in points:
            brush.ellipse((x - pen, y - pen, x + pen, y + pen), fill=255)
    return np.asarray(image.reduce(2))


def paint(
    ink: NDArray[np.uint8], colour: tuple[int, int, int], paper: tuple[int, int, int]
) -> Image.Image:
    """Ink of one colour on paper of another."""
    mask = Image.fromarray(ink)
    return Image.composite(
        Image.new("RGB", mask.size, colour), Image.new("RGB", mask.size, paper), mask
    )


def small_digit(value: int = 254) -> NDArray[np.uint8]:
    """A seven of 20 x 20 in 28 x 28 pixels, centred as MNIST's: what preparation leaves alone."""
    digit = np.zeros((28, 28), np.uint8)
    digit[4:7, 6:22] = value
    for row in range(7, 24):
        left = 19 - (row - 7) * 9 // 17
        digit[row, left : left + 3] = value
        digit[row, left - 1] = value // 3
    return centre_as_mnist(digit)


def centre_as_mnist(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shifted by whole pixels until the centre of mass lies in the pixel (14, 14)."""
    mass = digit.astype(float)
    y = (mass.sum(1) @ (np.arange(28) + 0.5)) / mass.sum()
    x = (mass.sum(0) @ (np.arange(28) + 0.5)) / mass.sum()
    return np.roll(digit, (14 - int(y), 14 - int(x)), (0, 1))
