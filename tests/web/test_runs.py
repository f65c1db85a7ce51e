"""Runs through the real server: launched, watched by several at once, and killed with it."""

import io
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from safetensors.torch import load

from models.registry import create_network
from tests.conftest import free_port, start_server, stop, wait_until_up
from tests.web.conftest import Refused

SHORT = {"network": "simple-cnn", "dataset": "optdigits", "epochs": 3, "batch_size": 64}
LONG = {**SHORT, "epochs": 5000, "batch_size": 8}
ENDED = ("cancelled", "failed", "finished", "interrupted")

Event = tuple[str, str, dict[str, Any]]


def launch(api: httpx.Client, recipe: dict[str, Any]) -> str:
    answer = api.post("/api/v1/runs", json=recipe)
    assert answer.status_code == 202, answer.text
    run = str(answer.json()["id"])
    assert answer.headers["Location"] == f"/api/v1/runs/{run}"
    return run


def watch(api: httpx.Client, run: str, after: int = 0) -> Iterator[Event]:
    """The events of a run as a browser reads them: number, kind and what it says."""
    headers = {"Last-Event-ID": str(after)} if after else {}
    lines: dict[str, str] = {}
    with api.stream("GET", f"/api/v1/runs/{run}/events", headers=headers, timeout=120) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line:
                key, _, value = line.partition(": ")
                lines[key] = value
            elif "data" in lines:
                yield lines["id"], lines["event"], json.loads(lines["data"])
                lines = {}


def state(api: httpx.Client, run: str) -> str:
    return str(api.get(f"/api/v1/runs/{run}").json()["state"])


def wait_for_epoch(api: httpx.Client, run: str, epoch: int) -> None:
    for _, kind, facts in watch(api, run):
        if kind == "epoch" and facts["epoch"] >= epoch:
            return
    raise AssertionError("the run ended before")


@pytest.fixture(scope="module")
def finished(api: httpx.Client) -> tuple[str, list[Event]]:
    """A run that was watched from its beginning to its end."""
    run = launch(api, SHORT)
    return run, list(watch(api, run))


def test_a_run_is_told_from_its_beginning_to_its_end(
    api: httpx.Client, finished: tuple[str, list[Event]]
) -> None:
    run, events = finished
    assert [int(number) for number, _, _ in events] == list(range(1, len(events) + 1))
    kinds = [kind for _, kind, _ in events]
    assert kinds[:3] == ["queued", "running", "started"]
    assert kinds[-1] == "finished"
    epochs = [facts for _, kind, facts in events if kind == "epoch"]
    assert [facts["epoch"] for facts in epochs] == [1, 2, 3]
    found = api.get(f"/api/v1/runs/{run}").json()
    assert (found["state"], found["epoch"], found["epochs"]) == ("finished", 3, 3)
    assert found["recipe"]["learning_rate"] == 0.002
    best = max(facts["validation_accuracy"] for facts in epochs)
    assert found["metrics"]["best_accuracy"] == best
    assert found["metrics"]["validation_loss"] == epochs[-1]["validation_loss"]
    assert api.get("/api/v1/runs").json()[0]["id"] == run


def test_a_late_viewer_and_one_who_comes_back_read_the_same(
    api: httpx.Client, finished: tuple[str, list[Event]]
) -> None:
    run, events = finished
    assert list(watch(api, run)) == events
    assert list(watch(api, run, after=4)) == events[4:]


def test_twenty_viewers_see_the_same_at_once(api: httpx.Client) -> None:
    run = launch(api, {**SHORT, "epochs": 6})
    seen: list[list[Event]] = [[] for _ in range(20)]

    def view(place: int) -> None:
        with httpx.Client(base_url=api.base_url) as client:
            seen[place] = list(watch(client, run))

    viewers = [Thread(target=view, args=(place,)) for place in range(20)]
    for viewer in viewers:
        viewer.start()
    for viewer in viewers:
        viewer.join()
    assert seen[0][-1][1] == "finished"
    assert all(events == seen[0] for events in seen)


def test_its_snapshots_are_weights_of_the_network(
    api: httpx.Client, finished: tuple[str, list[Event]]
) -> None:
    run, _ = finished
    network = create_network("simple-cnn")
    for epoch in range(4):
        answer = api.get(f"/api/v1/runs/{run}/snapshots/{epoch}.safetensors").raise_for_status()
        network.load_state_dict(load(answer.content))


