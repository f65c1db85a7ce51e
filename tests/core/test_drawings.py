"""The drawings that networks are tested with are files that people could send."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from app.core.drawings import KINDS, make_drawing
from app.core.images import Picture, read_picture
from app.core.pen_strokes import find_strokes, thin
from app.core.preparing import prepare
from models.registry import AS_MNIST
from tests.pictures import small_digit

DIGIT = small_digit()


def drawn(kind: str, seed: int) -> Picture:
    return read_picture(make_drawing(kind, DIGIT, np.random.default_rng(seed)), 16_000_000)


@pytest.mark.parametrize("kind", KINDS)
def test_a_drawing_is_a_file_that_can_be_prepared_and_resembles_its_digit(kind: str) -> None:
    for seed in range(4):
        prepared = prepare(drawn(kind, seed), (1, 28, 28), AS_MNIST).tensor[0].numpy()
        shifts = [(dy, dx) for dy in (-2, -1, 0, 1, 2) for dx in (-2, -1, 0, 1, 2)]
        likeness = max(
            np.corrcoef(np.roll(prepared, shift, (0, 1)).ravel(), DIGIT.ravel())[0, 1]
            for shift in shifts
        )
        assert likeness > (0.25 if kind == "slanted" else 0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_random_numbers_make_the_same_file(kind: str) -> None:
    first, again, other = (make_drawing(kind, DIGIT, np.random.default_rng(s)) for s in (1, 1, 2))
    assert first == again
    assert first != other


def ink_of(kind: str, seed: int) -> np.ndarray:
    pixels = drawn(kind, seed).pixels
    return pixels < 128


def test_the_kinds_are_what_they_are_called() -> None:
    for seed in range(4):
        small, away = ink_of("small", seed), ink_of("off-centre", seed)
        assert np.ptp(np.nonzero(small)[0]) < 0.2 * len(small)
        middle = np.array([np.mean(np.nonzero(away)[axis]) / len(away) for axis in (0, 1)])
        assert np.abs(middle - 0.5).max() > 0.1
        assert not away[0].any()
        assert not away[:, -1].any()
        thick, thin_lines = ink_of("thick", seed), ink_of("thin", seed)
        assert thick.mean() > 3 * thin_lines.mean()
        assert drawn("photographed", seed).pixels.ndim == 3


def test_transparent_drawings_are_transparent() -> None:
    image = Image.open(BytesIO(make_drawing("transparent", DIGIT, np.random.default_rng(0))))
    assert image.mode == "RGBA"
    assert image.getchannel("A").getextrema() == (0, 255)


def test_thinning_leaves_a_line_of_one_pixel() -> None:
    solid = np.zeros((40, 60), bool)
    solid[15:24, 8:52] = True
    line = thin(solid)
    assert line[solid].sum() == line.sum()
    assert line.sum(axis=0).max() == 1
    assert line.any(axis=0).sum() > 30


def test_the_strokes_run_through_the_digits_ink() -> None:
    strokes = find_strokes(DIGIT)
    x, y = strokes.points.T
    assert (DIGIT[y.astype(int), x.astype(int)] > 0).mean() > 0.95
    assert strokes.height > 15
    assert len(strokes.lines) >= len(strokes.points) - 1
