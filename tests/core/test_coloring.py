import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.core.coloring import SCALES, Theme, color_indices, palette, value_range

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


def test_nothing_at_all_has_a_range() -> None:
    assert value_range(np.zeros((2, 2), np.float32), signed=True) == (-1, 1)
    assert value_range(np.zeros((0,), np.float32), signed=False) == (0, 1)
