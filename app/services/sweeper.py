"""Starts sweeps, ends them, and ends those of their runs that fall behind."""

from app.core.dataset_files import DatasetFolders
from app.core.errors import RunConflict
from app.core.median_rule import judge
from app.core.sweeping import SweepPlan
from app.services.run_store import RunStore
from app.services.sweep_store import Sweep, SweepStore
from app.services.trainer import Trainer


class Sweeper:
    """What can be done with sweeps; their runs wait in the trainer's queue like all others."""

    def __init__(self, sweeps: SweepStore, trainer: Trainer, folders: DatasetFolders) -> None:
        self._sweeps = sweeps
        self._trainer = trainer
        self._folders = folders

    def launch(self, plan: SweepPlan, name: str) -> Sweep:
        """Queue the runs of a plan, all of them or none.

        Raises BadRecipe and its like for the first recipe that can't be trained here, and
        QueueFull and StorageUnavailable.
        """
        recipes = plan.check(self._folders)
        runs = self._trainer.queue(
            lambda: self._sweeps.create(plan, recipes, name).runs, len(recipes)
        )
        return self._sweeps.get(str(runs[0].sweep))

    def cancel(self, sweep: str) -> Sweep:
        """End all of its runs that could still go on. Raises UnknownSweep and RunConflict."""
        if not self._trainer.cancel_all([run.id for run in self._sweeps.get(sweep).runs]):
            raise RunConflict(f"The sweep {sweep} has no run that could be cancelled.")
        return self._sweeps.get(sweep)

    def delete(self, sweep: str) -> None:
        """Forget a sweep and its runs. Raises UnknownSweep, and RunConflict while one trains."""
        if not self._sweeps.get(sweep).ended:
            raise RunConflict(f"The sweep {sweep} has runs under way. Cancel it first.")
        self._sweeps.delete(sweep)


def early_end(run: str, runs: RunStore, sweeps: SweepStore) -> str | None:
    """Why a run should end after its newest epoch, where its sweep wants such; else None."""
    found = runs.get(run)
    if found.sweep is None or found.epoch >= found.epochs:
        return None
    if not sweeps.get(found.sweep).plan["stop_early"]:
        return None
    curves = sweeps.accuracies(found.sweep)
    behind = judge(curves.pop(run), curves.values())
    return str(behind) if behind else None
