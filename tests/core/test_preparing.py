"""Preparation returns what MNIST would hold: its own pictures as they are, drawings made alike."""

from io import BytesIO

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter
from sklearn.datasets import load_digits

from app.core.errors import ConvScopeError, EmptyDrawing, ImageTooSmall
from app.core.images import (
    Picture,
    Pixels,
    picture_from_grey,
    picture_from_pixels,
    read_picture,
)
from app.core.preparing import Prepared, prepare
from models.registry import AS_CIFAR10, AS_MNIST, Preprocessing
from tests.pictures import FIVE, SEVEN, draw_digit, encode, paint, small_digit

SHAPE = (1, 28, 28)
DIGIT = small_digit()
MNIST_LIKE = np.asarray(DIGIT, np.float32) / np.float32(255)


def prepare_file(image: Image.Image, kind: str = "png", **options: object) -> Prepared:
    return prepare(read_picture(encode(image, kind, **options), 16_000_000), SHAPE, AS_MNIST)


def pixels_of(prepared: Prepared) -> Pixels:
    return (prepared.tensor[0] * 255).round().to(torch.uint8).numpy()


def likeness(one: Prepared, other: Prepared) -> float:
    """The correlation of two inputs, at the best shift of up to a pixel."""
    a = pixels_of(one).astype(float).ravel()
    b = pixels_of(other).astype(float)
    shifts = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    return max(float(np.corrcoef(a, np.roll(b, s, (0, 1)).ravel())[0, 1]) for s in shifts)


CLEAN = prepare(picture_from_grey(draw_digit().tobytes()), SHAPE, AS_MNIST)


def test_numbers_of_the_inputs_size_are_taken_as_they_are() -> None:
    rows = np.random.default_rng(1).integers(0, 256, (28, 28)).tolist()
    for given_rows in (rows, [[value / 2 for value in row] for row in rows]):
        prepared = prepare(picture_from_pixels(given_rows), SHAPE, AS_MNIST)
        expected = torch.tensor(given_rows, dtype=torch.float32) / 255
        assert torch.equal(prepared.tensor[0], expected)
        assert prepared.placement.scale_y == 1


def test_a_bright_border_given_as_numbers_is_not_inverted() -> None:
    inverted = (255 - DIGIT).tolist()
    prepared = prepare(picture_from_pixels(inverted), SHAPE, AS_MNIST)
    assert np.array_equal(pixels_of(prepared), 255 - DIGIT)


def test_a_file_of_the_inputs_size_is_taken_bit_for_bit_in_either_polarity() -> None:
    for pixels in (DIGIT, 255 - DIGIT):
        prepared = prepare_file(Image.fromarray(pixels))
        assert np.array_equal(prepared.tensor[0].numpy(), MNIST_LIKE)
    assert [step.name for step in prepared.steps] == ["drawn", "inverted"]


@pytest.mark.parametrize(("paper", "ink"), [(185, 20), (160, 0), (255, 100), (40, 220), (90, 10)])
def test_a_file_of_the_inputs_size_in_other_tones_is_prepared_as_any_other(
    paper: int, ink: int
) -> None:
    share = np.asarray(DIGIT, np.float64) / 255
    tones = np.rint(paper + (ink - paper) * share).astype(np.uint8)
    small = prepare_file(Image.fromarray(tones))
    larger = prepare_file(Image.fromarray(np.pad(tones, 2, constant_values=paper)))
    assert likeness(small, prepare_file(Image.fromarray(DIGIT))) > 0.95
    assert likeness(small, larger) > 0.95


def test_a_digit_in_the_corner_of_a_file_of_the_inputs_size_is_centred() -> None:
    corner = np.zeros((28, 28), np.uint8)
    small = np.asarray(Image.fromarray(DIGIT).resize((14, 14), Image.Resampling.BOX))
    corner[:14, :14] = small
    elsewhere = np.pad(small, 20)
    assert likeness(*(prepare_file(Image.fromarray(one)) for one in (corner, elsewhere))) > 0.95


def test_normalisation_is_the_cards() -> None:
    how = Preprocessing("digit", mean=(0.1307,), std=(0.3081,))
    prepared = prepare(picture_from_grey(DIGIT.tobytes()), SHAPE, how)
    expected = (torch.from_numpy(DIGIT.copy()).float() / 255 - 0.1307) / 0.3081
    assert torch.allclose(prepared.tensor[0], expected)
    assert prepared.steps[-1].name == "normalised"


@settings(max_examples=40, deadline=None)
@given(st.integers(40, 200), st.integers(0, 1000), st.booleans())
def test_a_digit_as_mnists_elsewhere_on_a_canvas_comes_back(
    side: int, seed: int, dark: bool
) -> None:
    top, left = np.random.default_rng(seed).integers(0, side - 28 + 1, 2)
    canvas = np.zeros((side, side), np.uint8)
    canvas[top : top + 28, left : left + 28] = DIGIT
    prepared = prepare_file(Image.fromarray(255 - canvas if dark else canvas))
    assert np.array_equal(pixels_of(prepared), DIGIT)
    assert prepared.placement.top == top
    assert prepared.placement.left == left
    assert prepared.placement.scale_x == 1


