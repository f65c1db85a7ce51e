"""Files of every kind that the data folder holds, cut short, emptied or overwritten: the server
starts, tells of all others, and says of the damaged one what is wrong and what to do."""

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import httpx
import pytest

from app.cli import main
from tests.conftest import start_server
from tests.faults.makings import PNG, Kept, pixels_of, predict
from tests.faults.serving import Served, problem, served

AS_PNG = {"Content-Type": "image/png"}
LISTS = ("models", "datasets", "runs", "sweeps", "augmentations")
PAGES = ("/", "/runs", "/sweeps", "/models", "/augment", "/docs")
Change = Callable[[bytes], bytes]
DAMAGES: dict[str, Change] = {
    "empty": lambda content: b"",
    "cut at its start": lambda content: content[:9],
    "cut in its middle": lambda content: content[: len(content) // 2],
    "cut at its end": lambda content: content[:-3],
    "zeros": lambda content: bytes(len(content)),
    "random": lambda content: Random(0).randbytes(len(content)),
    "random behind its middle": lambda content: behind_the_middle(content, Random(0).randbytes),
    "zeros behind its middle": lambda content: behind_the_middle(content, bytes),
}


def behind_the_middle(content: bytes, make: Callable[[int], bytes]) -> bytes:
    middle = len(content) // 2
    return content[:middle] + make(len(content) - middle)


@dataclass(frozen=True)
class Whole:
    """A data folder with two of everything: one to damage, and one that must stay."""

    data: Path
    kept: Kept
    run: str


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder, random, kept = tmp_path_factory.mktemp("whole"), Random(1), Kept()
    with served(folder) as server:
        for _ in range(2):
            for add in (kept.add_image, kept.add_dataset, kept.add_model):
                assert add(server.api, random).is_success
        run = server.launch(epochs=2)
        server.wait(run, "finished")
        server.answer("PUT", f"/api/v1/models/{max(kept.models)}/default")
        server.stop()
    return Whole(server.data, kept, run)


def damaged(whole: Whole, folder: Path, change: Change, *names: str) -> None:
    """A copy of the data folder in which the files of these names, or patterns, are damaged."""
    shutil.copytree(whole.data, folder / "data")
    for name in names:
        for path in (folder / "data").glob(name):
            path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize("how", DAMAGES)
def test_of_the_files_the_damaged_ones_alone_are_lost(
    how: str, whole: Whole, tmp_path: Path
) -> None:
    kept = whole.kept
    image, dataset = min(kept.images), min(kept.datasets)
    model, edited = min(kept.models), min(kept.edited)
    damaged(
        *(whole, tmp_path, DAMAGES[how], f"images/{image}.png", f"datasets/{dataset}.safetensors"),
        *(f"models/{model}.safetensors", f"edits/{edited}.json", "models/.default"),
    )
    with served(tmp_path) as server:
        check_pages(server, model, edited)
        assert is_whole_or_said(server.api.get(f"/api/v1/images/{image}"), kept.images[image])
        assert is_whole_or_said(ask(server, model), kept.models[model])
        assert "edits" in problem(ask(server, edited), 503)
        check_dataset(server, dataset)
        others = Kept(
            {key: value for key, value in kept.images.items() if key != image},
            {key: value for key, value in kept.models.items() if key != model},
            {key: value for key, value in kept.edited.items() if key != edited},
            kept.datasets - {dataset},
        )
        others.check(server.api, Random(2))
        assert server.run(whole.run)["state"] == "finished"
        assert predict(server.api, f"{whole.run}@2")
        server.stop()
        assert "Traceback" not in server.words()


def is_whole_or_said(answer: httpx.Response, expected: object) -> bool:
    """Whether an answer is right, or a problem that says what to do."""
    if answer.status_code != 200:
        return "damaged" in (said := problem(answer, 503)) or "no longer holds" in said
    if answer.headers["content-type"] == "image/png":
        return pixels_of(answer.content) == expected
    # Numbers that are as good as those that were there can't be told from them.
    total: float = sum(one["probability"] for one in answer.json()["probabilities"])
    return abs(total - 1) < 1e-5


def ask(server: Served, model: str) -> httpx.Response:
    return server.api.post(f"/api/v1/predict?model={model}", content=PNG, headers=AS_PNG)


def check_dataset(server: Served, name: str) -> None:
    """It is listed as it is, or left out and refused by name."""
    listed = {one["name"] for one in server.answer("GET", "/api/v1/datasets")}
    recipe = {"network": "simple-cnn", "dataset": name}
    answer = server.api.post("/api/v1/runs", json=recipe)
    if name in listed:
        assert answer.status_code in (202, 422)
    else:
        assert "import the data set again" in problem(answer, 503)


def check_pages(server: Served, *models: str) -> None:
    """Every page is there; that of a damaged thing may say so."""
    for page in PAGES:
        assert server.api.get(page, headers={"Accept": "text/html"}).status_code == 200, page
    for model in models:
        for page in (f"/?model={model}", f"/models/{model}"):
            answer = server.api.get(page, headers={"Accept": "text/html"})
            assert answer.status_code in (200, 404, 503), page
    for name in LISTS:
        assert server.api.get(f"/api/v1/{name}").status_code == 200, name


@pytest.mark.parametrize("how", ["cut in its middle", "random"])
def test_a_damaged_card_leaves_its_model_out_and_a_damaged_memory_is_made_anew(
    how: str, whole: Whole, tmp_path: Path
) -> None:
    model = min(whole.kept.models)
    patterns = (f"models/{model}.json", "datasets/.tuning-*")
    damaged(whole, tmp_path, DAMAGES[how], *patterns)
    with served(tmp_path) as server:
        check_pages(server, model)
        assert model not in {card["name"] for card in server.answer("GET", "/api/v1/models")}
        assert "There is no model" in problem(ask(server, model), 404)
        assert predict(server.api, max(whole.kept.models))
        server.wait(server.launch(epochs=1), "finished")
        image = min(whole.kept.images)
        path = server.data / "images" / f"{image}.png"
        content = path.read_bytes()
        path.write_bytes(DAMAGES[how](content))
        problem(server.api.get(f"/api/v1/images/{image}"), 503)
        sent = server.api.post("/api/v1/images", content=content, headers=AS_PNG)
        assert sent.json()["id"] == image
        assert server.api.get(f"/api/v1/images/{image}").content == content
        server.stop()
        assert "Traceback" not in server.words()


@pytest.mark.parametrize("how", ["cut in its middle"])
def test_a_damaged_snapshot_and_a_damaged_state_are_said(
    how: str, whole: Whole, tmp_path: Path
) -> None:
    shutil.copytree(whole.data, tmp_path / "data")
    with served(tmp_path) as server:
        run = server.launch(epochs=1000)
        server.wait(run, "running")
        server.wait_for_epoch(run, 2)
        server.stop()
        with sqlite3.connect(server.data / "runs.sqlite") as database:
            database.create_function("damage", 1, DAMAGES[how])
            database.execute("UPDATE snapshots SET weights = damage(weights) WHERE epoch = 2")
            database.execute("UPDATE states SET content = damage(content)")
        database.close()
        server.start()
        assert "damaged" in problem(ask(server, f"{run}@2"), 503)
        assert predict(server.api, f"{run}@1")
        wanted = server.api.post(f"/api/v1/runs/{whole.run}/model", json={"name": "of-damaged"})
        assert wanted.status_code in (201, 503)
        server.answer("POST", f"/api/v1/runs/{run}/resume")
        assert "Start the training anew" in server.wait(run, "failed")["error"]
        check_pages(server, f"{run}@2")
        server.stop()
        assert "Traceback" not in server.words()


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_database_is_said_in_a_sentence(how: str, whole: Whole, tmp_path: Path) -> None:
    damaged(whole, tmp_path, DAMAGES[how], "runs.sqlite")
    log = tmp_path / "log.txt"
    with log.open("wb") as output:
        process, address = start_server(tmp_path / "data", output.fileno())
    try:
        while process.poll() is None and not is_up(address):
            pass
        if process.poll() is None:
            check_what_is_readable(address)
    finally:
        process.terminate()
        process.wait(20)
    words = log.read_text()
    assert "Traceback" not in words, words
    if "Uvicorn running" not in words:
        assert words.startswith("convscope: ")
        assert "runs.sqlite, which holds all runs, is damaged: " in words
        assert "move it and runs.sqlite-wal away" in words
        assert words.count("\n") == 1


def is_up(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz").is_success
    except httpx.TransportError:
        return False


def check_what_is_readable(address: str) -> None:
    """What was damaged may be found later; all else is served."""
    with httpx.Client(base_url=address, timeout=60) as api:
        assert predict(api, "digits")
        for name in ("runs", "sweeps"):
            answer = api.get(f"/api/v1/{name}")
            if not answer.is_success:
                problem(answer, 503)
                continue
            for run in answer.json():
                for part in ("", "/snapshots", "/snapshots/2.safetensors", "/metrics.csv"):
                    answer = api.get(f"/api/v1/{name}/{run['id']}{part}")
                    assert answer.status_code in (200, 404, 503), answer.text


def test_an_unfinished_training_that_is_damaged_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONVSCOPE_DATA_DIR", str(tmp_path))
    path = tmp_path / "models" / "simple-cnn.unfinished.safetensors"
    path.parent.mkdir()

    def said() -> str:
        assert main(["train", "--resume", "simple-cnn"]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        return str(line)

    for change in DAMAGES.values():
        path.write_bytes(change(b"\x02\0\0\0\0\0\0\0{}" + bytes(100)))
        assert "no state of a training, or it is damaged" in said()
    path.unlink()
    path.mkdir()
    assert "can't be read: Is a directory" in said()
