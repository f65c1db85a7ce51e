"""Files in the data folder that say what they can't mean: left out, and all else is shown."""

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from app.settings import Settings
from models.registry import WEIGHTS
from tests.web.in_process import in_process

PAGES = ("/", "/models", "/runs", "/sweeps", "/augment", "/api/v1/models", "/api/v1/datasets")
PIXELS = {"pixels": [[0] * 28] * 14 + [[255] * 28] * 14}
CARD = json.loads((WEIGHTS / "simple-cnn.json").read_text()) | {"title": "My own"}


def write_card(folder: Path, name: str, **changed: object) -> None:
    folder.mkdir(exist_ok=True)
    shutil.copy(WEIGHTS / "simple-cnn.safetensors", folder)
    (folder / f"{name}.json").write_text(json.dumps(CARD | changed))


ODD: dict[str, dict[str, object]] = {
    "title": {"title": 5},
    "half-a-letter": {"description": "\ud800"},
    "recipe": {"recipe": []},
    "parameters": {"parameters": "x"},
    "measure": {"metrics": {"test_accuracy": "x"}},
    "confusion": {"metrics": {"test_confusion": 5}},
    "method": {"preprocessing": {"method": 5, "mean": [0], "std": [1]}},
    "deviation": {"preprocessing": {"method": "digit", "mean": [0], "std": [0]}},
    "\udcff": {},
}


async def test_odd_cards_are_left_out(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    folder = settings.data_dir / "models"
    write_card(folder, "mine")
    for name, changed in ODD.items():
        write_card(folder, name, **changed)
    with caplog.at_level(logging.WARNING):
        async with in_process(settings) as client:
            for page in PAGES:
                assert (await client.get(page)).status_code == 200, page
            names = {card["name"] for card in (await client.get("/api/v1/models")).json()}
    assert "mine" in names
    assert names.isdisjoint(ODD)
    for name in ODD:
        written = name.encode(errors="backslashreplace").decode()
        assert caplog.text.count(f"{written}.json is not a model card") == 1


@pytest.mark.parametrize("count", [9, 11])
async def test_a_card_of_other_classes_than_its_weights(settings: Settings, count: int) -> None:
    classes = list(map(str, range(count)))
    write_card(settings.data_dir / "models", "mine", classes=classes, metrics={})
    async with in_process(settings) as client:
        answer = await client.post("/api/v1/predict?model=mine", json=PIXELS)
        assert answer.status_code == 503, answer.text
        assert "doesn't fit the network" in answer.json()["detail"]
        for page in PAGES:
            assert (await client.get(page)).status_code == 200, page
        assert (await client.get("/models/mine")).status_code == 503


@pytest.mark.parametrize("classes", ["[1, 2]", '["\\ud800", "b"]'])
async def test_odd_data_sets_are_left_out(settings: Settings, classes: str) -> None:
    folder = settings.dataset_folders.kept
    folder.mkdir(parents=True)
    tensors = {
        f"{part}.{what}": tensor.clone()
        for part in ("train", "test")
        for what, tensor in (
            ("images", torch.zeros(2, 1, 4, 4, dtype=torch.uint8)),
            ("labels", torch.tensor([0, 1])),
        )
    }
    save_file(tensors, folder / "odd.safetensors", {"title": "Odd", "classes": classes})
    async with in_process(settings) as client:
        for page in PAGES:
            assert (await client.get(page)).status_code == 200, page
        names = {one["name"] for one in (await client.get("/api/v1/datasets")).json()}
        assert "odd" not in names
        wanted = {"network": "simple-cnn", "dataset": "odd"}
        answer = await client.post("/api/v1/runs", json=wanted)
        assert answer.status_code == 503
        assert "its classes are no list of names" in answer.json()["detail"]
