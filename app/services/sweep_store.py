"""Sweeps, in the file of their runs."""

import json
import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.core.errors import UnknownSweep
from app.core.recipes import Recipe
from app.core.sweeping import SweepPlan
from app.services.run_database import timestamp
from app.services.run_store import Run, RunStore


@dataclass(frozen=True)
class Sweep:
    """Runs of one plan, in its order; those that were deleted are missing."""

    id: str
    name: str
    plan: dict[str, Any]
    created_at: str
    runs: list[Run]

    @property
    def ended(self) -> bool:
        """Whether none of its runs will go on of itself."""
        return all(run.ended for run in self.runs)

    @property
    def best(self) -> Run | None:
        """The run with the best accuracy of all epochs so far; the first of equals."""
        tried = [run for run in self.runs if "best_accuracy" in run.metrics]
        return max(tried, key=lambda run: run.metrics["best_accuracy"], default=None)

    def values_of(self, run: Run) -> dict[str, Any]:
        """What the varied fields are in one of its runs."""
        return {name: run.recipe[name] for name in self.plan["fields"]}


class SweepStore:
    """What is known of sweeps. Errors of the disk are raised as StorageUnavailable."""

    def __init__(self, runs: RunStore) -> None:
        self._runs = runs
        self._database = runs.database

    def create(self, plan: SweepPlan, recipes: Sequence[Recipe], name: str) -> Sweep:
        """A new sweep and its runs, queued behind the others: all of it or nothing."""
        sweep = uuid.uuid4().hex[:12]
        with self._database.writing() as writer:
            writer.execute(
                "INSERT INTO sweeps (id, name, plan, created_at) VALUES (?, ?, ?, ?)",
                (sweep, name, json.dumps(plan.to_dict()), timestamp()),
            )
            for number, recipe in enumerate(recipes, 1):
                self._runs.queue(writer, recipe, f"{name} {number}", sweep)
        return self.get(sweep)

    def get(self, sweep: str) -> Sweep:
        """The sweep of that id. Raises UnknownSweep."""
        with self._database.reading() as reader:
            row = reader.execute("SELECT * FROM sweeps WHERE id = ?", (sweep,)).fetchone()
            if row is not None:
                return self._sweep(row)
        raise UnknownSweep(f"There is no sweep {sweep[:40]!r}. GET /api/v1/sweeps lists them.")

    def all(self) -> list[Sweep]:
        """All sweeps, the newest first."""
        with self._database.reading() as reader:
            rows = reader.execute("SELECT * FROM sweeps ORDER BY place DESC").fetchall()
            return [self._sweep(row) for row in rows]

    def accuracies(self, sweep: str) -> dict[str, list[float]]:
        """The validation accuracy after each finished epoch of each of its runs, by their ids."""
        query = (
            "SELECT run, facts FROM events INDEXED BY epochs WHERE kind = 'epoch' "
            "AND run IN (SELECT id FROM runs WHERE sweep = ?) ORDER BY run, number"
        )
        curves: dict[str, dict[int, float]] = {}
        with self._database.reading() as reader:
            for row in reader.execute(query, (sweep,)):
                facts = json.loads(row["facts"])
                # An epoch that was done again counts once.
                curves.setdefault(row["run"], {})[facts["epoch"]] = facts["validation_accuracy"]
        return {run: [curve[epoch] for epoch in sorted(curve)] for run, curve in curves.items()}

    def delete(self, sweep: str) -> None:
        """Forget a sweep and all of its runs. Raises UnknownSweep."""
        self.get(sweep)
        with self._database.writing() as writer:
            writer.execute("DELETE FROM sweeps WHERE id = ?", (sweep,))

    def _sweep(self, row: sqlite3.Row) -> Sweep:
        values = {key: row[key] for key in ("id", "name", "created_at")}
        plan, runs = json.loads(row["plan"]), self._runs.of_sweep(row["id"])
        return Sweep(**values, plan=plan, runs=runs)
