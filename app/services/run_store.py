"""Runs and their events: the only history there is, written by one process.

An event and what it changes of its run are one transaction, so a killed process leaves no half of
either.
"""

import json
import math
import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from app.core.errors import UnknownRun, UnknownSnapshot
from app.core.event_log import Record
from app.core.recipes import Recipe
from app.services.run_database import RunDatabase, timestamp

STATES = ("queued", "running", "paused", "cancelled", "failed", "finished", "interrupted")
SNAPSHOT_BYTES = 256 * 1024 * 1024
ENDED = ("cancelled", "failed", "finished", "interrupted")


@dataclass(frozen=True)
class Run:
    """One training: its recipe, how far it is, and what came of it.

    ``metrics`` has the newest epoch's losses and accuracy, and the best accuracy with its epoch.
    ``model`` names what was made of its weights, ``sweep`` is the id of the one that it belongs to,
    ``reason`` says why it was cancelled where nobody asked for it. Times are ISO 8601 in UTC.
    """

    id: str
    name: str
    state: str
    recipe: dict[str, Any]
    epoch: int
    epochs: int
    metrics: dict[str, float]
    error: str | None
    model: str | None
    created_at: str
    started_at: str | None
    ended_at: str | None
    sweep: str | None
    reason: str | None

    @property
    def ended(self) -> bool:
        """Whether nothing will happen to it of itself."""
        return self.state in ENDED


@dataclass(frozen=True)
class LoggedEvent:
    """One line of a run's history; ``number`` counts up within the run, from 1."""

    run: str
    number: int
    at: str
    kind: str
    facts: dict[str, Any]