def test_the_digit_fills_20_pixels_and_its_centre_of_mass_is_in_the_middle() -> None:
    for strokes in (SEVEN, FIVE):
        pixels = pixels_of(
            prepare(picture_from_grey(draw_digit(strokes, at=(20, 100)).tobytes()), SHAPE, AS_MNIST)
        ).astype(float)
        inked = pixels > 0
        assert max(np.ptp(np.nonzero(inked)[0]), np.ptp(np.nonzero(inked)[1])) == 19
        for axis in (0, 1):
            mass = pixels.sum(axis=axis)
            assert 14 <= mass @ (np.arange(28) + 0.5) / mass.sum() < 15


def test_the_placement_leads_back_to_the_picture() -> None:
    ink = draw_digit(at=(30, 90))
    prepared = prepare(picture_from_grey(ink.tobytes()), SHAPE, AS_MNIST)
    place = prepared.placement
    for y, x in np.argwhere(pixels_of(prepared) == 255):
        at = int(place.top + (y + 0.5) * place.scale_y), int(place.left + (x + 0.5) * place.scale_x)
        assert ink[at] > 0


def test_the_steps_are_small_pictures_light_on_dark() -> None:
    steps = prepare_file(paint(draw_digit(), (0, 0, 0), (255, 255, 255))).steps
    assert [step.name for step in steps] == ["drawn", "cropped", "20 × 20", "centred"]
    assert all(max(step.pixels.shape) <= 112 for step in steps)
    assert all(step.pixels.dtype == np.uint8 and step.caption for step in steps)
    assert steps[0].pixels[0, 0] == 255
    assert steps[1].pixels[-1, 0] == 0
    assert max(steps[2].pixels.shape) == 20


def unevenly_lit(image: Image.Image, seed: int = 0) -> Image.Image:
    """A photo of the image: a gradient, a hard shadow across it, noise and blur."""
    pixels = np.asarray(image.convert("RGB").filter(ImageFilter.GaussianBlur(1)), np.float64)
    y, x = np.mgrid[: image.height, : image.width] / max(image.size)
    light = (0.95 - 0.4 * x) * np.where(x + 0.7 * y > 0.8, 0.6, 1)
    noise = np.random.default_rng(seed).normal(0, 5, pixels.shape)
    return Image.fromarray(np.clip(pixels * light[:, :, None] + noise, 0, 255).astype(np.uint8))


LARGE = draw_digit(canvas=(560, 560), height=320, at=(120, 100), pen=36)
TINY = draw_digit(canvas=(1500, 1500), height=60, at=(1350, 1400), pen=7)
BLACK_ON_WHITE = paint(draw_digit(), (0, 0, 0), (255, 255, 255))


def with_specks() -> Image.Image:
    image = BLACK_ON_WHITE.copy()
    for x, y in ((8, 8), (270, 20), (15, 262), (265, 240)):
        ImageDraw.Draw(image).ellipse((x - 2, y - 2, x + 2, y + 2), fill=(0, 0, 0))
    return image


def in_a_frame() -> Image.Image:
    image = BLACK_ON_WHITE.copy()
    ImageDraw.Draw(image).rectangle((8, 8, 271, 271), outline=(0, 0, 0), width=3)
    return image


SAME_DRAWING = {
    "white on black": paint(draw_digit(), (255, 255, 255), (0, 0, 0)),
    "black on white": BLACK_ON_WHITE,
    "grey on grey": paint(draw_digit(), (120, 120, 120), (150, 150, 150)),
    "faint": paint(draw_digit(), (140, 140, 140), (128, 128, 128)),
    "red on green": paint(draw_digit(), (200, 30, 30), (20, 110, 20)),
    "yellow on white": paint(draw_digit(), (255, 235, 60), (255, 255, 255)),
    "large": paint(LARGE, (20, 20, 120), (250, 250, 240)),
    "tiny, in a corner": paint(TINY, (0, 0, 0), (255, 255, 255)),
    "specks around": with_specks(),
    "framed": in_a_frame(),
    "photographed": unevenly_lit(paint(LARGE, (40, 40, 90), (235, 230, 220))),
    "chalk": unevenly_lit(paint(LARGE, (230, 230, 220), (60, 70, 65))),
    "in the dark": unevenly_lit(paint(LARGE, (15, 15, 20), (90, 88, 80))),
}


# Yellow and white differ in blue alone, which JPEG keeps too coarsely for a thin stroke.
AS_JPEG = [name for name in SAME_DRAWING if name != "yellow on white"]


