"""A training as the records that it sends to its server, wherever it runs."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from threading import Condition

import torch

from app.core.dataset_files import DatasetFolders
from app.core.errors import ConvScopeError
from app.core.event_log import Record, record_of
from app.core.events import BatchDone, EpochDone, Event, Snapshot
from app.core.memory import keep_freed_memory, out_of_memory_said
from app.core.recipes import Recipe
from app.core.states import decode_state
from app.core.training import train

# A viewer sees no more batches than this anyway.
SECONDS_BETWEEN_BATCHES = 0.25
# The shares of the first epoch after which there is a snapshot: most is learnt at its start.
EARLY = (0.0, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
# So that predictions go first.
NICE = 15


class Gate:
    """Holds a training while it is paused; others open and close it, from any thread."""

    def __init__(self, paused: bool = False) -> None:
        self._changed = Condition()
        self._paused = paused

    def set(self, paused: bool) -> None:
        """Close it, or open it again."""
        with self._changed:
            self._paused = paused
            self._changed.notify_all()

    def pass_through(self) -> Iterator[Record]:
        """End at once, or when the training is resumed; the waiting is reported."""
        with self._changed:
            if not self._paused:
                return
        yield Record("paused", {})
        with self._changed:
            self._changed.wait_for(lambda: not self._paused)
        yield Record("running", {})


def report(
    recipe: Recipe, folders: DatasetFolders, threads: int, state: bytes | None, gate: Gate
) -> Iterator[Record]:
    """Train at low priority; a record for every event, the last "finished" or "failed"."""
    os.nice(NICE)
    torch.set_num_threads(threads)
    keep_freed_memory()
    try:
        with out_of_memory_said(recipe):
            yield from _records(recipe, folders, state, gate)
    except ConvScopeError as error:
        yield Record("failed", {"error": str(error)})


def _records(
    recipe: Recipe, folders: DatasetFolders, state: bytes | None, gate: Gate
) -> Iterator[Record]:
    before = None if state is None else decode_state(state)
    for event in _thinned(train(recipe, folders, before, EARLY)):
        yield record_of(event)
        # What belongs together is not held in between: an epoch, its snapshot and the state.
        if not isinstance(event, (EpochDone, Snapshot)):
            yield from gate.pass_through()


def _thinned(events: Iterator[Event]) -> Iterator[Event]:
    """All events, but of the batches only one now and then, with the mean loss of those between."""
    losses: list[float] = []
    told = 0.0
    for event in events:
        if not isinstance(event, BatchDone):
            yield event
            continue
        losses.append(event.loss)
        if time.monotonic() - told >= SECONDS_BETWEEN_BATCHES or event.batch == event.batches:
            mean = sum(losses) / len(losses)
            yield replace(event, loss=mean)
            losses, told = [], time.monotonic()
