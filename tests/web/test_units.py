"""Units over HTTP, against the tensors of a trace and the weight file."""

import io
import json
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load, load_file

from app.core.model import Model
from app.services.model_library import ModelLibrary
from app.web.examples import example_image, example_png
from models.registry import WEIGHTS
from tests.web import samples
from tests.web.conftest import Refused

Values = samples.Values
Record = dict[str, Any]


def unit_path(layer: str, *index: int, model: str = "digits") -> str:
    return f"/api/v1/models/{model}/layers/{layer}/units/{'/'.join(map(str, index))}"


def unit(api: httpx.Client, layer: str, *index: int, **params: int | str) -> Record:
    model = str(params.pop("model", "digits"))
    path = unit_path(layer, *index, model=model)
    answer = api.get(path, params={"image": example_image(), **params})
    return dict(answer.raise_for_status().json())


@pytest.fixture(scope="module")
def traced(api: httpx.Client) -> dict[str, Values]:
    answer = api.post("/api/v1/trace", files={"image": example_png()}).raise_for_status()
    return load(answer.content)


@pytest.fixture(scope="module")
def weights(digits: Model) -> dict[str, Values]:
    assert digits.card.weights
    return load_file(WEIGHTS / digits.card.weights)


def test_a_convolution_by_hand_from_the_arrays_of_a_trace(
    api: httpx.Client, traced: dict[str, Values], weights: dict[str, Values]
) -> None:
    told = unit(api, "conv2", 5, 3, 0, count=1024)
    assert told["value"] == float(traced["conv2"][5, 3, 0])
    assert told["window"] == {
        "rows": [1, 2, 3, 4, 5],
        "columns": [None, None, 0, 1, 2],
        "padding": "zeros",
    }
    padded = np.pad(traced["pool1"], ((0, 0), (2, 2), (2, 2))).astype(np.float64)
    inputs = padded[:, 3:8, 0:5]
    kernels = weights["conv2.weight"][5].astype(np.float64)
    assert {term["channel"] for term in told["terms"]} == set(range(16))
    for term in told["terms"]:
        channel = term["channel"]
        assert (term["source"], term["index"]) == ("pool1", None)
        assert np.array_equal(term["inputs"], inputs[channel])
        assert np.array_equal(term["weights"], kernels[channel])
        assert np.array_equal(term["products"], inputs[channel] * kernels[channel])
        assert term["subtotal"] == pytest.approx((inputs[channel] * kernels[channel]).sum())
    bias = float(weights["conv2.bias"][5])
    products = inputs * kernels
    assert told["bias"] == bias
    assert told["sum"] == told["computed"] == pytest.approx(products.sum() + bias, rel=1e-12)
    assert told["magnitude"] == pytest.approx(np.abs(products).sum() + abs(bias), rel=1e-12)
    assert told["difference"] == told["value"] - told["computed"]
    assert told["agrees"] is True
    assert told["own_precision"]["dtype"] == "float32"
    assert told["own_precision"]["computed"] == pytest.approx(told["value"], rel=1e-4)
    assert told["reads"] == ["pool1"]


def test_every_layer_says_what_torch_stored(
    api: httpx.Client, digits: Model, traced: dict[str, Values]
) -> None:
    random = np.random.default_rng(0)
    for layer in digits.layers:
        place = tuple(int(random.integers(size)) for size in layer.output_shape)
        told = unit(api, layer.name, *(*place, 0, 0)[:3])
        assert told["value"] == float(traced[layer.name][place])
        assert told["agrees"]
        assert (told["model"], told["layer"], told["kind"]) == ("digits", layer.name, layer.kind)
        assert told["index"] == [*place, 0, 0][:3]
        for following in told["next"]:
            stored = traced[following["layer"]][tuple(following["index"][: len(place)])]
            assert following["value"] == float(stored)


def test_what_comes_behind_a_convolution(api: httpx.Client) -> None:
    told = unit(api, "conv1", 2, 10, 10)
    assert [(one["layer"], one["kind"], one["index"]) for one in told["next"]] == [
        ("relu1", "relu", [2, 10, 10])
    ]


