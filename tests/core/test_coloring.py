import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.core.coloring import BLOCK, SCALES, Theme, color_indices, palette, value_range

THEMES: list[Theme] = ["light", "dark"]


def lightness(colors: np.ndarray) -> np.ndarray:
    linear = np.where(colors <= 10, colors / 3294.6, ((colors / 255 + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ np.array([0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("theme", THEMES)
def test_more_is_always_further_from_the_page(theme: Theme) -> None:
    steps = np.diff(lightness(palette(theme, signed=False)))
    assert (steps <= 0).all() if theme == "light" else (steps >= 0).all()


@pytest.mark.parametrize("theme", THEMES)
def test_both_signs_move_away_from_the_page_alike(theme: Theme) -> None:
    light = lightness(palette(theme, signed=True))
    outwards = [np.diff(light[128:]), np.diff(light[127::-1])]
    for steps in outwards:
        assert (steps <= 0).all() if theme == "light" else (steps >= 0).all()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("signed", [False, True])
def test_a_palette_ends_where_its_scale_ends(theme: Theme, signed: bool) -> None:
    colors = palette(theme, signed)
    stops = SCALES[theme]["diverging" if signed else "sequential"]
    assert colors.shape == (256, 3)
    assert "#" + bytes(colors[0]).hex() == stops[0]
    assert "#" + bytes(colors[-1]).hex() == stops[-1]


@given(arrays(np.float32, (4, 5), elements=st.floats(-1e6, 1e6, width=32)), st.booleans())
def test_colours_can_be_read_back(values: np.ndarray, signed: bool) -> None:
    values = values if signed else np.abs(values)
    low, high = value_range(values, signed)
    assert low in (0, -high)
    read = low + color_indices(values, (low, high)) / 255 * (high - low)
    assert np.abs(read - values).max() <= (high - low) / 510 * (1 + 1e-5)


def drawn_at_once(values: np.ndarray, signed: bool) -> tuple[tuple[float, float], np.ndarray]:
    """Range and indices by the formula itself, over all values at once."""
    largest = float(np.abs(values).max(initial=0.0, where=np.isfinite(values))) or 1.0
    low, high = (-largest if signed else 0.0), largest
    numbers = np.nan_to_num(values.astype(np.float64), posinf=high, neginf=low)
    steps = np.clip((numbers - low) / (high - low) * 255, 0, 255).round()
    return (low, high), steps.astype(np.uint8)


def check_at_once(values: np.ndarray, signed: bool) -> None:
    span, indices = drawn_at_once(values, signed)
    assert value_range(values, signed) == span
    found = color_indices(values, span)
    assert found.dtype == np.uint8
    assert np.array_equal(found, indices)


@given(arrays(np.float32, st.integers(0, 40), elements=st.floats(width=32)), st.booleans())
def test_any_numbers_are_coloured_by_the_formula(values: np.ndarray, signed: bool) -> None:
    check_at_once(values, signed)


@pytest.mark.parametrize("signed", [False, True])
def test_so_are_more_than_a_block_however_they_lie(signed: bool) -> None:
    chance = np.random.default_rng(0)
    values = chance.standard_normal((5, 7, BLOCK // 16, 3)).astype(np.float32)
    values[0, 0, :3, 0] = np.nan, np.inf, -np.inf
    halves = np.arange(-255, 256, dtype=np.float32) / 255  # Each lies between two colours.
    for one in (values, values[:, ::2], values.transpose(2, 0, 3, 1), values[0, 0, 0], halves):
        check_at_once(one, signed)


def test_colouring_takes_no_more_than_what_comes_of_it() -> None:
    values = np.random.default_rng(0).standard_normal((2048, 2048)).astype(np.float32)
    tracemalloc.start()
    try:
        color_indices(values, value_range(values, signed=True))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * values.size


def test_nothing_at_all_has_a_range() -> None:
    assert value_range(np.zeros((2, 2), np.float32), signed=True) == (-1, 1)
    assert value_range(np.zeros((0,), np.float32), signed=False) == (0, 1)