@pytest.mark.parametrize(
    ("name", "kind", "quality"),
    [(name, "png", 0) for name in SAME_DRAWING] + [(name, "jpeg", 60) for name in AS_JPEG],
)
def test_the_same_drawing_is_prepared_alike_whatever_it_looks_like(
    name: str, kind: str, quality: int
) -> None:
    prepared = prepare_file(SAME_DRAWING[name], kind, quality=quality)
    # Sides are whole pixels: a crop that is one pixel wider can be fitted into 17 instead of 16.
    assert likeness(prepared, CLEAN) > 0.88


def test_transparent_drawings_are_prepared_alike() -> None:
    for colour in ((0, 0, 0), (255, 255, 255), (30, 60, 160)):
        image = Image.new("RGB", (280, 280), colour)
        image.putalpha(Image.fromarray(draw_digit()))
        assert likeness(prepare_file(image), CLEAN) > 0.99


def test_thin_strokes_are_drawn_with_a_usual_pen() -> None:
    thin = prepare(picture_from_grey(draw_digit(pen=2).tobytes()), SHAPE, AS_MNIST)
    assert "thickened" in [step.name for step in thin.steps]
    assert pixels_of(thin).sum() > 0.6 * pixels_of(CLEAN).sum()
    assert likeness(thin, CLEAN) > 0.8


def test_the_separate_bar_of_a_five_stays() -> None:
    ink = draw_digit(FIVE, pen=14)
    apart = ink.copy()
    apart[:, 130:138] = 0  # A gap between the bar and the rest.
    whole, broken = (
        prepare(picture_from_grey(part.tobytes()), SHAPE, AS_MNIST) for part in (ink, apart)
    )
    assert likeness(whole, broken) > 0.9


def test_a_digit_that_is_cut_by_the_border_is_kept() -> None:
    cut = draw_digit(height=300, at=(-20, -8), pen=30)
    assert pixels_of(prepare(picture_from_grey(cut.tobytes()), SHAPE, AS_MNIST)).max() == 255


BLANK = {
    "white": Image.new("L", (280, 280), 255),
    "black": Image.new("RGB", (90, 50)),
    "of the input's size": Image.new("L", (28, 28), 255),
    "transparent": Image.new("RGBA", (280, 280)),
}


@pytest.mark.parametrize("name", BLANK)
def test_an_empty_drawing_is_said_to_be_empty(name: str) -> None:
    with pytest.raises(EmptyDrawing, match="nothing drawn yet: draw something"):
        prepare_file(BLANK[name])


@pytest.mark.parametrize("kind", ["png", "jpeg"])
@pytest.mark.parametrize("noise", [0.5, 2, 5, 15])
@pytest.mark.parametrize("size", [(300, 400), (280, 280), (60, 60), (28, 28)])
def test_blank_paper_is_empty_whatever_the_camera_s_noise(
    size: tuple[int, int], noise: float, kind: str
) -> None:
    chance = np.random.default_rng(0)
    for tone in (245, 190, 110, 60):
        values = np.clip(tone + noise * chance.standard_normal(size), 0, 255).astype(np.uint8)
        with pytest.raises(EmptyDrawing):
            prepare_file(Image.fromarray(values), kind)


def test_a_single_pixel_of_nearly_white_is_no_drawing() -> None:
    for side in (28, 280):
        paper = Image.new("L", (side, side), 255)
        paper.putpixel((side // 2, side // 2), 254)
        with pytest.raises(EmptyDrawing):
            prepare_file(paper)


def test_noise_along_a_strip_of_one_pixel_s_width_is_nothing_either() -> None:
    strip = np.random.default_rng(0).integers(0, 256, (3000, 4), dtype=np.uint8)
    with pytest.raises(ConvScopeError):
        prepare_file(Image.fromarray(strip))


def test_empty_numbers_and_an_empty_pad_are_said_to_be_empty() -> None:
    for side in (28, 280):
        for picture in (
            picture_from_pixels([[0] * side] * side),
            picture_from_grey(bytes(side**2)),
        ):
            with pytest.raises(EmptyDrawing):
                prepare(picture, SHAPE, AS_MNIST)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 9)])
