"""Traces over HTTP, against the network itself."""

import json
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from safetensors.numpy import load

from app.core.images import picture_from_grey
from app.core.model import Model
from app.core.preparing import prepare
from app.services.model_library import ModelLibrary
from tests.web import samples
from tests.web.conftest import Refused

TRACE = "/api/v1/trace"
GREY = {"Content-Type": "application/octet-stream"}
PIXELS = samples.exact_pixels()


def read(answer: httpx.Response) -> tuple[dict[str, samples.Values], dict[str, Any]]:
    """The tensors of a safetensors file and its metadata."""
    assert answer.status_code == 200, answer.text
    size = int.from_bytes(answer.content[:8], "little")
    header = json.loads(answer.content[8 : 8 + size])
    metadata = {name: json.loads(text) for name, text in header.pop("__metadata__").items()}
    return load(answer.content), metadata


@pytest.mark.parametrize("name", ["digits", "convnet-revisited"])
def test_every_tensor_is_what_the_module_gives(
    api: httpx.Client, library: ModelLibrary, name: str
) -> None:
    model = library.get(name)
    body = {"pixels": PIXELS.tolist()}
    tensors, metadata = read(api.post(TRACE, params={"model": name}, json=body))
    assert tensors.keys() == {"input"} | {layer.name for layer in model.layers}
    value = torch.from_numpy(PIXELS / 255).float()[None, None]
    assert np.array_equal(tensors["input"], value[0].numpy())
    assert isinstance(model.network, torch.nn.Sequential)
    with torch.inference_mode():
        for layer, module in model.network.named_children():
            value = module(value)
            np.testing.assert_allclose(tensors[layer], value[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(tensors["softmax"], value[0].softmax(0), atol=1e-6)
    prediction = metadata["prediction"]
    last = list(model.network.named_children())[-1][0]
    assert prediction["logits"] == tensors[last].tolist()
    shares = [one["probability"] for one in prediction["probabilities"]]
    assert shares == tensors["softmax"].tolist()


def test_a_trace_predicts_what_predict_does(api: httpx.Client) -> None:
    body = samples.draw_seven().tobytes()
    _, metadata = read(api.post(TRACE, content=body, headers=GREY))
    expected = api.post("/api/v1/predict", content=body, headers=GREY).json()
    traced = metadata["prediction"]
    assert traced.keys() == expected.keys()
    assert traced["label"] == expected["label"] == "7"
    assert traced["logits"] == pytest.approx(expected["logits"], rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("layers", ["conv2", "softmax,conv1", " conv1 , conv1", "pool2,"])
def test_only_the_wanted_layers_come(api: httpx.Client, digits: Model, layers: str) -> None:
    answer = api.post(TRACE, params={"layers": layers}, json={"pixels": PIXELS.tolist()})
    wanted = {name.strip() for name in layers.split(",")}
    if "" in wanted:
        assert answer.status_code == 404
        return
    assert read(answer)[0].keys() == wanted | {"input"}


def test_only_the_wanted_channels_come_and_say_which_they_are(api: httpx.Client) -> None:
    body = {"pixels": PIXELS.tolist()}
    whole, _ = read(api.post(TRACE, json=body))
    words = "conv1:3, conv2@7,conv2:2,pool2@1,pool2,fc1:99"
    some, metadata = read(api.post(TRACE, params={"layers": words}, json=body))
    assert some.keys() == {"conv1", "conv2", "pool2", "fc1", "input"}
    picked = metadata["picked"]
    assert picked.keys() == {"conv1", "conv2", "fc1"}  # All of pool2 was wanted, too.
    for layer, told in picked.items():
        assert np.array_equal(some[layer], whole[layer][told["channels"]])
        assert told["smallest"] == whole[layer].min()
        assert told["largest"] == whole[layer].max()
        assert told["mean"] == pytest.approx(whole[layer].mean(), abs=1e-6)
        assert told["zeros"] == pytest.approx((whole[layer] == 0).mean())
    assert np.array_equal(some["pool2"], whole["pool2"])
    strength = np.abs(whole["conv1"]).mean(axis=(1, 2))
    assert picked["conv1"]["channels"] == np.argsort(-strength)[:3].tolist()
    assert len(picked["conv2"]["channels"]) in (2, 3)
    assert 7 in picked["conv2"]["channels"]
    assert picked["fc1"]["channels"] == list(range(10))


@pytest.mark.parametrize(
    ("words", "missing"),
    [("conv9:3", "no layer 'conv9'"), ("conv1@16", "0 to 15"), ("conv1@", "no layer 'conv1@'")],
)
def test_channels_that_are_not_there_are_refused(
    api: httpx.Client, refused: Refused, words: str, missing: str
) -> None:
    answer = api.post(TRACE, params={"layers": words}, json={"pixels": PIXELS.tolist()})
    assert missing in refused(answer, 404)


def test_of_many_classes_the_most_probable_are_enough(api: httpx.Client) -> None:
    params: dict[str, str | int] = {"layers": "softmax", "top": 2}
    tensors, metadata = read(api.post(TRACE, params=params, json={"pixels": PIXELS.tolist()}))
    shares = [one["probability"] for one in metadata["prediction"]["probabilities"]]
    assert shares == sorted(tensors["softmax"].tolist(), reverse=True)[:2]
    assert len(metadata["prediction"]["logits"]) == 10


def test_no_layers_means_all(api: httpx.Client, digits: Model) -> None:
    answer = api.post(TRACE, params={"layers": ""}, json={"pixels": PIXELS.tolist()})
    assert len(read(answer)[0]) == len(digits.layers) + 1


def test_the_steps_of_the_preparation_come_along(api: httpx.Client, digits: Model) -> None:
    body = samples.draw_seven().tobytes()
    tensors, metadata = read(
        api.post(TRACE, params={"steps": True, "layers": "conv1"}, content=body, headers=GREY)
    )
    card = digits.card
    prepared = prepare(picture_from_grey(body), card.input_shape, card.preprocessing)
    assert metadata["steps"] == [[step.name, step.caption] for step in prepared.steps]
    for step in prepared.steps:
        assert np.array_equal(tensors[f"step:{step.name}"], step.pixels)
    assert np.array_equal(tensors["input"], prepared.tensor.numpy())
    assert len(tensors) == 2 + len(prepared.steps)


def test_float_tensors_are_aligned_for_a_browser(api: httpx.Client) -> None:
    body = samples.draw_seven().tobytes()
    answer = api.post(TRACE, params={"steps": True}, content=body, headers=GREY)
    size = int.from_bytes(answer.content[:8], "little")
    header = json.loads(answer.content[8 : 8 + size])
    header.pop("__metadata__")
    starts = [one["data_offsets"][0] for one in header.values() if one["dtype"] == "F32"]
    assert all((8 + size + start) % 4 == 0 for start in starts)


def test_a_trace_tells_where_its_time_went(api: httpx.Client) -> None:
    answer = api.post(TRACE, json={"pixels": PIXELS.tolist()})
    names = [part.partition(";")[0] for part in answer.headers["server-timing"].split(", ")]
    assert names == ["prepare", "network", "total"]
