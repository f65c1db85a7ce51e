"""Images, recipes and kernels that nobody thought of: read as they are, or refused in words."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from app.core.editing import edit_network
from app.core.edits import LARGEST, BadEdit, NewKernel, read_edits, to_json
from app.core.errors import ConvScopeError, EmptyDrawing, ImageTooSmall
from app.core.images import picture_from_pixels, read_picture
from app.core.model import Model
from app.core.preparing import prepare
from app.core.recipes import Recipe, list_optimizers, list_schedules
from app.services.model_library import ModelLibrary
from models.registry import list_networks
from tests.web.samples import Pixels, encode

sides = st.integers(1, 40)
grey = st.tuples(sides, sides).flatmap(lambda shape: arrays(np.uint8, shape))
coloured = st.tuples(sides, sides).flatmap(lambda shape: arrays(np.uint8, (*shape, 3)))
numbers = st.floats(-LARGEST, LARGEST, width=32)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def library() -> ModelLibrary:
    return ModelLibrary(torch.device("cpu"))


@settings(deadline=None)
@given(grey | coloured, st.sampled_from(["PNG", "BMP", "WEBP"]))
def test_a_picture_is_read_as_it_is(pixels: Pixels, form: str) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    image = Image.fromarray(pixels)
    if form == "WEBP":
        image = image.convert("RGB")
    read = read_picture(encode(image, form, **options), 40 * 40)
    # Colours that are all grey are read as grey.
    shown = Image.fromarray(read.pixels).convert("RGB")
    assert np.array_equal(np.asarray(shown), np.asarray(image.convert("RGB")))


@settings(deadline=None)
@given(grey | coloured, st.sampled_from(["digits", "lesson-06", "cifar"]))
def test_a_picture_becomes_what_a_network_takes(pixels: Pixels, network: str) -> None:
    card = ModelLibrary(torch.device("cpu")).card(network)
    try:
        prepared = prepare(read_picture(encode(Image.fromarray(pixels)), 1600), *_of(card))
    except (EmptyDrawing, ImageTooSmall):
        return
    assert prepared.tensor.shape == card.input_shape
    assert prepared.tensor.isfinite().all()


def _of(card: Any) -> tuple[Any, Any]:  # noqa: ANN401
    return card.input_shape, card.preprocessing


@settings(deadline=None)
@given(grey | coloured)
def test_rows_of_numbers_are_those_pixels(pixels: Pixels) -> None:
    rows = pixels.tolist()
    if 0 < pixels.max() <= 1:
        with pytest.raises(ConvScopeError, match="multiply yours by 255"):
            picture_from_pixels(rows)
    else:
        assert np.array_equal(picture_from_pixels(rows).pixels, pixels)


KEYS = list(Recipe.__dataclass_fields__)
good = st.fixed_dictionaries(
    {"network": st.sampled_from(list_networks()), "dataset": st.text(max_size=8)},
    optional={
        "epochs": st.integers(1, 10_000),
        "batch_size": st.integers(1, 65_536),
        "optimizer": st.sampled_from(list_optimizers()),
        "learning_rate": st.floats(1e-9, 100),
        "schedule": st.sampled_from(list_schedules()),
        "augmentation": st.lists(st.sampled_from(["blur", "rotation", "crop"]), max_size=3),
        "seed": st.integers(0, 2**63 - 1),
    },
)


@settings(deadline=None)
@given(good)
def test_a_recipe_is_the_same_after_a_journey_as_json(values: dict[str, Any]) -> None:
    recipe = Recipe.from_dict(values)
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert all(getattr(recipe, key) == values[key] for key in values if key != "augmentation")


@settings(deadline=None)
@given(good, st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), anything))
def test_any_other_recipe_is_refused_field_by_field(
    values: dict[str, Any], changed: dict[str, Any]
) -> None:
    try:
        recipe = Recipe.from_dict(values | changed)
    except ConvScopeError as error:
        refused = error
    else:
        assert Recipe.from_json(recipe.to_json()) == recipe
        return
    assert refused.faults
    assert set(refused.faults) <= {key[:60] for key in [*KEYS, *changed]}


@settings(deadline=None, max_examples=50)
@given(
    kernel=st.lists(st.lists(numbers, min_size=5, max_size=5), min_size=5, max_size=5),
    channel=st.integers(0, 15),
    picture=arrays(np.float32, (1, 28, 28), elements=st.floats(0, 1, width=32)),
)
def test_any_kernel_is_what_the_layer_computes_with(
    library: ModelLibrary,
    kernel: list[list[float]],
    channel: int,
    picture: Any,  # noqa: ANN401
) -> None:
    model = library.get("digits")
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    rows = tuple(map(tuple, kernel))
    network = edit_network(model, [NewKernel("conv1", channel, rows)])
    edited = Model.of(model.card, network, model.device)
    inputs = torch.from_numpy(picture)
    weights, biases = model.weights["conv1"].clone(), model.biases["conv1"]
    weights[channel] = torch.tensor(kernel)
    expected = torch.nn.functional.conv2d(inputs[None], weights, biases, padding=2)[0]
    shown = edited.trace(inputs).activations["conv1"]
    torch.testing.assert_close(shown, expected, rtol=1e-4, atol=1e-3)
    after = model.network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


@settings(deadline=None)
@given(
    anything
    | st.fixed_dictionaries(
        {
            "edits": st.lists(
                st.fixed_dictionaries(
                    {},
                    optional={
                        "layer": st.just("conv1") | anything,
                        "channel": st.integers(-2, 20) | anything,
                        "off": st.just(True) | anything,
                        "kernel": st.lists(st.lists(numbers, min_size=2, max_size=2)) | anything,
                        "weight": numbers | anything,
                        "bias": numbers | anything,
                        "y": st.integers(-1, 6) | anything,
                    },
                ),
                min_size=1,
                max_size=3,
            )
        }
    )
)
def test_any_edits_are_read_or_refused(values: object) -> None:
    try:
        edits = read_edits(values)
    except BadEdit:
        return
    assert read_edits(json.loads(to_json("digits", edits))) == edits