def test_pages_and_their_rest_are_all(api: httpx.Client) -> None:
    whole = unit(api, "conv3", 9, 2, 2, count=1024)
    assert (whole["total"], whole["count"], whole["rest"]) == (48, 48, {"count": 0, "subtotal": 0})
    sizes = [abs(term["subtotal"]) for term in whole["terms"]]
    assert sizes == sorted(sizes, reverse=True)
    everything = sum(term["subtotal"] for term in whole["terms"])
    collected = []
    for offset in (0, 20, 40):
        page = unit(api, "conv3", 9, 2, 2, offset=offset, count=20)
        assert (page["offset"], page["count"]) == (offset, len(page["terms"]))
        assert page["rest"]["count"] == 48 - page["count"]
        shown = sum(term["subtotal"] for term in page["terms"])
        assert shown + page["rest"]["subtotal"] == pytest.approx(everything, rel=1e-12)
        assert everything + page["bias"] == pytest.approx(page["sum"], rel=1e-12)
        collected += page["terms"]
    assert collected == whole["terms"]
    beyond = unit(api, "conv3", 9, 2, 2, offset=99)
    assert (beyond["terms"], beyond["rest"]["count"]) == ([], 48)


def test_a_linear_layer_is_folded_back_over_the_maps(
    api: httpx.Client, traced: dict[str, Values], weights: dict[str, Values]
) -> None:
    told = unit(api, "fc1", 7, 0, 0, count=1024)
    assert told["reads"] == ["flatten"]
    assert told["window"]["rows"] == told["window"]["columns"] == [0, 1, 2]
    assert len(told["terms"]) == 128
    for term in told["terms"]:
        assert term["source"] == "pool3"
        assert np.array_equal(term["inputs"], traced["pool3"][term["channel"]])
        row = weights["fc1.weight"][7].reshape(128, 3, 3)
        assert np.array_equal(term["weights"], row[term["channel"]])


def test_a_pool_a_relu_and_a_softmax(api: httpx.Client, traced: dict[str, Values]) -> None:
    pool = unit(api, "pool1", 4, 6, 7)
    (term,) = pool["terms"]
    assert np.array_equal(term["inputs"], traced["relu1"][4, 12:14, 14:16])
    y, x = pool["details"]["winner"]
    assert traced["relu1"][4, y, x] == pool["value"]
    assert (pool["sum"], term["weights"], term["products"]) == (None, None, None)
    relu = unit(api, "relu1", 4, 6, 7)
    assert relu["terms"][0]["inputs"] == [[float(traced["conv1"][4, 6, 7])]]
    assert relu["terms"][0]["index"] == [4, 6, 7]
    assert relu["details"]["dead"] == (not traced["relu1"][4].any())
    softmax = unit(api, "softmax", 7, 0, 0)
    details = softmax["details"]
    assert details["labels"] == list("0123456789")
    assert details["logits"] == traced["fc1"].tolist()
    exact = np.exp(traced["fc1"].astype(np.float64) - traced["fc1"].max())
    assert np.allclose(details["exponentials"], exact, rtol=1e-12)
    assert details["total"] == pytest.approx(exact.sum())
    assert softmax["computed"] == pytest.approx(exact[7] / exact.sum(), rel=1e-12)


def test_a_trace_tells_of_a_unit_of_its_own(api: httpx.Client) -> None:
    answer = api.post(
        "/api/v1/trace",
        params={"unit": "conv2/5/3/0", "layers": "softmax"},
        files={"image": example_png()},
    ).raise_for_status()
    size = int.from_bytes(answer.content[:8], "little")
    metadata = json.loads(answer.content[8 : 8 + size])["__metadata__"]
    told = json.loads(metadata["unit"])
    assert told["count"] == 6
    assert told == unit(api, "conv2", 5, 3, 0, count=6)


