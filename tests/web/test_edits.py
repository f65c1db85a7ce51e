"""Edited models over HTTP, beside torch's own networks with weights that were changed by hand."""

import io
import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from safetensors.torch import load
from torch import Tensor, nn

from app.core.checkpoints import decode_weights
from app.core.dataset_files import DatasetFolders
from app.core.datasets import load_split
from app.core.evaluating import evaluate
from app.core.model import Model
from app.services.model_library import ModelLibrary
from models.registry import WEIGHTS, blank_card, create_network
from tests.web.conftest import Refused

SEVEN = (Path(__file__).parent.parent.parent / "docs" / "seven.png").read_bytes()
SOBEL = [[-1, -2, 0, 2, 1], [-4, -8, 0, 8, 4], [-6, -12, 0, 12, 6], [-4, -8, 0, 8, 4]]
SOBEL += [SOBEL[0]]
OFF = {"layer": "conv1", "channel": 3, "off": True}

# A thick diagonal stroke, fading: most units of the network see something of it.
PIXELS = np.clip(255 - 40 * np.abs(np.subtract.outer(np.arange(28), np.arange(28))), 0, 255)

Change = Callable[[dict[str, Tensor]], None]


def make(api: httpx.Client, model: str, *edits: dict[str, Any]) -> str:
    answer = api.post(f"/api/v1/models/{model}/edits", json={"edits": list(edits)})
    assert answer.status_code == 201, answer.text
    name = str(answer.json()["model"])
    assert answer.headers["Location"] == f"/api/v1/models/{name}"
    return name


def logits(api: httpx.Client, model: str) -> Tensor:
    """As the server has them of pixels of exactly the model's size, which are taken as they are:
    of its trace, in which the same weights give the same bits, whoever predicts."""
    layer = api.get(f"/api/v1/models/{model}").json()["layers"][-2]["name"]
    body = {"pixels": PIXELS.tolist()}
    answer = api.post(f"/api/v1/trace?model={model}&layers={layer}", json=body)
    return load(answer.raise_for_status().content)[layer]


def by_hand(model: Model, change: Change) -> Tensor:
    """The logits of a copy of the network that was changed with torch alone."""
    network = deepcopy(model.network)
    with torch.no_grad():
        change(network.state_dict())
        result: Tensor = network(torch.tensor(PIXELS / 255, dtype=torch.float32)[None, None])[0]
    return result


def switch_off(state: dict[str, Tensor]) -> None:
    state["conv1.weight"][3] = 0
    state["conv1.bias"][3] = 0


def take_sobel(state: dict[str, Tensor]) -> None:
    state["conv1.weight"][0, 0] = torch.tensor(SOBEL)


def set_weight(state: dict[str, Tensor]) -> None:
    state["conv2.weight"][1, 10, 1, 2] = 3


def set_bias(state: dict[str, Tensor]) -> None:
    state["fc1.bias"][7] = -10


def set_linear(state: dict[str, Tensor]) -> None:
    state["fc1.weight"][7, 1067] = 2


@pytest.mark.parametrize(
    ("edit", "change"),
    [
        (OFF, switch_off),
        (OFF | {"layer": "pool1"}, switch_off),
        ({"layer": "conv1", "channel": 0, "kernel": SOBEL}, take_sobel),
        (
            {"layer": "conv2", "channel": 1, "input_channel": 10, "y": 1, "x": 2, "weight": 3},
            set_weight,
        ),
        ({"layer": "fc1", "channel": 7, "bias": -10}, set_bias),
        ({"layer": "fc1", "channel": 7, "input_channel": 1067, "weight": 2}, set_linear),
    ],
)
def test_predictions_are_those_of_the_network_changed_by_hand(
    api: httpx.Client, digits: Model, edit: dict[str, Any], change: Change
) -> None:
    files = {path.name: path.read_bytes() for path in WEIGHTS.glob("digits.*")}
    before = logits(api, "digits")
    found = logits(api, make(api, "digits", edit))
    torch.testing.assert_close(found, by_hand(digits, change), rtol=1e-5, atol=1e-4)
    assert not found.equal(before)
    assert logits(api, "digits").equal(before)
    assert {path.name: path.read_bytes() for path in WEIGHTS.glob("digits.*")} == files


