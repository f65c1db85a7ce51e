"""Trains runs one after another, or several at once, and writes down what they report."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Thread

from app.core.errors import RunConflict, StorageUnavailable
from app.core.event_log import Record, grouped
from app.core.recipes import Recipe
from app.services.engine import Engine, LiveRun
from app.services.run_store import LoggedEvent, Run, RunStore

STOP_SECONDS = 10
_log = logging.getLogger(__name__)

Listener = Callable[[LoggedEvent], None]


@dataclass
class _Live:
    run: LiveRun
    thread: Thread
    wanted: str = "running"


class Trainer:
    """The queue of runs.

    ``at_once`` of them train at the same time, the others wait in the order in which they came.
    ``listener`` is told every event that is logged, from any thread.
    """

    def __init__(self, store: RunStore, engine: Engine, at_once: int, listener: Listener) -> None:
        self._store = store
        self._engine = engine
        self._at_once = at_once
        self._listener = listener
        self._changed = Condition()
        self._live: dict[str, _Live] = {}
        self._closed = False

    def open(self, resume: bool) -> None:
        """Take up what the last server left: its running runs are interrupted, its queue goes on.

        With ``resume`` the interrupted ones go on, too.
        """
        with self._changed:
            for run in self._store.in_state("running", "paused"):
                self._note_state(run.id, "interrupted")
            for run in self._store.in_state("interrupted") if resume else []:
                self._note_state(run.id, "queued")
            self._fill()

    def close(self) -> None:
        """Stop every training; what it was at is interrupted."""
        with self._changed:
            self._closed = True
            threads = [live.thread for live in self._live.values()]
            for live in self._live.values():
                live.wanted = "interrupted"
                live.run.stop()
        for thread in threads:
            thread.join(STOP_SECONDS)

    def launch(self, recipe: Recipe, name: str) -> Run:
        """Queue a new run. Raises StorageUnavailable."""
        run = self._store.create(recipe, name)
        with self._changed:
            for event in self._store.events(run.id):
                self._listener(event)
            self._fill()
        return self._store.get(run.id)

    def cancel(self, run: str) -> Run:
        """End a run; its snapshots stay. Raises UnknownRun and RunConflict."""
        with self._changed:
            self._insist(run, "queued", "running", "paused", "interrupted")
            if live := self._live.get(run):
                live.wanted = "cancelled"
                live.run.stop()
                self._changed.wait_for(lambda: run not in self._live, STOP_SECONDS)
            else:
                self._note_state(run, "cancelled")
        return self._store.get(run)

    def pause(self, run: str) -> Run:
        """Hold a running run after its present batch. Raises UnknownRun and RunConflict."""
        with self._changed:
            self._insist(run, "running")
            if live := self._live.get(run):
                live.run.pause()
                self._changed.wait_for(
                    lambda: self._store.get(run).state != "running", STOP_SECONDS
                )
        return self._store.get(run)

    def resume(self, run: str) -> Run:
        """Let a paused run go on, or queue an interrupted one, which goes on from its last finished
        epoch. Raises UnknownRun and RunConflict."""
        with self._changed:
            self._insist(run, "paused", "interrupted")
            if live := self._live.get(run):
                live.run.resume()
                self._wait_until_not("paused", run)
            else:
                self._note_state(run, "queued")
                self._fill()
        return self._store.get(run)

    def delete(self, run: str) -> None:
        """Forget a run that isn't under way. Raises UnknownRun and RunConflict."""
        with self._changed:
            self._insist(run, "cancelled", "failed", "finished", "interrupted")
            self._store.delete(run)

    def _insist(self, run: str, *states: str) -> None:
        state = self._store.get(run).state
        if state not in states:
            raise RunConflict(
                f"The run {run} is {state}; this can be done with one that is "
                f"{' or '.join(states)}."
            )

    def _wait_until_not(self, state: str, run: str) -> None:
        self._changed.wait_for(lambda: self._store.get(run).state != state, STOP_SECONDS)

    def _fill(self) -> None:
        """Start what there is room for."""
        for run in self._store.in_state("queued"):
            if self._closed or len(self._live) >= self._at_once:
                return
            self._start(run)

    def _start(self, run: Run) -> None:
        recipe = Recipe.from_dict(run.recipe)
        live = self._engine.launch(recipe, self._store.state(run.id))
        thread = Thread(target=self._follow, args=(run.id, live), daemon=True)
        self._live[run.id] = _Live(live, thread)
        self._note_state(run.id, "running", from_epoch=run.epoch)
        thread.start()

    def _follow(self, run: str, live: LiveRun) -> None:
        """Write down what a run reports until it ends, then let the next one begin."""
        end: tuple[str, str | None] | None = None
        try:
            for records in grouped(live.events()):
                end = self._write(run, records) or end
        except StorageUnavailable as error:
            live.stop()
            end = "failed", str(error)
        with self._changed:
            ended = self._live.pop(run)
            try:
                self._note_end(run, *(end or (ended.wanted, None)))
                self._fill()
            except StorageUnavailable:
                # The next server will find it running, and call it interrupted.
                _log.exception("The end of run %s can't be written down.", run)
            self._changed.notify_all()

    def _note_end(self, run: str, state: str, error: str | None) -> None:
        if state != "finished":  # which is logged with what it says
            self._note_state(run, state, **({"error": error} if error else {}))

    def _write(self, run: str, records: list[Record]) -> tuple[str, str | None] | None:
        """Log records at once; returns the run's end, where it is one."""
        record = records[0]
        if record.kind == "failed":
            return "failed", record.facts["error"]
        if record.kind in ("paused", "running"):
            with self._changed:
                self._note_state(run, record.kind, **record.facts)
                self._changed.notify_all()
            return None
        if record.kind == "finished":
            self._listener(self._store.finish(run, record))
            return "finished", None
        for event in self._store.note(run, *records):
            self._listener(event)
        return None

    def _note_state(self, run: str, state: str, **facts: object) -> None:
        self._listener(self._store.note_state(run, state, **facts))