def test_its_snapshots_are_models_in_every_operation(
    api: httpx.Client, refused: Refused, finished: tuple[str, list[Event]]
) -> None:
    run, events = finished
    told = [facts for _, kind, facts in events if kind == "snapshot"]
    listed = api.get(f"/api/v1/runs/{run}/snapshots").raise_for_status().json()
    assert listed == [{**facts, "model": f"{run}@{facts['epoch']}"} for facts in told]
    assert [facts["epoch"] for facts in told[-3:]] == [1, 2, 3]
    validated = [f["validation_accuracy"] for _, kind, f in events if kind == "epoch"]
    assert [facts["validation_accuracy"] for facts in told[-3:]] == validated
    for facts in told:
        rows = facts["confusion"]
        right = sum(row[place] for place, row in enumerate(rows)) / sum(map(sum, rows))
        assert right == facts["validation_accuracy"]
    name = listed[1]["model"]
    address = f"/api/v1/models/{name}"
    assert api.get(address).json()["name"] == name
    weights = load(api.get(f"/api/v1/runs/{run}/snapshots/{told[1]['epoch']}.safetensors").content)
    npy = api.get(f"{address}/layers/conv1/filters.npy").raise_for_status().content
    assert torch.from_numpy(np.load(io.BytesIO(npy))).equal(weights["conv1.weight"])
    pixels = [[0] * 28] * 14 + [[255] * 28] * 14
    network = create_network("simple-cnn").eval()
    network.load_state_dict(weights)
    with torch.no_grad():
        expected = network(torch.tensor(pixels)[None, None] / 255)[0]
    found = api.post("/api/v1/predict", params={"model": name}, json={"pixels": pixels}).json()
    torch.testing.assert_close(torch.tensor(found["logits"]), expected)
    trace = api.post("/api/v1/trace", params={"model": name}, json={"pixels": pixels})
    torch.testing.assert_close(load(trace.content)["fc"], expected)
    assert api.get(f"/models/{name}").status_code == 200
    way_on = f"GET /api/v1/runs/{run}/snapshots"
    assert way_on in refused(api.get(f"{address}/evaluation"), 404)
    assert "no snapshot of epoch 9" in refused(api.get(f"/api/v1/models/{run}@9"), 404)
    assert "names no snapshot" in refused(api.get(f"/api/v1/models/{run}@x"), 404)


def test_its_model_is_one_like_any_other(
    api: httpx.Client, refused: Refused, finished: tuple[str, list[Event]]
) -> None:
    run, events = finished
    address = f"/api/v1/runs/{run}/model"
    answer = api.post(address, json={"name": "small-digits"})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == "/api/v1/models/small-digits"
    best = max(facts["validation_accuracy"] for _, kind, facts in events if kind == "epoch")
    assert answer.json()["metrics"]["validation_accuracy"] == best
    assert api.get(f"/api/v1/runs/{run}").json()["model"] == "small-digits"
    assert "small-digits" in [card["name"] for card in api.get("/api/v1/models").json()]
    chance = torch.Generator().manual_seed(5)
    pixels = torch.randint(0, 256, (28, 28), generator=chance)
    body = {"pixels": pixels.tolist()}
    found = api.post("/api/v1/predict", params={"model": "small-digits"}, json=body).json()
    epoch = answer.json()["metrics"]["epoch"]
    content = api.get(f"/api/v1/runs/{run}/snapshots/{epoch}.safetensors").content
    network = create_network("simple-cnn").eval()
    network.load_state_dict(load(content))
    with torch.no_grad():
        logits = network(pixels[None, None] / 255)
    assert found["logits"] == pytest.approx(logits[0].tolist(), abs=1e-5)
    assert "already" in refused(api.post(address, json={"name": "small-digits"}), 422)
    assert "already" in refused(api.post(address, json={"name": "digits"}), 422)
    assert "letters" in refused(api.post(address, json={"name": "../up"}), 422)


def test_what_is_not_there_is_said(
    api: httpx.Client, refused: Refused, finished: tuple[str, list[Event]]
) -> None:
    for path in ("", "/events", "/snapshots/0.safetensors"):
        assert "lists them" in refused(api.get(f"/api/v1/runs/nothing{path}"), 404)
    assert "lists them" in refused(api.post("/api/v1/runs/nothing/cancel"), 404)
    snapshot = f"/api/v1/runs/{finished[0]}/snapshots/9.safetensors"
    assert "epoch 9" in refused(api.get(snapshot), 404)


@pytest.mark.parametrize(
    ("recipe", "fields", "said"),
    [
        ({}, ["network", "dataset"], "network"),
        ({**SHORT, "network": "nonet"}, ["network"], "There are"),
        ({**SHORT, "dataset": "nodata"}, ["dataset"], "There are"),
        ({**SHORT, "epochs": 0}, ["epochs"], "between 1"),
        ({**SHORT, "learning_rate": -1, "epochs": 0}, ["epochs", "learning_rate"], "at -1"),
        ({**SHORT, "batch_size": 1294}, ["batch_size"], "Choose 1293 or fewer"),
        ({**SHORT, "epoch": 3}, ["epoch"], "no key 'epoch'"),
        ({**SHORT, "augmentation": ["sharpen"]}, ["augmentation"], "sharpen"),
        ({**SHORT, "augmentation": "x" * 2000}, ["augmentation"], "is a list"),
        ({**SHORT, "device": "tpu"}, ["device"], "tpu"),
    ],
)
def test_a_recipe_that_cannot_be_trained_is_refused_at_once_field_by_field(
    api: httpx.Client, refused: Refused, recipe: dict[str, Any], fields: list[str], said: str
) -> None:
    before = len(api.get("/api/v1/runs").json())
    answer = api.post("/api/v1/runs", json=recipe)
    detail = refused(answer, 422)
    assert said in detail
    faults = answer.json()["errors"]
    assert [fault["field"] for fault in faults] == fields
    assert " ".join(fault["message"] for fault in faults) == detail
    assert len(api.get("/api/v1/runs").json()) == before


