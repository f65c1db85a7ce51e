"""The runs' database: a real file, read by other connections while it is written."""

from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from app.core.errors import StorageUnavailable, UnknownRun, UnknownSnapshot
from app.core.event_log import Record
from app.core.recipes import Recipe
from app.services.run_store import RunStore

RECIPE = Recipe(network="simple-cnn", dataset="optdigits", epochs=3)
EPOCH = {"train_loss": 0.5, "validation_loss": 0.4, "seconds": 1.0}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "runs.sqlite"


def epoch(number: int, accuracy: float) -> Record:
    return Record("epoch", {**EPOCH, "epoch": number, "validation_accuracy": accuracy})


def test_what_was_written_is_there_for_the_next_server(path: Path) -> None:
    store = RunStore(path)
    run = store.create(RECIPE, "first")
    store.note_state(run.id, "running")
    store.note(run.id, epoch(1, 0.9))
    store.note(run.id, Record("snapshot", {"epoch": 1}, b"weights"))
    store.note(run.id, Record("state", {"epoch": 1}, b"one"))
    store.note(run.id, Record("state", {"epoch": 2}, b"two"))
    other = RunStore(path)  # while the first is open
    found = other.get(run.id)
    assert Recipe.from_dict(found.recipe) == RECIPE
    assert (found.name, found.state, found.epoch, found.epochs) == ("first", "running", 1, 3)
    assert found.started_at
    assert not found.ended_at
    assert other.snapshot(run.id, 1) == b"weights"
    with pytest.raises(UnknownSnapshot, match="epoch 2"):
        other.snapshot(run.id, 2)
    assert other.state(run.id) == b"two"
    kinds = [event.kind for event in other.events(run.id)]
    assert kinds == ["queued", "running", "epoch", "snapshot"]
    assert [event.number for event in other.events(run.id)] == [1, 2, 3, 4]
    assert [event.kind for event in other.events(run.id, after=2)] == ["epoch", "snapshot"]
    for one in (store, other):
        one.close()


def test_the_best_accuracy_is_remembered(path: Path) -> None:
    store = RunStore(path)
    run = store.create(RECIPE, "one").id
    for number, accuracy in enumerate((0.7, 0.9, 0.8), 1):
        store.note(run, epoch(number, accuracy))
    metrics = store.get(run).metrics
    assert (metrics["validation_accuracy"], metrics["best_accuracy"]) == (0.8, 0.9)
    store.close()


def test_runs_are_listed_newest_first_and_queued_oldest_first(path: Path) -> None:
    store = RunStore(path)
    ids = [store.create(RECIPE, str(number)).id for number in range(3)]
    assert [run.id for run in store.all()] == ids[::-1]
    assert [run.id for run in store.in_state("queued")] == ids
    store.close()


def test_of_epochs_as_accurate_the_one_of_the_lowest_loss_is_the_best_and_kept(path: Path) -> None:
    store = RunStore(path, snapshot_bytes=3 * 100)
    run = store.create(RECIPE, "one").id
    for number, loss in enumerate((0.4, 0.3, 0.1, 0.2, 0.3, 0.3, 0.1), 1):
        facts = {**EPOCH, "epoch": number, "validation_accuracy": 1.0, "validation_loss": loss}
        told = {"epoch": number, "confusion": []}
        store.note(run, Record("epoch", facts), Record("snapshot", told, bytes(100)))
    metrics = store.get(run).metrics
    assert (metrics["best_epoch"], metrics["best_loss"]) == (3, 0.1)
    assert [one["epoch"] for one in store.snapshots(run)] == [1, 3, 7]
    store.close()


def test_a_deleted_run_leaves_nothing(path: Path) -> None:
    store = RunStore(path)
    run, kept = (store.create(RECIPE, name).id for name in ("gone", "kept"))
    store.note(run, Record("snapshot", {"epoch": 0}, b"weights"))
    store.note(run, Record("state", {"epoch": 0}, b"state"))
    store.delete(run)
    assert [one.id for one in store.all()] == [kept]
    assert store.state(run) is None
    for ask in (store.get, store.events, store.delete):
        with pytest.raises(UnknownRun, match=run):
            ask(run)
    store.close()


def test_a_finished_run_needs_no_state(path: Path) -> None:
    store = RunStore(path)
    run = store.create(RECIPE, "one").id
    store.note(run, Record("state", {"epoch": 1}, b"state"))
    store.note_state(run, "finished", epoch=3)
    assert store.get(run).ended_at
    assert store.state(run) is None
    assert store.events(run)[-1].facts == {"epoch": 3}
    store.close()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageUnavailable, match="CONVSCOPE_DATA_DIR"):
        RunStore(tmp_path / "file" / "runs.sqlite")


def test_snapshots_are_thinned_evenly_but_for_the_first_the_best_and_the_last(path: Path) -> None:
    store = RunStore(path, snapshot_bytes=8 * 100)
    run = store.create(RECIPE, "long").id
    store.note(run, Record("snapshot", {"epoch": 0}, bytes(100)))
    for number in range(1, 41):
        accuracy = 0.99 if number == 13 else 0.5
        store.note(run, epoch(number, accuracy), Record("snapshot", {"epoch": number}, bytes(100)))
    kept = [number for number in range(41) if is_kept(store, run, number)]
    assert len(kept) == 8
    assert {0, 13, 40} <= set(kept)
    gaps = [after - before for before, after in pairwise(kept)]
    assert max(gaps) <= 12
    store.close()


def is_kept(store: RunStore, run: str, number: int) -> bool:
    try:
        return len(store.snapshot(run, number)) == 100
    except UnknownSnapshot:
        return False


def test_snapshots_that_are_kept_are_listed_with_what_they_tell(path: Path) -> None:
    store = RunStore(path, snapshot_bytes=3)
    run = store.create(RECIPE, "one").id
    store.note(run, Record("snapshot", {"epoch": 0}, b"0"))  # of before they told anything
    for number in range(1, 5):
        facts = {"epoch": number, "validation_accuracy": 0.5, "confusion": [[number]]}
        store.note(run, epoch(number, 0.9 if number == 2 else 0.5))
        store.note(run, Record("snapshot", facts, b"1"))
    assert [facts["epoch"] for facts in store.snapshots(run)] == [2, 4]
    store.note(run, Record("snapshot", {**facts, "confusion": [[9]]}, b"2"))
    assert store.snapshots(run)[-1]["confusion"] == [[9]]
    store.close()


def test_a_snapshot_is_read_as_it_was_when_it_was_opened(path: Path) -> None:
    store = RunStore(path)
    run = store.create(RECIPE, "mine").id
    content = Random(0).randbytes(300_000)
    store.note(run, Record("snapshot", {"epoch": 0.5}, content))
    with store.open_snapshot(run, 0.5) as opened:
        assert len(opened) == len(content)
        begun = opened.read(100_000)
        store.note(run, Record("snapshot", {"epoch": 0.5}, b"others"))
        store.delete(run)
        assert begun + opened.read() == content
    with pytest.raises(UnknownRun), store.open_snapshot(run, 0.5):
        pass