def test_pictures_too_small_to_hold_a_digit_are_refused(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    with pytest.raises(ImageTooSmall, match=f"{size[1]} × {size[0]} pixels"):
        prepare(Picture(pixels), SHAPE, AS_MNIST)


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.sampled_from(["noise", "two tones", "gradient", "one dot"]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 99),
)
def test_any_picture_is_prepared_or_refused_in_words(
    height: int, width: int, kind: str, coloured: bool, light_ink: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    shape = (height, width, 3) if coloured else (height, width)
    pixels = random.integers(0, 256, shape, dtype=np.uint8)
    if kind == "two tones":
        pixels = ((pixels > 200) * 255).astype(np.uint8)
    elif kind == "gradient":
        pixels = np.sort(pixels, axis=1)
    elif kind == "one dot":
        pixels = np.zeros(shape, np.uint8)
        pixels[seed % height, seed % width] = 200
    try:
        prepared = prepare(Picture(pixels, light_ink=light_ink), SHAPE, AS_MNIST)
    except ConvScopeError:
        return
    assert prepared.tensor.shape == SHAPE
    assert 0 <= prepared.tensor.min() < prepared.tensor.max() <= 1
    assert all(step.pixels.dtype == np.uint8 for step in prepared.steps)


def test_scanned_digits_keep_their_looks_at_any_size() -> None:
    """Real digits of 8 x 8: prepared large or small, in either polarity, they are the same."""
    for digit in load_digits().images[:20]:
        large = Image.fromarray((digit * 15.9).astype(np.uint8)).resize((160, 160))
        framed = np.pad(np.asarray(large), 40)
        light = prepare_file(Image.fromarray(framed))
        dark = prepare_file(Image.fromarray(255 - framed))
        assert likeness(light, dark) > 0.97


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_scaled_and_cropped_for_the_method_picture(channels: int) -> None:
    how = Preprocessing("picture", (0.5,) * channels, (0.25,) * channels)
    pixels = np.zeros((60, 100, 3), np.uint8)
    pixels[:, 20:80] = (200, 100, 50)
    prepared = prepare(Picture(pixels), (channels, 32, 32), how)
    assert prepared.tensor.shape == (channels, 32, 32)
    expected = [
        (value / 255 - 0.5) / 0.25 for value in ((200, 100, 50) if channels == 3 else (124,))
    ]
    middle = prepared.tensor[:, 16, 16].tolist()
    assert middle == pytest.approx(expected, abs=0.03)
    assert (prepared.placement.left, prepared.placement.top) == (20, 0)
    assert prepared.placement.scale_y == 60 / 32


def test_the_method_picture_takes_its_own_size_as_it_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    how = Preprocessing("picture", (0.0,) * 3, (1.0,) * 3)
    for exact in (True, False):
        prepared = prepare(Picture(pixels, exact=exact), (3, 32, 32), how)
        assert np.array_equal((prepared.tensor * 255).round().permute(1, 2, 0).numpy(), pixels)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([1, 3]), st.sampled_from([9, 32]))
def test_the_method_picture_takes_any_size(
    height: int, width: int, channels: int, side: int
) -> None:
    how = Preprocessing("picture", (0.0,) * channels, (1.0,) * channels)
    pixels = np.full((height, width), 77, np.uint8)
    prepared = prepare(Picture(pixels), (channels, side, side), how)
    assert torch.allclose(prepared.tensor, torch.tensor(77 / 255), atol=0.003)


def test_a_photo_of_16_megapixels_is_prepared() -> None:
    photo = unevenly_lit(paint(LARGE, (40, 40, 90), (235, 230, 220))).resize((4000, 4000))
    file = BytesIO()
    photo.save(file, "jpeg", quality=80)
    prepared = prepare(read_picture(file.getvalue(), 16_000_000), SHAPE, AS_MNIST)
    assert likeness(prepared, CLEAN) > 0.93


def test_a_larger_network_gets_the_28_pixels_enlarged_as_its_training_pictures_are() -> None:
    picture = picture_from_grey(draw_digit().tobytes())
    small = prepare(picture, SHAPE, AS_MNIST)
    large = prepare(picture, (1, 200, 200), AS_MNIST)
    wanted = torch.nn.functional.interpolate(small.tensor[None], size=(200, 200), mode="bilinear")
    torch.testing.assert_close(large.tensor, wanted[0], atol=1e-6, rtol=0)
    assert [step.name for step in large.steps[:-1]] == [step.name for step in small.steps]
    corner = (small.placement.top, small.placement.left)
    assert (large.placement.top, large.placement.left) == corner
    assert large.placement.scale_y * 200 == pytest.approx(small.placement.scale_y * 28)


def test_the_normalised_step_shows_the_picture() -> None:
    rows = np.random.default_rng(3).integers(0, 256, (32, 32, 3)).tolist()
    prepared = prepare(picture_from_pixels(rows), (3, 32, 32), AS_CIFAR10)
    *_, step = prepared.steps
    assert step.name == "normalised"
    assert step.pixels.shape == (32, 32, 3)
    assert step.pixels.flags.c_contiguous  # A file of tensors holds the bytes as they lie.
    shown = torch.from_numpy(step.pixels).permute(2, 0, 1).float()
    scaled = (prepared.tensor - prepared.tensor.min()) / prepared.tensor.amax().sub(
        prepared.tensor.min()
    )
    assert (shown - 255 * scaled).abs().max() <= 0.51