class RunStore:
    """The runs' database. Errors of the disk are raised as StorageUnavailable.

    Of each run's snapshots it keeps up to ``snapshot_bytes``: the first, the best, the newest, and
    of the others as many as there is room for, evenly spread.
    """

    def __init__(self, path: Path, snapshot_bytes: int = SNAPSHOT_BYTES) -> None:
        self.database = RunDatabase(path)
        self._writing, self._reading = self.database.writing, self.database.reading
        self._snapshot_bytes = snapshot_bytes
        self._presumed: dict[str, dict[str, str | None]] = {}

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def create(self, recipe: Recipe, name: str) -> Run:
        """A new run, queued behind the others."""
        with self._writing() as writer:
            run = self.queue(writer, recipe, name)
        return self.get(run)

    def queue(
        self, writer: sqlite3.Connection, recipe: Recipe, name: str, sweep: str | None = None
    ) -> str:
        """Write down a new run within a transaction; returns its id."""
        run, now = uuid.uuid4().hex[:12], timestamp()
        writer.execute(
            "INSERT INTO runs (id, name, recipe, state, created_at, sweep) "
            "VALUES (?, ?, ?, 'queued', ?, ?)",
            (run, name, json.dumps(recipe.to_dict()), now, sweep),
        )
        self._log(writer, run, now, "queued", {})
        return run

    def get(self, run: str) -> Run:
        """The run of that id. Raises UnknownRun."""
        with self._reading() as reader:
            row = reader.execute("SELECT * FROM runs WHERE id = ?", (run,)).fetchone()
            if row is not None:
                return self._run(row)
        raise UnknownRun(f"There is no run {run[:40]!r}. GET /api/v1/runs lists them.")

    def all(self) -> list[Run]:
        """All runs, the newest first."""
        with self._reading() as reader:
            return [
                self._run(row) for row in reader.execute("SELECT * FROM runs ORDER BY place DESC")
            ]

    def of_sweep(self, sweep: str) -> list[Run]:
        """The runs of a sweep, in its order."""
        query = "SELECT * FROM runs WHERE sweep = ? ORDER BY place"
        with self._reading() as reader:
            return [self._run(row) for row in reader.execute(query, (sweep,))]

    def in_state(self, *states: str) -> list[Run]:
        """The runs in one of these states, the oldest first."""
        return [run for run in reversed(self.all()) if run.state in states]

    def rename(self, run: str, name: str) -> Run:
        """Give a run another name. Raises UnknownRun."""
        self.get(run)
        with self._writing() as writer:
            writer.execute("UPDATE runs SET name = ? WHERE id = ?", (name, run))
        return self.get(run)

    def note_model(self, run: str, model: str) -> None:
        """Remember the model that was made of a run."""
        with self._writing() as writer:
            writer.execute("UPDATE runs SET model = ? WHERE id = ?", (model, run))

    def forget_model(self, model: str) -> None:
        """Let no run say that this model was made of it."""
        with self._writing() as writer:
            writer.execute("UPDATE runs SET model = NULL WHERE model = ?", (model,))

    def delete(self, run: str) -> None:
        """Forget a run with all its events and snapshots. Raises UnknownRun."""
        self.get(run)
        with self._writing() as writer:
            writer.execute("DELETE FROM runs WHERE id = ?", (run,))
        self._presumed.pop(run, None)

    def presume(self, run: str, state: str, error: str | None) -> None:
        """Tell from now on that a run is in this state, though it can't be written down yet."""
        self._presumed[run] = {"state": state, "error": error, "ended_at": timestamp()}

    def note_state(self, run: str, state: str, **facts: object) -> LoggedEvent:
        """Log that a run is in another state, and remember it. A finished run needs nothing to go
        on: that is forgotten."""
        presumed = self._presumed.get(run, {})
        # It ended when it did, not when there was room to write that down.
        now = (presumed.get("state") == state and presumed["ended_at"]) or timestamp()
        started = "COALESCE(started_at, :now)" if state == "running" else "started_at"
        ended = ":now" if state in ENDED else "NULL"
        with self._writing() as writer:
            writer.execute(
                f"UPDATE runs SET state = :state, error = :error, reason = :reason, "
                f"started_at = {started}, ended_at = {ended} WHERE id = :run",
                {"error": None, "reason": None} | facts | {"state": state, "now": now, "run": run},
            )
            if state == "finished":
                writer.execute("DELETE FROM states WHERE run = ?", (run,))
            event = self._log(writer, run, now, state, facts)
        self._presumed.pop(run, None)
        return event

    def note(self, run: str, *records: Record) -> list[LoggedEvent]:
        """Log what a run reports, all of it or nothing, and keep its weights.

        A state replaces the one before, and is no part of the history that comes back.
        """
        now = timestamp()
        with self._writing() as writer:
            return [
                self._log(writer, run, now, record.kind, record.facts)
                for record in records
                if self._keep(writer, run, record)
            ]

    def _keep(self, writer: sqlite3.Connection, run: str, record: Record) -> bool:
        """Keep what belongs to a record; returns whether the record is one for the history."""
        if record.kind == "state":
            writer.execute("REPLACE INTO states VALUES (?, ?)", (run, record.content))
        if record.kind == "snapshot":
            values = (run, record.facts["epoch"], record.content)
            writer.execute("REPLACE INTO snapshots VALUES (?, ?, ?)", values)
            self._thin(writer, run)
        if record.kind == "epoch":
            self._note_epoch(writer, run, record.facts)
        return record.kind != "state"

    def events(self, run: str, after: int = 0) -> list[LoggedEvent]:
        """The run's history behind event number ``after``, with an end that can't be written down
        yet. Raises UnknownRun."""
        self.get(run)
        with self._reading() as reader:
            rows = reader.execute(
                "SELECT * FROM events WHERE run = ? AND number > ? ORDER BY number", (run, after)
            )
            told = [LoggedEvent(**{**dict(row), "facts": json.loads(row["facts"])}) for row in rows]
            return told + self._presumed_end(reader, run, after)

    def _presumed_end(self, reader: sqlite3.Connection, run: str, after: int) -> list[LoggedEvent]:
        """How the run has ended, as the event that it will be once it is written down."""
        if (end := self._presumed.get(run)) is None:
            return []
        query = "SELECT COALESCE(MAX(number), 0) + 1 FROM events WHERE run = ?"
        number = int(reader.execute(query, (run,)).fetchone()[0])
        facts = {"error": end["error"]} if end["error"] else {}
        event = LoggedEvent(run, number, str(end["ended_at"]), str(end["state"]), facts)
        return [event] if number > after else []

    def epochs(self, run: str) -> list[dict[str, Any]]:
        """What each finished epoch reported, by epoch."""
        return self._reports(run, "epoch")

    def _reports(self, run: str, kind: str) -> list[dict[str, Any]]:
        """What was reported, by epoch; of one that was done again, the last report."""
        with self._reading() as reader:
            rows = reader.execute(
                "SELECT facts FROM events WHERE run = ? AND kind = ? ORDER BY number", (run, kind)
            )
            reports = [json.loads(row["facts"]) for row in rows]
        return sorted(
            {facts["epoch"]: facts for facts in reports}.values(), key=itemgetter("epoch")
        )

    def snapshots(self, run: str) -> list[dict[str, Any]]:
        """What was reported with each snapshot that is kept, by epoch. Those of older files, which
        don't tell how good they are, are left out."""
        reported = self._reports(run, "snapshot")
        with self._reading() as reader:
            rows = reader.execute("SELECT epoch FROM snapshots WHERE run = ?", (run,))
            kept = {row["epoch"] for row in rows}
        told = (facts for facts in reported if "confusion" in facts)
        return [facts for facts in told if facts["epoch"] in kept]

    def state(self, run: str) -> bytes | None:
        """What the run needs to go on after its last finished epoch; None before the first."""
        query = "SELECT content FROM states WHERE run = ?"
        with self._reading() as reader:
            row = reader.execute(query, (run,)).fetchone()
        return None if row is None else bytes(row[0])

    def snapshot_size(self, run: str, epoch: float) -> int:
        """How many bytes ``snapshot`` returns, without reading them. Raises the same."""
        with self.open_snapshot(run, epoch) as content:
            return len(content)

    def snapshot(self, run: str, epoch: float) -> bytes:
        """The weights of an epoch as safetensors. Raises UnknownRun and UnknownSnapshot."""
        with self.open_snapshot(run, epoch) as content:
            return content.read()

    @contextmanager
    def open_snapshot(self, run: str, epoch: float) -> Iterator[sqlite3.Blob]:
        """The same, as it was when it was opened. Read it and close it: until then the log that
        SQLite writes ahead only grows."""
        query = "SELECT rowid FROM snapshots WHERE run = ? AND epoch = ?"
        with self._reading() as reader:
            # One transaction, so that the row is there still when its content is opened.
            reader.execute("BEGIN")
            row = reader.execute(query, (run, epoch)).fetchone()
            if row is None:
                self.get(run)
                raise UnknownSnapshot(f"The run {run} has no snapshot of epoch {epoch:g}.")
            with reader.blobopen("snapshots", "weights", row[0], readonly=True) as content:
                yield content

    def _run(self, row: sqlite3.Row) -> Run:
        values = dict(row)
        del values["place"]
        for key in ("recipe", "metrics"):
            values[key] = json.loads(values[key])
        values |= self._presumed.get(values["id"], {})
        return Run(**values, epochs=values["recipe"]["epochs"])

    def _note_epoch(self, writer: sqlite3.Connection, run: str, facts: dict[str, Any]) -> None:
        before = self.get(run).metrics
        keys = ("train_loss", "validation_loss", "validation_accuracy")
        metrics = {key: facts[key] for key in keys}
        best = {
            "best_accuracy": facts["validation_accuracy"],
            "best_loss": facts["validation_loss"],
            "best_epoch": facts["epoch"],
        }
        if _rank(before) >= _rank(best):
            best = {key: before[key] for key in best if key in before}
        metrics |= best
        writer.execute(
            "UPDATE runs SET epoch = ?, metrics = ? WHERE id = ?",
            (facts["epoch"], json.dumps(metrics), run),
        )

    def _thin(self, writer: sqlite3.Connection, run: str) -> None:
        """Drop snapshots whose neighbours are nearest until the others are few enough."""
        query = "SELECT epoch, length(weights) FROM snapshots WHERE run = ? ORDER BY epoch"
        sizes: dict[float, int] = dict(tuple(row) for row in writer.execute(query, (run,)))
        while sum(sizes.values()) > self._snapshot_bytes:
            epochs, best = list(sizes), self._best_epoch(writer, run)
            gaps = {
                epochs[place]: epochs[place + 1] - epochs[place - 1]
                for place in range(1, len(epochs) - 1)
                if epochs[place] != best
            }
            if not gaps:
                return
            dropped = min(gaps, key=lambda epoch: gaps[epoch])
            writer.execute("DELETE FROM snapshots WHERE run = ? AND epoch = ?", (run, dropped))
            del sizes[dropped]

    def _best_epoch(self, writer: sqlite3.Connection, run: str) -> float | None:
        query = "SELECT metrics FROM runs WHERE id = ?"
        metrics = json.loads(writer.execute(query, (run,)).fetchone()[0])
        best: float | None = metrics.get("best_epoch")
        return best

    def _log(
        self, writer: sqlite3.Connection, run: str, now: str, kind: str, facts: dict[str, Any]
    ) -> LoggedEvent:
        last = writer.execute("SELECT MAX(number) FROM events WHERE run = ?", (run,)).fetchone()[0]
        event = LoggedEvent(run, (last or 0) + 1, now, kind, facts)
        writer.execute(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?)",
            (run, event.number, now, kind, json.dumps(facts)),
        )
        return event


def _rank(metrics: Mapping[str, float]) -> tuple[float, float]:
    """As a training ranks its epochs. Runs of older files remember no loss."""
    return metrics.get("best_accuracy", -1.0), -metrics.get("best_loss", math.inf)
