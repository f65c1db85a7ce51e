"""Filters and feature maps over HTTP, against the weight file and the trace."""

import io

import httpx
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load, load_file

from app.core.coloring import palette
from app.core.model import Model
from app.web.examples import example_image, example_png
from models.registry import WEIGHTS
from tests.web import samples
from tests.web.conftest import Refused

Values = samples.Values


def layer_path(layer: str, file: str) -> str:
    return f"/api/v1/models/digits/layers/{layer}/{file}"


def array(api: httpx.Client, path: str, **params: str | int) -> Values:
    answer = api.get(path, params=params).raise_for_status()
    assert answer.headers["content-type"] == "application/octet-stream"
    values: Values = np.load(io.BytesIO(answer.content), allow_pickle=False)
    return values


def drawn(api: httpx.Client, path: str, **params: str | int) -> tuple[Values, float]:
    """The numbers that a PNG stands for, and half a step of its scale."""
    answer = api.get(path, params=params).raise_for_status()
    assert answer.headers["content-type"] == "image/png"
    picture = Image.open(io.BytesIO(answer.content))
    low, high = (float(picture.info[name]) for name in ("min", "max"))
    indices = np.asarray(picture, np.float64)
    return (low + indices / 255 * (high - low)).astype(np.float32), (high - low) / 510 * 1.0001


def tiles(whole: Values, shape: tuple[int, ...]) -> Values:
    """The maps (n, height, width) of a picture in which they stand in a square."""
    count, height, width = shape
    columns = int(np.ceil(np.sqrt(count)))
    starts = [divmod(number, columns) for number in range(count)]
    return np.stack(
        [
            whole[y * (height + 1) : y * (height + 1) + height, x * (width + 1) :][:, :width]
            for y, x in starts
        ]
    )


@pytest.fixture(scope="module")
def traced(api: httpx.Client) -> dict[str, Values]:
    answer = api.post("/api/v1/trace", files={"image": example_png()}).raise_for_status()
    return load(answer.content)


def test_activations_are_the_numbers_of_the_trace(
    api: httpx.Client, digits: Model, traced: dict[str, Values]
) -> None:
    for layer in digits.layers:
        path = layer_path(layer.name, "activations.npy")
        values = array(api, path, image=example_image())
        assert values.dtype == np.float32
        assert np.array_equal(values, traced[layer.name]), layer.name
        last = len(values) - 1
        assert np.array_equal(array(api, path, image=example_image(), channel=last), values[last])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_drawn_activations_can_be_read_back(
    api: httpx.Client, digits: Model, traced: dict[str, Values], theme: str
) -> None:
    for layer in digits.layers:
        values = traced[layer.name]
        whole, half = drawn(
            api, layer_path(layer.name, "activations.png"), image=example_image(), theme=theme
        )
        found = tiles(whole, values.shape) if values.ndim == 3 else whole[0]
        assert np.abs(found - values).max() <= half, layer.name


@pytest.mark.parametrize("zoom", [1, 5])
def test_a_drawn_map_has_a_scale_of_its_own(
    api: httpx.Client, traced: dict[str, Values], zoom: int
) -> None:
    path = layer_path("relu1", "activations.png")
    whole, half = drawn(api, path, image=example_image(), channel=3, zoom=zoom)
    values = traced["relu1"][3]
    assert whole.shape == (28 * zoom, 28 * zoom)
    assert np.abs(whole[::zoom, ::zoom] - values).max() <= half
    assert np.abs(whole[zoom - 1 :: zoom, zoom - 1 :: zoom] - values).max() <= half


def test_filters_are_those_of_the_weight_file(api: httpx.Client, digits: Model) -> None:
    assert digits.card.weights
    weights = load_file(WEIGHTS / digits.card.weights)
    with_filters = [layer for layer in digits.layers if layer.weight_shape]
    assert len(with_filters) >= 4
    for layer in with_filters:
        expected = weights[f"{layer.name}.weight"]
        path = layer_path(layer.name, "filters.npy")
        assert np.array_equal(array(api, path), expected)
        assert np.array_equal(array(api, path, channel=7), expected[7])


def test_the_first_filters_can_be_had_alone(api: httpx.Client, digits: Model) -> None:
    path = layer_path("conv3", "filters.npy")
    assert np.array_equal(array(api, path, first=3), digits.weights["conv3"][:3].numpy())
    assert len(array(api, path, first=10_000)) == 128
    filters = digits.weights["conv3"].numpy()
    assert np.array_equal(array(api, path, first=3, channel=5), filters[5])


def test_an_array_that_no_memory_should_hold_is_refused(
    api: httpx.Client, refused: Refused
) -> None:
    path = "/api/v1/models/vgg11/layers/classifier.0/filters.npy"
    detail = refused(api.get(path, timeout=120), 422)
    assert "102,760,448 numbers" in detail
    assert array(api, path, channel=4095).shape == (25_088,)


def test_drawn_filters_can_be_read_back(api: httpx.Client, digits: Model) -> None:
    weights = digits.weights["conv2"].numpy()
    rows, columns, height, width = weights.shape
    whole, half = drawn(api, layer_path("conv2", "filters.png"))
    assert whole.shape == (rows * (height + 1) - 1, columns * (width + 1) - 1)
    for row in range(rows):
        strip = whole[row * (height + 1) :][:height]
        for column in range(columns):
            found = strip[:, column * (width + 1) :][:, :width]
            assert np.abs(found - weights[row, column]).max() <= half
    one, half = drawn(api, layer_path("conv2", "filters.png"), channel=5)
    assert np.abs(tiles(one, weights[5].shape) - weights[5]).max() <= half


@pytest.mark.parametrize(("layer", "signed"), [("conv1", True), ("relu1", False)])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_drawing_has_the_palette_of_its_theme(
    api: httpx.Client, layer: str, signed: bool, theme: str
) -> None:
    params = {"image": example_image(), "theme": theme}
    answer = api.get(layer_path(layer, "activations.png"), params=params)
    picture = Image.open(io.BytesIO(answer.content))
    colours = np.asarray(picture.getpalette(), np.uint8).reshape(-1, 3)
    used = int(np.asarray(picture).max()) + 1
    assert np.array_equal(colours[:used], palette(theme, signed)[:used])  # type: ignore[arg-type]
