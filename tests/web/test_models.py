"""Models of one's own on a real server: used like any other, made the default, deleted."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from safetensors.torch import load

from tests.conftest import start_server, stop, wait_until_up
from tests.web.conftest import Refused

RECIPE = {"network": "convnet-revisited", "dataset": "optdigits", "epochs": 2}
SEVEN = Path(__file__).parent.parent.parent / "docs" / "seven.png"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="module")
def api(folder: Path) -> Iterator[httpx.Client]:
    """A server of these tests alone: the others need the default to stay what it is."""
    process, address = start_server(folder)
    wait_until_up(address, process)
    with httpx.Client(base_url=address, timeout=60) as client:
        yield client
    stop(process)


@pytest.fixture(scope="module")
def run(api: httpx.Client) -> str:
    """A finished run."""
    run = str(api.post("/api/v1/runs?name=teacher", json=RECIPE).json()["id"])
    for _ in range(600):
        if api.get(f"/api/v1/runs/{run}").json()["state"] == "finished":
            return run
        time.sleep(0.1)
    raise TimeoutError("the run didn't finish")


@pytest.fixture
def mine(api: httpx.Client, run: str) -> Iterator[str]:
    """A model that was made of the run."""
    api.post(f"/api/v1/runs/{run}/model", json={"name": "mine"}).raise_for_status()
    yield "mine"
    api.delete("/api/v1/models/mine?force=true")


def command(folder: Path, *words: str) -> str:
    """What a command prints that has the server's folder."""
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *words],
        env={**os.environ, "CONVSCOPE_DATA_DIR": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def predict(api: httpx.Client, query: str = "") -> str:
    answer = api.post(f"/api/v1/predict{query}", files={"image": SEVEN.read_bytes()})
    return str(answer.raise_for_status().json()["model"])


def test_it_works_in_every_operation(api: httpx.Client, mine: str) -> None:
    image = api.post("/api/v1/images", files={"image": SEVEN.read_bytes()}).json()["id"]
    assert predict(api, "?model=mine") == "mine"
    trace = api.post("/api/v1/trace?model=mine", files={"image": SEVEN.read_bytes()})
    layers = api.get("/api/v1/models/mine").json()["layers"]
    assert {layer["name"] for layer in layers} <= load(trace.content).keys()
    for path in (
        "/api/v1/models/mine/layers/conv1/filters.png",
        "/api/v1/models/mine/layers/conv1/filters.npy",
        f"/api/v1/models/mine/layers/conv2/activations.png?image={image}",
        f"/api/v1/models/mine/layers/conv2/activations.npy?image={image}",
        "/?model=mine",
        "/augment?model=mine",
        "/models",
    ):
        assert api.get(path).status_code == 200, path


def test_it_is_measured_by_the_command_that_its_page_names(
    api: httpx.Client, refused: Refused, folder: Path, mine: str
) -> None:
    said = "mine has not been measured on the test split of optdigits yet"
    assert said in refused(api.get("/api/v1/models/mine/evaluation"), 404)
    page = api.get("/models/mine").text
    assert said in page
    assert "<code>convscope evaluate mine --note</code>" in page
    command(folder, "evaluate", "mine", "--note")
    assert api.get("/api/v1/models/mine/evaluation").json()["images"] == 360
    assert said not in api.get("/models/mine").text


def test_it_becomes_the_default_for_all_and_is_deleted_after_a_warning(
    api: httpx.Client, refused: Refused, folder: Path, run: str, mine: str
) -> None:
    assert predict(api) == "digits"
    assert api.put("/api/v1/models/mine/default").json()["default"]
    assert predict(api) == "mine"
    cards = api.get("/api/v1/models").json()
    assert [card["name"] for card in cards if card["default"]] == ["mine"]
    assert cards[0]["name"] == "mine"
    assert '<option value="mine" selected' in api.get("/").text
    printed = command(folder, "predict", str(SEVEN))
    assert printed == command(folder, "predict", "--model", "mine", str(SEVEN))
    said = refused(api.delete("/api/v1/models/mine"), 409)
    for part in (f"teacher ({run})", "digits is the default model again", "/?model=mine", "force"):
        assert part in said
    assert predict(api, "?model=mine") == "mine"
    assert api.delete("/api/v1/models/mine?force=true").status_code == 204
    assert "no model 'mine'" in refused(api.get("/api/v1/models/mine"), 404)
    assert predict(api) == "digits"
    assert api.get(f"/api/v1/runs/{run}").json()["model"] is None
    assert "no model 'mine'" in refused(api.delete("/api/v1/models/mine"), 404)


def test_what_was_shipped_stays(api: httpx.Client, refused: Refused) -> None:
    said = refused(api.delete("/api/v1/models/lenet5?force=true"), 409)
    assert said.startswith("lenet5 came with ConvScope")
    assert 'id="delete-model"' not in api.get("/models/lenet5").text
    assert "no model" in refused(api.put("/api/v1/models/nothing/default"), 404)


def test_the_next_server_keeps_the_default_and_forgets_what_is_gone(
    tmp_path: Path, folder: Path, mine: str
) -> None:
    data = tmp_path / "data"
    subprocess.run(["cp", "-r", folder, data], check=True)
    (data / "models" / ".default").write_text("lenet5")
    (data / "models" / "mine.json").unlink()
    process, address = start_server(data)
    try:
        wait_until_up(address, process)
        assert [run["model"] for run in httpx.get(f"{address}/api/v1/runs").json()] == [None]
        assert httpx.get(f"{address}/api/v1/models").json()[0]["name"] == "lenet5"
    finally:
        stop(process)