def test_a_batch_norm_is_edited(api: httpx.Client, library: ModelLibrary) -> None:
    model = library.get("cifar-3conv")
    name = make(api, "cifar-3conv", OFF | {"layer": "relu1"})
    network = deepcopy(model.network)
    with torch.no_grad():
        network.get_parameter("bn1.weight")[3] = 0
        network.get_parameter("bn1.bias")[3] = 0
    rows = np.random.default_rng(4).integers(0, 256, (32, 32, 3))
    how = model.card.preprocessing
    values = (rows / 255 - np.asarray(how.mean)) / np.asarray(how.std)
    with torch.no_grad():
        expected = network(torch.tensor(values, dtype=torch.float32).permute(2, 0, 1)[None])[0]
    answer = api.post(f"/api/v1/predict?model={name}", json={"pixels": rows.tolist()}).json()
    torch.testing.assert_close(torch.tensor(answer["logits"]), expected, rtol=1e-4, atol=1e-4)


def test_it_is_a_model_like_any_other(api: httpx.Client) -> None:
    name = make(api, "digits", OFF)
    image = api.post("/api/v1/images", files={"image": SEVEN}).json()["id"]
    tensors = load(api.post(f"/api/v1/trace?model={name}", files={"image": SEVEN}).content)
    assert tensors["relu1"][3].count_nonzero() == 0
    assert tensors["relu1"][4].count_nonzero() > 0
    filters = api.get(f"/api/v1/models/{name}/layers/conv1/filters.npy?channel=3").content
    assert np.load(io.BytesIO(filters)).any() == np.False_
    maps = api.get(f"/api/v1/models/{name}/layers/conv1/activations.npy?image={image}&channel=3")
    assert not np.load(io.BytesIO(maps.content)).any()
    card = api.get(f"/api/v1/models/{name}").json()
    assert card["title"] == "Digits, edited: conv1 channel 3 off"
    assert card["metrics"] == {}
    for path in (f"/?model={name}", f"/models/{name}", f"/augment?model={name}"):
        assert api.get(path).status_code == 200, path
    assert "Digits, edited: conv1 channel 3 off" in api.get(f"/?model={name}").text
    assert name not in [one["name"] for one in api.get("/api/v1/models").json()]


def test_biases_are_there_to_be_read(api: httpx.Client, digits: Model, refused: Refused) -> None:
    name = make(api, "digits", {"layer": "conv1", "channel": 5, "bias": 0.75})
    found = np.load(io.BytesIO(api.get(f"/api/v1/models/{name}/layers/conv1/biases.npy").content))
    expected = digits.network.get_parameter("conv1.bias").detach().numpy().copy()
    expected[5] = 0.75
    np.testing.assert_array_equal(found, expected)
    said = refused(api.get("/api/v1/models/digits/layers/relu1/biases.npy"), 404)
    assert said == "relu1 has no biases. The layers of digits that have: conv1, conv2, conv3, fc1."


def test_edits_are_listed_in_order_whatever_way_they_were_made(api: httpx.Client) -> None:
    bias = {"layer": "fc1", "channel": 7, "bias": -10.0}
    name = make(api, make(api, "digits", OFF), bias)
    assert name == make(api, "digits", OFF, bias)
    assert api.get(f"/api/v1/models/{name}/edits").json() == {
        "model": name,
        "title": "Digits, edited: fc1 unit 7, bias is -10 and 1 more",
        "base": "digits",
        "base_accuracy": api.get("/api/v1/models/digits").json()["metrics"]["test_accuracy"],
        "edits": [OFF, bias],
        "words": ["conv1 channel 3 off", "fc1 unit 7, bias is -10"],
    }
    assert api.get("/api/v1/models/digits/edits").json()["edits"] == []


@pytest.mark.parametrize(
    ("body", "field", "part"),
    [
        ({"edits": [OFF | {"channel": 16}]}, "edits.0.channel", "go from 0 to 15"),
        ({"edits": [OFF, OFF | {"layer": "x"}]}, "edits.1.layer", "Its layers are conv1"),
        ({"edits": [OFF | {"layer": "flatten"}]}, "edits.0.layer", "can't be switched off"),
        (
            {"edits": [{"layer": "conv1", "channel": 0, "kernel": [[1]]}]},
            "edits.0.kernel",
            "5 rows of 5",
        ),
        ({"edits": []}, "edits", "one edit or more"),
    ],
)
def test_a_refusal_names_the_field(
    api: httpx.Client, refused: Refused, body: object, field: str, part: str
) -> None:
    answer = api.post("/api/v1/models/digits/edits", json=body)
    assert part in refused(answer, 422)
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