def test_two_pages_may_cancel_at_once(api: httpx.Client) -> None:
    run = launch(api, LONG)
    wait_for_epoch(api, run, 1)
    found: list[httpx.Response] = []

    def cancel() -> None:
        found.append(httpx.post(f"{api.base_url}/api/v1/runs/{run}/cancel", timeout=60))

    pages = [Thread(target=cancel) for _ in range(2)]
    for page in pages:
        page.start()
    for page in pages:
        page.join()
    cancel()
    assert [answer.status_code for answer in found] == [200] * 3
    assert [answer.json()["state"] for answer in found] == ["cancelled"] * 3
    assert [kind for _, kind, _ in watch(api, run)].count("cancelled") == 1


def test_a_run_is_paused_resumed_cancelled_and_deleted(api: httpx.Client, refused: Refused) -> None:
    run = launch(api, LONG)
    wait_for_epoch(api, run, 1)
    address = f"/api/v1/runs/{run}"
    assert api.post(f"{address}/pause").json()["state"] == "paused"
    assert "is paused" in refused(api.post(f"{address}/pause"), 409)
    assert "is paused" in refused(api.delete(address), 409)
    assert api.post(f"{address}/resume").json()["state"] == "running"
    before = time.monotonic()
    assert api.post(f"{address}/cancel").json()["state"] == "cancelled"
    assert time.monotonic() - before < 5
    assert list(watch(api, run))[-1][1] == "cancelled"
    assert api.delete(address).status_code == 204
    assert api.get(address).status_code == 404


@pytest.mark.fault
def test_a_server_that_is_killed_takes_its_run_up_again(tmp_path: Path) -> None:
    process, address = start_server(tmp_path)
    wait_until_up(address, process)
    with httpx.Client(base_url=address, timeout=60) as api:
        run = launch(api, LONG)
        wait_for_epoch(api, run, 2)
        before = api.get(f"/api/v1/runs/{run}").json()["epoch"]
    trainings = trainings_of(process.pid)
    assert len(trainings) == 1
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process, address = start_server(tmp_path)
    wait_until_up(address, process)
    with httpx.Client(base_url=address, timeout=60) as api:
        found = api.get(f"/api/v1/runs/{run}").json()
        assert found["state"] == "interrupted"
        assert found["epoch"] >= before
        assert api.post(f"/api/v1/runs/{run}/resume").json()["state"] == "running"
        wait_for_epoch(api, run, found["epoch"] + 1)
        trainings += trainings_of(process.pid)
        epochs = [facts["epoch"] for _, kind, facts in history(api, run) if kind == "epoch"]
        assert epochs == list(range(1, len(epochs) + 1))
    stop(process)
    assert len(trainings) == 2
    assert not any(Path(f"/proc/{one}").exists() for one in trainings)


def history(api: httpx.Client, run: str) -> list[Event]:
    api.post(f"/api/v1/runs/{run}/cancel").raise_for_status()
    return list(watch(api, run))


def trainings_of(process: int) -> list[int]:
    """A server's training processes."""
    threads = Path(f"/proc/{process}/task").glob("*/children")
    children = [int(one) for thread in threads for one in thread.read_text().split()]
    return [one for one in children if "training_process" in command(one)]


def command(process: int) -> str:
    return Path(f"/proc/{process}/cmdline").read_text()


def test_a_data_set_out_of_reach_is_refused_with_three_ways_out(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    away = {"http_proxy": nobody, "https_proxy": nobody, "CONVSCOPE_DATASETS_DIR": str(tmp_path)}
    process, address = start_server(tmp_path / "data", None, **away)
    wait_until_up(address, process)
    with httpx.Client(base_url=f"{address}/api/v1", timeout=60) as client:
        problem = client.post("/runs", json={**SHORT, "dataset": "mnist"}).json()
        assert problem["status"] == 503
        for way in ("internet", "CONVSCOPE_DATASETS_DIR", "optdigits"):
            assert way in problem["detail"]
        assert problem["errors"] == [{"field": "dataset", "message": problem["detail"]}]
        plan = {"recipe": SHORT, "search": "grid", "fields": {"dataset": ["optdigits", "mnist"]}}
        problem = client.post("/sweeps", json=plan).json()
        assert [fault["field"] for fault in problem["errors"]] == ["fields.dataset"]
        assert client.get("/runs").json() == []
    stop(process)