def test_no_unit_is_told_of_where_none_is_asked_for(api: httpx.Client) -> None:
    answer = api.post("/api/v1/trace", files={"image": example_png()}).raise_for_status()
    size = int.from_bytes(answer.content[:8], "little")
    assert "unit" not in json.loads(answer.content[8 : 8 + size])["__metadata__"]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("conv2/5/3", 422, "as in conv1/3/4/0"),
        ("conv2/5/3/-1", 422, "as in conv1/3/4/0"),
        ("conv9/5/3/0", 404, "Its layers are conv1"),
        ("conv2/48/3/0", 404, "0 to 47"),
        ("conv2/5/14/0", 404, "rows are 0 to 13"),
    ],
)
def test_units_that_are_not_there_are_refused_with_a_trace(
    api: httpx.Client, refused: Refused, words: str, status: int, said: str
) -> None:
    body = {"pixels": samples.exact_pixels().tolist()}
    answer = api.post("/api/v1/trace", params={"unit": words}, json=body)
    assert said in refused(answer, status)


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        (unit_path("conv9", 0, 0, 0), 404, "Its layers are conv1"),
        (unit_path("conv1", 16, 0, 0), 404, "Its channels are 0 to 15"),
        (unit_path("conv1", -1, 0, 0), 404, "Its channels are 0 to 15"),
        (unit_path("conv1", 0, 28, 0), 404, "rows are 0 to 27 and its columns 0 to 27"),
        (unit_path("fc1", 0, 0, 1), 404, "columns 0 to 0"),
        (unit_path("conv1", 0, 0, 0) + "/effective_field.png", 404, "Send it with POST"),
        (unit_path("conv1", 0, 0, 99) + "/effective_field.npy", 404, "columns 0 to 27"),
        ("/api/v1/models/digits/layers/conv1/units/a/0/0", 422, "valid integer"),
    ],
)
def test_units_that_are_not_there_are_refused(
    api: httpx.Client, refused: Refused, path: str, status: int, said: str
) -> None:
    assert said in refused(api.get(path, params={"image": "0" * 32}), status)


def test_an_addition_and_a_norm_of_a_large_network(
    api: httpx.Client, library: ModelLibrary
) -> None:
    answer = api.post(
        "/api/v1/trace", params={"model": "resnet18", "top": 1}, files={"image": example_png()}
    )
    tensors = load(answer.raise_for_status().content)
    told = unit(api, "layer4.1.add", 500, 3, 2, model="resnet18")
    sources = {term["source"]: term["inputs"] for term in told["terms"]}
    assert sources == {
        name: [[float(tensors[name][500, 3, 2])]] for name in ("layer4.0.relu_1", "layer4.1.bn2")
    }
    assert told["agrees"]
    assert told["sum"] == sum(term["subtotal"] for term in told["terms"])
    conv = unit(api, "layer4.1.conv2", 500, 3, 2, model="resnet18")
    assert (conv["total"], conv["count"], conv["bias"], conv["agrees"]) == (512, 16, None, True)
    assert conv["value"] == float(tensors["layer4.1.conv2"][500, 3, 2])
    assert [one["kind"] for one in conv["next"]] == ["batch_norm2d"]
    norm = unit(api, "layer4.1.bn2", 500, 3, 2, model="resnet18")
    details = norm["details"]
    by_hand = (details["input"] - details["mean"]) / np.sqrt(details["variance"] + details["eps"])
    assert norm["value"] == pytest.approx(
        by_hand * details["weight"] + details["bias"], abs=1e-5 * norm["magnitude"]
    )


def test_a_receptive_field_is_of_this_unit(api: httpx.Client) -> None:
    assert unit(api, "conv1", 0, 0, 14)["receptive_field"] == {
        "top": 0,
        "left": 12,
        "height": 3,
        "width": 5,
        "padded": {"top": 2, "left": 0, "bottom": 0, "right": 0},
    }
    fc1 = unit(api, "fc1", 3, 0, 0)["receptive_field"]
    assert (fc1["height"], fc1["width"]) == (28, 28)


def test_an_effective_field_is_the_gradient_that_torch_has(
    api: httpx.Client, digits: Model, traced: dict[str, Values]
) -> None:
    path = unit_path("conv3", 9, 2, 2) + "/effective_field"
    params = {"image": example_image()}
    answer = api.get(path + ".npy", params=params).raise_for_status()
    values = np.load(io.BytesIO(answer.content), allow_pickle=False)
    picture = torch.from_numpy(traced["input"]).requires_grad_()
    value = picture[None]
    for name, module in digits.network.named_children():
        value = module(value)
        if name == "conv3":
            break
    (gradient,) = torch.autograd.grad(value[0, 9, 2, 2], picture)
    np.testing.assert_allclose(values, gradient.abs().sum(0).numpy(), rtol=1e-4, atol=1e-6)
    field = unit(api, "conv3", 9, 2, 2)["receptive_field"]
    top, left = field["top"], field["left"]
    values[top : top + field["height"], left : left + field["width"]] = 0
    assert not values.any()
    drawn = api.get(path + ".png", params=params | {"zoom": 2}).raise_for_status()
    assert Image.open(io.BytesIO(drawn.content)).size == (56, 56)