def test_numbers_that_are_none_are_refused(api: httpx.Client, refused: Refused) -> None:
    body = '{"edits": [{"layer": "conv1", "channel": 0, "bias": NaN}]}'
    headers = {"Content-Type": "application/json"}
    answer = api.post("/api/v1/models/digits/edits", content=body, headers=headers)
    assert "between -10000 and 10000, not nan" in refused(answer, 422)


def test_what_is_not_there_is_not_found(api: httpx.Client, refused: Refused) -> None:
    for model in ("none", "digits~000000000000", "none~000000000000"):
        assert refused(api.get(f"/api/v1/models/{model}/edits"), 404)
        assert refused(api.post(f"/api/v1/predict?model={model}", files={"image": SEVEN}), 404)
    assert refused(api.post("/api/v1/models/none/edits", json={"edits": [OFF]}), 404)


@pytest.fixture(scope="module")
def run(api: httpx.Client) -> str:
    """A finished run on the data set that is always there."""
    recipe = {"network": "simple-cnn", "dataset": "optdigits", "epochs": 1, "batch_size": 64}
    run = str(api.post("/api/v1/runs", json=recipe).raise_for_status().json()["id"])
    with api.stream("GET", f"/api/v1/runs/{run}/events") as events:
        assert "event: finished" in list(events.iter_lines())
    return run


def events_of(api: httpx.Client, model: str) -> list[tuple[str, dict[str, Any]]]:
    with api.stream("GET", f"/api/v1/models/{model}/evaluation/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line.startswith(("event: ", "data: "))]
    return [
        (kind.removeprefix("event: "), json.loads(data.removeprefix("data: ")))
        for kind, data in zip(lines[::2], lines[1::2], strict=True)
    ]


def test_the_test_split_is_evaluated_and_the_model_kept(
    api: httpx.Client, run: str, refused: Refused, tmp_path: Path
) -> None:
    name = make(api, f"{run}@1", OFF)
    weights = decode_weights(api.get(f"/api/v1/runs/{run}/snapshots/1.safetensors").content)
    weights["conv1.weight"][3], weights["conv1.bias"][3] = 0, 0
    network: nn.Module = create_network("simple-cnn")
    network.load_state_dict(weights)
    split = load_split("optdigits", "test", DatasetFolders(tmp_path, tmp_path))
    expected = evaluate(network, split, blank_card("simple-cnn"))

    *progress, (kind, evaluation) = events_of(api, name)
    assert kind == "evaluated"
    assert evaluation["model"] == name
    assert evaluation["images"] == 360
    assert evaluation["confusion"] == expected.confusion.tolist()
    assert evaluation["loss"] == pytest.approx(expected.loss, rel=1e-5)
    for kind, facts in progress:
        assert kind == "progress"
        assert facts["total"] == 360
        assert 0 < facts["done"] <= 360
        assert 0 <= facts["accuracy"] <= 1
    assert events_of(api, name) == [("evaluated", evaluation)]

    url = f"/api/v1/models/{name}/keep"
    card = api.post(url, json={"name": "without-3"}).raise_for_status().json()
    try:
        assert card["metrics"]["test_accuracy"] == evaluation["accuracy"]
        assert card["description"].endswith("edited by hand: conv1 channel 3 off.")
        assert logits(api, "without-3").equal(logits(api, name))
        assert "without-3" in [one["name"] for one in api.get("/api/v1/models").json()]
        assert "already" in refused(api.post(url, json={"name": "without-3"}), 422)
        again = make(api, "without-3", OFF | {"channel": 4})
    finally:
        api.delete("/api/v1/models/without-3?force=true").raise_for_status()
    assert "no longer there" in refused(api.get(f"/api/v1/models/{again}"), 404)


def test_what_was_measured_is_told_at_once(api: httpx.Client, refused: Refused) -> None:
    ((kind, evaluation),) = events_of(api, "digits")
    assert kind == "evaluated"
    assert evaluation == api.get("/api/v1/models/digits/evaluation").json()
    said = refused(api.get("/api/v1/models/resnet18/evaluation/events"), 422)
    assert "no data set called" in said
    name = make(api, "digits", OFF)
    assert "/evaluation/events does it" in refused(
        api.get(f"/api/v1/models/{name}/evaluation"), 404
    )
    said = refused(api.post("/api/v1/models/digits/keep", json={"name": "other"}), 422)
    assert said.startswith("digits has no edits")
