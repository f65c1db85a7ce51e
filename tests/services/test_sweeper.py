"""Sweeps with a real trainer: all of a plan or nothing, ended together, and the rule that ends
those that fall behind, on trainings whose accuracies are known beforehand."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Event

import pytest

from app.core.dataset_files import DatasetFolders
from app.core.errors import ConvScopeError, RunConflict
from app.core.event_log import Record
from app.core.recipes import Recipe
from app.core.sweeping import SweepPlan
from app.services.engine import Engine
from app.services.local_engine import LocalEngine
from app.services.run_store import LoggedEvent, Run, RunStore
from app.services.sweep_store import SweepStore
from app.services.sweeper import Sweeper, early_end
from app.services.trainer import Trainer
from tests.services.test_trainer import children

BASE = Recipe(network="simple-cnn", dataset="optdigits", epochs=4)
# After each epoch, by the run's seed. Of the first three, the averages by epoch 2 are 0.5, 0.6 and
# 0.7, and by epoch 3 0.6, 0.7 and 0.8.
CURVES = {
    0: [0.4, 0.6, 0.8, 0.9],
    1: [0.5, 0.7, 0.9, 0.9],
    2: [0.6, 0.8, 1.0, 1.0],
    3: [0.5, 0.59, 0.95, 0.99],  # level by epoch 1, behind by epoch 2
    4: [0.55, 0.61, 0.71, 0.71],  # never behind by epoch 3; in the last epoch nobody ends it
}


class Scripted:
    """A training that reports what CURVES has for its seed."""

    def __init__(self, recipe: Recipe) -> None:
        self._accuracies = CURVES[recipe.seed]
        self._stopped = Event()

    def events(self) -> Iterator[Record]:
        for epoch, accuracy in enumerate(self._accuracies, 1):
            if self._stopped.is_set():
                return
            facts = {"train_loss": 1.0, "validation_loss": 1.0, "seconds": 1.0}
            yield Record("epoch", facts | {"epoch": epoch, "validation_accuracy": accuracy})
            yield Record("state", {"epoch": epoch}, b"state")
        yield Record("finished", {"epoch": 4})

    def pause(self) -> None:
        raise NotImplementedError

    def resume(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        self._stopped.set()


class ScriptedEngine:
    def launch(self, recipe: Recipe, state: bytes | None = None) -> Scripted:
        return Scripted(recipe)

    def close(self) -> None:
        pass


class House:
    """What a server has to sweep with."""

    def __init__(self, folder: Path, engine: Engine | None = None) -> None:
        folders = DatasetFolders(folder, folder)
        self.heard: list[LoggedEvent] = []
        self.runs = RunStore(folder / "runs.sqlite")
        self.sweeps = SweepStore(self.runs)
        judge = partial(early_end, runs=self.runs, sweeps=self.sweeps)
        engine = engine or LocalEngine(folders, threads=1)
        self.trainer = Trainer(self.runs, engine, 1, self.heard.append, judge)
        self.sweeper = Sweeper(self.sweeps, self.trainer, folders)

    def wait(self, sweep: str) -> list[Run]:
        for _ in range(1200):
            found = self.sweeps.get(sweep)
            if found.ended:
                return found.runs
            Event().wait(0.05)
        raise TimeoutError([run.state for run in found.runs])

    def wait_until(self, condition: Callable[[], bool]) -> None:
        for _ in range(1200):
            if condition():
                return
            Event().wait(0.05)
        raise TimeoutError([run.state for run in self.runs.all()])

    def close(self) -> None:
        self.trainer.close()
        self.runs.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()
    assert children() == []


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, ScriptedEngine())
    yield house
    house.close()


def test_a_run_that_falls_behind_is_ended_and_says_why(scripted: House) -> None:
    plan = SweepPlan(BASE, "grid", {"seed": (0, 1, 2, 3, 4)}, stop_early=True)
    runs = scripted.wait(scripted.sweeper.launch(plan, "early").id)
    ends = [(run.state, run.epoch) for run in runs]
    assert ends == [
        ("finished", 4),
        ("finished", 4),
        ("finished", 4),
        ("cancelled", 2),
        ("finished", 4),
    ]
    assert runs[3].reason == (
        "Stopped early: its best accuracy by epoch 2 was 59.00 %, below 60.00 %, the median of the "
        "averages of 3 other runs by then."
    )
    assert runs[3].error is None
    last = scripted.runs.events(runs[3].id)[-1]
    assert (last.kind, last.facts) == ("cancelled", {"reason": runs[3].reason})
    assert [one for one in scripted.heard if one.run == runs[3].id] == scripted.runs.events(
        runs[3].id
    )


def test_without_the_wish_all_go_on_to_their_end(scripted: House) -> None:
    plan = SweepPlan(BASE, "grid", {"seed": (0, 1, 2, 3, 4)})
    runs = scripted.wait(scripted.sweeper.launch(plan, "patient").id)
    assert {(run.state, run.epoch, run.reason) for run in runs} == {("finished", 4, None)}


def test_runs_of_no_sweep_and_of_others_are_not_compared(scripted: House) -> None:
    good = SweepPlan(BASE, "grid", {"seed": (0, 1, 2)}, stop_early=True)
    alone = SweepPlan(BASE, "grid", {"seed": (3,)}, stop_early=True)
    scripted.wait(scripted.sweeper.launch(good, "good").id)
    runs = scripted.wait(scripted.sweeper.launch(alone, "alone").id)
    assert runs[0].state == "finished"


def test_one_bad_combination_queues_nothing(house: House) -> None:
    plan = SweepPlan(BASE, "grid", {"dataset": ("optdigits", "nodata")})
    with pytest.raises(ConvScopeError, match=r'There are.*That is the run with dataset = "nodata"'):
        house.sweeper.launch(plan, "bad")
    assert house.runs.all() == []
    assert house.sweeps.all() == []


def test_a_cancelled_sweep_ends_all_of_its_runs_and_no_others(house: House) -> None:
    other = house.trainer.launch(Recipe("simple-cnn", "optdigits", epochs=1), "other").id
    long = Recipe(network="simple-cnn", dataset="optdigits", epochs=2000)
    plan = SweepPlan(long, "grid", {"seed": (1, 2, 3)})
    sweep = house.sweeper.launch(plan, "long")
    behind = house.trainer.launch(long, "behind").id
    house.wait_until(lambda: house.runs.get(sweep.runs[0].id).epoch > 0)
    assert house.runs.get(other).state == "finished"
    with pytest.raises(RunConflict, match="Cancel it first"):
        house.sweeper.delete(sweep.id)
    runs = house.sweeper.cancel(sweep.id).runs
    assert [run.state for run in runs] == ["cancelled"] * 3
    assert [run.reason for run in runs] == [None] * 3
    assert [event.kind for event in house.runs.events(runs[1].id)] == ["queued", "cancelled"]
    assert house.runs.get(behind).state == "running"
    with pytest.raises(RunConflict, match="no run that could be cancelled"):
        house.sweeper.cancel(sweep.id)
    house.trainer.cancel(behind)
    house.sweeper.delete(sweep.id)
    assert {run.id for run in house.runs.all()} == {other, behind}
