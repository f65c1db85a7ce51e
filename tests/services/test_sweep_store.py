"""Sweeps in the runs' file, and a file that an older server wrote."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.errors import StorageUnavailable, UnknownRun, UnknownSweep
from app.core.event_log import Record
from app.core.recipes import Recipe
from app.core.sweeping import SweepPlan
from app.services.run_store import RunStore
from app.services.sweep_store import Sweep, SweepStore

RECIPE = Recipe(network="simple-cnn", dataset="optdigits", epochs=3)
PLAN = SweepPlan(RECIPE, "grid", {"seed": (1, 2, 3)})

# As the first version made it.
OLD = """
CREATE TABLE runs (
  place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, name TEXT NOT NULL,
  recipe TEXT NOT NULL, state TEXT NOT NULL, epoch INTEGER NOT NULL DEFAULT 0,
  metrics TEXT NOT NULL DEFAULT '{}', error TEXT, model TEXT,
  created_at TEXT NOT NULL, started_at TEXT, ended_at TEXT
);
CREATE TABLE events (
  run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE, number INTEGER NOT NULL,
  at TEXT NOT NULL, kind TEXT NOT NULL, facts TEXT NOT NULL, PRIMARY KEY (run, number)
) WITHOUT ROWID;
"""


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[RunStore]:
    store = RunStore(tmp_path / "runs.sqlite")
    yield store
    store.close()


def create(runs: RunStore, name: str = "rates") -> Sweep:
    return SweepStore(runs).create(PLAN, PLAN.recipes(), name)


def epoch(number: int, accuracy: float) -> Record:
    losses = {"train_loss": 0.5, "validation_loss": 0.4, "seconds": 1.0}
    return Record("epoch", {**losses, "epoch": number, "validation_accuracy": accuracy})


def test_its_runs_are_queued_in_order(runs: RunStore) -> None:
    before = runs.create(RECIPE, "before")
    sweep = create(runs)
    assert [run.name for run in sweep.runs] == ["rates 1", "rates 2", "rates 3"]
    assert [sweep.values_of(run) for run in sweep.runs] == [{"seed": seed} for seed in (1, 2, 3)]
    queued = [run.id for run in runs.in_state("queued")]
    assert queued == [before.id, *(run.id for run in sweep.runs)]
    assert runs.get(before.id).sweep is None
    assert SweepPlan.from_dict(sweep.plan) == PLAN
    assert not sweep.ended
    events = [event.kind for run in sweep.runs for event in runs.events(run.id)]
    assert events == ["queued"] * 3


def test_all_of_its_runs_are_kept_or_none(runs: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    queue, queued = runs.queue, 0

    def full(
        writer: sqlite3.Connection, recipe: Recipe, name: str, sweep: str | None = None
    ) -> str:
        nonlocal queued
        queued += 1
        if queued == 3:
            raise sqlite3.OperationalError("database or disk is full")
        return queue(writer, recipe, name, sweep)

    monkeypatch.setattr(runs, "queue", full)
    with pytest.raises(StorageUnavailable, match="disk is full"):
        create(runs)
    assert runs.all() == []
    assert SweepStore(runs).all() == []


def test_the_best_is_the_first_of_the_most_accurate(runs: RunStore) -> None:
    sweep = create(runs)
    assert sweep.best is None
    first, second, third = (run.id for run in sweep.runs)
    runs.note(second, epoch(1, 0.9))
    runs.note(second, epoch(2, 0.2))
    runs.note(third, epoch(1, 0.9))
    runs.note(first, epoch(1, 0.8))
    best = SweepStore(runs).get(sweep.id).best
    assert best
    assert best.id == second


def test_its_curves_have_each_epoch_once(runs: RunStore) -> None:
    sweep = create(runs)
    first, second, _ = (run.id for run in sweep.runs)
    other = create(runs, "other").runs[0].id
    for number, accuracy in ((1, 0.1), (2, 0.2), (2, 0.3)):
        runs.note(first, epoch(number, accuracy))
    runs.note(second, epoch(1, 0.4))
    runs.note(other, epoch(1, 0.5))
    assert SweepStore(runs).accuracies(sweep.id) == {first: [0.1, 0.3], second: [0.4]}


def test_it_has_ended_when_all_of_its_runs_have(runs: RunStore) -> None:
    sweeps, sweep = SweepStore(runs), create(runs)
    first, second, third = (run.id for run in sweep.runs)
    runs.note_state(first, "finished")
    runs.note_state(second, "cancelled", reason="behind the others")
    assert not sweeps.get(sweep.id).ended
    assert runs.get(second).reason == "behind the others"
    runs.note_state(third, "running")
    runs.note_state(third, "failed", error="no memory")
    assert sweeps.get(sweep.id).ended
    assert runs.get(third).error == "no memory"


def test_a_deleted_sweep_takes_its_runs_along_and_no_others(runs: RunStore) -> None:
    sweeps, gone, kept = SweepStore(runs), create(runs, "gone"), create(runs, "kept")
    alone = runs.create(RECIPE, "alone")
    runs.delete(kept.runs[1].id)
    sweeps.delete(gone.id)
    assert [run.name for run in runs.all()] == ["alone", "kept 3", "kept 1"]
    assert [sweep.name for sweep in sweeps.all()] == ["kept"]
    assert runs.events(alone.id)
    with pytest.raises(UnknownRun):
        runs.events(gone.runs[0].id)
    for ask in (sweeps.get, sweeps.delete):
        with pytest.raises(UnknownSweep, match=gone.id):
            ask(gone.id)


def test_a_file_of_before_gets_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    old = sqlite3.connect(path)
    old.executescript(OLD)
    values = ("r1", "old", RECIPE.to_json(), "finished", 3, '{"best_accuracy": 0.5}', "2026")
    old.execute(
        "INSERT INTO runs (id, name, recipe, state, epoch, metrics, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        values,
    )
    old.commit()
    old.close()
    for _ in range(2):  # the second time nothing is lacking
        runs = RunStore(path)
        found = runs.get("r1")
        assert (found.name, found.epoch, found.sweep, found.reason) == ("old", 3, None, None)
        runs.close()
    runs = RunStore(path)
    sweep = create(runs)
    assert [run.sweep for run in runs.all()] == [sweep.id] * 3 + [None]
    SweepStore(runs).delete(sweep.id)
    assert [run.id for run in runs.all()] == ["r1"]
    runs.close()
