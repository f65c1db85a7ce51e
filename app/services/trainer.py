"""Trains runs one after another, or several at once, and writes down what they report."""

import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from threading import Condition, Thread, Timer
from typing import TypeVar

from app.core.errors import (
    ConvScopeError,
    QueueFull,
    RunConflict,
    StorageBusy,
    StorageUnavailable,
)
from app.core.event_log import Record, grouped
from app.core.recipes import Recipe
from app.services.engine import Engine, LiveRun
from app.services.run_store import LoggedEvent, Run, RunStore

STOP_SECONDS = 10
# As many runs may wait.
QUEUE = 100
# So often it is tried to write down what a full disk didn't take.
RETRY_SECONDS = 5
_log = logging.getLogger(__name__)

Listener = Callable[[LoggedEvent], None]
Judge = Callable[[str], str | None]
Written = TypeVar("Written")
_CANCELLED = ("queued", "running", "paused", "interrupted")


@dataclass
class _Live:
    run: LiveRun
    thread: Thread
    wanted: str = "running"
    reason: str | None = None


class Trainer:
    """The queue of runs.

    ``at_once`` of them train at the same time, the others wait in the order in which they came.
    ``listener`` is told every event that is logged, from any thread. ``judge`` is asked after each
    epoch of a run: what it says ends the run, and is kept as the reason.
    """

    def __init__(
        self,
        store: RunStore,
        engine: Engine,
        at_once: int,
        listener: Listener,
        judge: Judge = lambda run: None,
    ) -> None:
        self._store = store
        self._engine = engine
        self._at_once = at_once
        self._listener = listener
        self._judge = judge
        self._changed = Condition()
        self._live: dict[str, _Live] = {}
        self._closed = False
        # How runs ended, where that can't be written down yet.
        self._ends: dict[str, Record] = {}
        # Those of them of which viewers have heard all the same.
        self._told: set[str] = set()
        self._retry: Timer | None = None

    def open(self, resume: bool) -> None:
        """Take up what the last server left: its running runs are interrupted, its queue goes on.

        With ``resume`` the interrupted ones go on, too.
        """
        with self._changed:
            for run in self._store.in_state("running", "paused"):
                self._end(run.id, Record("interrupted", {}))
            with suppress(StorageUnavailable):  # It is tried again, and said, by _settle.
                self._write_ends()
                for run in self._store.in_state("interrupted") if resume else []:
                    self._note_state(run.id, "queued")
            self._settle()

    def close(self) -> None:
        """Stop every training; what it was at is interrupted. What could not be written down yet is
        tried once more."""
        with self._changed:
            self._closed = True
            threads = [live.thread for live in self._live.values()]
            for live in self._live.values():
                live.wanted = "interrupted"
                live.run.stop()
        for thread in threads:
            thread.join(STOP_SECONDS)
        with self._changed:
            if self._ends:
                self._settle()

    def launch(self, recipe: Recipe, name: str) -> Run:
        """Queue a new run. Raises QueueFull and StorageUnavailable."""
        run = self.queue(lambda: [self._store.create(recipe, name)])[0]
        return self._store.get(run.id)

    def queue(self, create: Callable[[], list[Run]], count: int = 1) -> list[Run]:
        """Take up the ``count`` new runs that ``create`` writes down; none begins before all are
        told of. Raises QueueFull and what ``create`` raises."""
        with self._changed:
            waiting = len(self._store.in_state("queued"))
            if waiting + count > QUEUE:
                raise QueueFull(
                    f"{waiting} runs wait already, and no more than {QUEUE} may. Wait until there "
                    "is room, or cancel some."
                )
            runs = create()
            for run in runs:
                for event in self._store.events(run.id):
                    self._listener(event)
            self._settle()
        return runs

    def cancel(self, run: str) -> Run:
        """End a run; its snapshots stay. One that is cancelled already stays so: two pages may ask.

        Raises UnknownRun and RunConflict.
        """
        with self._changed:
            self._insist(run, "cancelled", *_CANCELLED)
            self.cancel_all([run])
        return self._store.get(run)

    def cancel_all(self, runs: Collection[str]) -> int:
        """End those of the runs that could still go on; returns how many. None of those that wait
        begins meanwhile. Raises UnknownRun."""
        with self._changed:
            going = [run for run in runs if self._store.get(run).state in _CANCELLED]
            for run in going:
                if run not in self._live:
                    self._note_state(run, "cancelled")
            for run in going:
                self._stop(run)
            self._changed.wait_for(lambda: not self._live.keys() & set(going), STOP_SECONDS)
        return len(going)

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
        """Let a paused run go on, or queue an interrupted or failed one, which goes on from its
        last finished epoch. Raises UnknownRun, RunConflict and StorageUnavailable."""
        with self._changed:
            self._insist(run, "paused", "interrupted", "failed")
            self._write_ends()
            if live := self._live.get(run):
                live.run.resume()
                self._wait_until_not("paused", run)
            else:
                self._note_state(run, "queued")
                self._settle()
        return self._store.get(run)

    def delete(self, run: str) -> None:
        """Forget a run that isn't under way. Raises UnknownRun and RunConflict."""
        with self._changed:
            self._insist(run, "cancelled", "failed", "finished", "interrupted")
            self._store.delete(run)
            self._ends.pop(run, None)
            self._told.discard(run)

    def _stop(self, run: str, reason: str | None = None) -> None:
        """Stop a training, unless it is being stopped already."""
        live = self._live.get(run)
        if live and live.wanted == "running":
            live.wanted, live.reason = "cancelled", reason
            live.run.stop()

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
        try:
            recipe = Recipe.from_dict(run.recipe)
        except ConvScopeError as error:  # It was written down by another version.
            said = f"The run's recipe can't be trained any more. {error} Start another run."
            self._end(run.id, Record("failed", {"error": said}))
            return
        state = self._store.state(run.id)
        self._note_state(run.id, "running", from_epoch=run.epoch)
        try:
            live = self._engine.launch(recipe, state)
        except OSError as error:
            said = f"The training's process can't be started: {error.strerror}. Try again later."
            self._end(run.id, Record("failed", {"error": said}))
            return
        thread = Thread(target=self._follow, args=(run.id, live), daemon=True)
        self._live[run.id] = _Live(live, thread)
        thread.start()

    def _follow(self, run: str, live: LiveRun) -> None:
        """Write down what a run reports until it ends, then let the next one begin."""
        end: Record | None = None
        reports = live.events()
        try:
            for records in grouped(reports):
                end = self._write(run, records) or end
        except StorageBusy:  # The server stops: the next one calls the run interrupted.
            live.stop()
        except StorageUnavailable as error:
            live.stop()
            end = Record("failed", {"error": str(error)})
        for _ in reports:  # A stopped process is waited for, too.
            pass
        with self._changed:
            ended = self._live.pop(run)
            reason = {"reason": ended.reason} if ended.reason else {}
            self._end(run, end or Record(ended.wanted, reason))
            if not self._closed:  # ``close`` writes down all ends at once.
                self._settle()
            self._changed.notify_all()

    def _write(self, run: str, records: list[Record]) -> Record | None:
        """Log records at once; returns the one that is the run's end, where there is one."""
        record = records[0]
        if record.kind in ("failed", "finished"):
            return record
        if record.kind in ("paused", "running"):
            self._patiently(lambda: self._note_change(run, record))
            return None
        for event in self._patiently(lambda: self._store.note(run, *records)):
            self._listener(event)
        if record.kind == "epoch" and (reason := self._judge(run)):
            with self._changed:
                self._stop(run, reason)
        return None

    def _note_change(self, run: str, record: Record) -> None:
        with self._changed:
            self._note_state(run, record.kind, **record.facts)
            self._changed.notify_all()

    def _patiently(self, write: Callable[[], Written]) -> Written:
        """What a run reports is written as soon as other processes let go of the file. Raises
        StorageBusy when the server stops before that."""
        while True:
            try:
                return write()
            except StorageBusy as error:
                if self._closed:
                    raise
                _log.warning("%s A run's events wait for it.", error)

    def _end(self, run: str, end: Record) -> None:
        """What is told of the run from now on, and written down by ``_settle``."""
        self._store.presume(run, end.kind, end.facts.get("error"))
        self._ends[run] = end

    def _settle(self) -> None:
        """Write down how runs have ended, and start what there is room for. Where the disk is full,
        it is tried again until it is done."""
        known = self._retry
        if known:
            known.cancel()
            self._retry = None
        try:
            self._write_ends()
            self._fill()
            self._write_ends()
        except StorageUnavailable as error:
            if self._closed:
                _log.warning("%s The next server will call these runs interrupted.", error)
            else:
                if not known:
                    _log.warning("%s This is tried again every %s s.", error, RETRY_SECONDS)
                    self._tell_ends()
                self._retry = Timer(RETRY_SECONDS, self._settle_again)
                self._retry.daemon = True
                self._retry.start()

    def _tell_ends(self) -> None:
        """Tell viewers how runs have ended, though it isn't written down."""
        with suppress(StorageUnavailable):  # Those who come later are told all the same.
            for run in self._ends:
                self._listener(self._store.events(run)[-1])
                self._told.add(run)

    def _write_ends(self) -> None:
        for run, end in list(self._ends.items()):
            event = self._store.note_state(run, end.kind, **end.facts)
            if run not in self._told:
                self._listener(event)
            self._told.discard(run)
            del self._ends[run]

    def _settle_again(self) -> None:
        with self._changed:
            self._settle()
            self._changed.notify_all()

    def _note_state(self, run: str, state: str, **facts: object) -> None:
        self._listener(self._store.note_state(run, state, **facts))
