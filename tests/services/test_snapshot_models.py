"""Models of snapshots: out of a real database, beside torch's own reading of the weights."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

import app.services.snapshot_models as module
from app.core.checkpoints import encode_weights
from app.core.dataset_files import DatasetFolders
from app.core.errors import UnknownModel, UnknownRun, UnknownSnapshot
from app.core.event_log import Record
from app.core.recipes import Recipe
from app.services.run_store import RunStore
from app.services.snapshot_models import SnapshotModels, is_snapshot, name_of, run_of
from models.registry import create_network

RECIPE = Recipe(network="simple-cnn", dataset="optdigits", epochs=2)
CPU = torch.device("cpu")


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs.sqlite")


def keep(store: RunStore, run: str, epoch: float, seed: int) -> torch.nn.Module:
    """Note a snapshot of a network with random weights; returns the network."""
    torch.manual_seed(seed)
    network = create_network(RECIPE.network).eval()
    facts = {
        "epoch": epoch,
        "validation_loss": 0.5,
        "validation_accuracy": 0.75,
        "confusion": [[3, 1], [0, 0]],
    }
    store.note(run, Record("snapshot", facts, encode_weights(network.state_dict())))
    return network


def models(store: RunStore, tmp_path: Path) -> SnapshotModels:
    return SnapshotModels(store, DatasetFolders(tmp_path, tmp_path), CPU)


def test_each_snapshot_predicts_as_its_weights_do(store: RunStore, tmp_path: Path) -> None:
    run = store.create(RECIPE, "mine").id
    picture = torch.rand(1, 1, 28, 28)
    found = models(store, tmp_path)
    for seed, epoch in enumerate((0, 0.0625, 2)):
        network = keep(store, run, epoch, seed)
        model = found.get(name_of(run, epoch))
        with torch.no_grad():
            expected = network(picture)[0]
        torch.testing.assert_close(model.predict(picture)[0].logits, expected)
        assert model.card.name == f"{run}@{epoch}"
        assert model.card.title == f"mine, epoch {epoch}"
        assert model.card.metrics["validation_accuracy"] == 0.75


def test_a_name_is_taken_apart_again() -> None:
    assert name_of("5f0c", 1234567) == "5f0c@1234567"
    assert run_of("5f0c@0.25") == "5f0c"
    assert is_snapshot("5f0c@0.25")
    assert not is_snapshot("digits")


@pytest.mark.parametrize(
    ("name", "error"),
    [("{run}@3", UnknownSnapshot), ("none@1", UnknownRun), ("{run}@last", UnknownModel)],
)
def test_what_is_not_there_is_refused(
    name: str, error: type[Exception], store: RunStore, tmp_path: Path
) -> None:
    run = store.create(RECIPE, "mine").id
    keep(store, run, 1, 0)
    with pytest.raises(error):
        models(store, tmp_path).get(name.format(run=run))


def test_those_that_were_asked_for_last_are_kept(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.create(RECIPE, "mine").id
    for epoch in range(4):
        keep(store, run, epoch, epoch)
    names = [name_of(run, epoch) for epoch in range(4)]
    size = len(store.snapshot(run, 0))
    monkeypatch.setattr(module, "MOST_BYTES", 2 * size)
    found = models(store, tmp_path)
    first = found.get(names[0])
    assert found.get(names[0]) is first
    found.get(names[1])
    assert found.loaded(names[0]) is first
    found.get(names[2])
    assert [found.loaded(name) is not None for name in names] == [True, False, True, False]
    monkeypatch.setattr(module, "MOST_BYTES", 1)
    found.get(names[3])
    assert [found.loaded(name) is not None for name in names] == [False, False, False, True]


def test_those_who_ask_at_once_get_one_that_is_loaded_once(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.create(RECIPE, "mine").id
    for epoch in (1, 2):
        keep(store, run, epoch, epoch)
    read, reading, most = store.snapshot, list[float](), 0
    loads: list[float] = []

    def note(run: str, epoch: float) -> bytes:
        nonlocal most
        reading.append(epoch)
        loads.append(epoch)
        most = max(most, len(reading))
        time.sleep(0.05)  # The others come meanwhile.
        reading.remove(epoch)
        return read(run, epoch)

    monkeypatch.setattr(store, "snapshot", note)
    found, names = models(store, tmp_path), [name_of(run, epoch) for epoch in (1, 2)] * 8
    with ThreadPoolExecutor(len(names)) as pool:
        got = list(pool.map(found.get, names))
    assert {id(model) for model in got[::2]} == {id(found.get(names[0]))}
    assert {id(model) for model in got[1::2]} == {id(found.get(names[1]))}
    assert sorted(loads) == [1, 2]
    assert most == 1
