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
