"""The process that trains: it reads an order, and writes a record for every event.

Commands come line by line on its standard input: ``pause`` and ``resume``. When that ends, because
its server stopped it or is no more, it ends too.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Condition, Thread
from typing import BinaryIO

import torch

from app.core.dataset_files import DatasetFolders
from app.core.errors import ConvScopeError
from app.core.event_log import Record, read_record, record_of, write_record
from app.core.events import BatchDone, Event
from app.core.recipes import Recipe
from app.core.states import decode_state
from app.core.training import train

# A viewer sees no more batches than this anyway.
SECONDS_BETWEEN_BATCHES = 0.25
# The shares of the first epoch after which there is a snapshot: most is learnt at its start.
EARLY = (0.0, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
# So that predictions go first.
NICE = 15


@dataclass(frozen=True)
class Order:
    """What a process is to train, where the data sets lie, and with how many threads."""

    recipe: Recipe
    folders: DatasetFolders
    threads: int
    state: bytes | None = None

    def as_record(self) -> Record:
        """The order as it goes from process to process."""
        folders = [str(self.folders.downloads), str(self.folders.kept)]
        facts = {"recipe": self.recipe.to_dict(), "folders": folders, "threads": self.threads}
        return Record("order", facts, self.state or b"")

    @classmethod
    def from_record(cls, record: Record) -> "Order":
        """The opposite of ``as_record``."""
        facts = record.facts
        downloads, kept = (Path(folder) for folder in facts["folders"])
        return cls(
            Recipe.from_dict(facts["recipe"]),
            DatasetFolders(downloads, kept),
            facts["threads"],
            record.content or None,
        )


class Gate:
    """Holds the training while it is paused."""

    def __init__(self, commands: BinaryIO) -> None:
        self._changed = Condition()
        self._paused = False
        Thread(target=self._listen, args=(commands,), daemon=True).start()

    def pass_through(self, out: BinaryIO) -> None:
        """Return at once, or when the training is resumed; the waiting is reported."""
        with self._changed:
            if not self._paused:
                return
            write_record(out, Record("paused", {}))
            self._changed.wait_for(lambda: not self._paused)
        write_record(out, Record("running", {}))

    def _listen(self, commands: BinaryIO) -> None:
        for line in commands:
            with self._changed:
                self._paused = line.strip() == b"pause"
                self._changed.notify_all()
        os._exit(0)  # Whatever the training is at: nobody is there to hear of it.


def main() -> None:
    """Train as the order on standard input says."""
    commands, out = sys.stdin.buffer, _take_output()
    record = read_record(commands)
    if record is None:
        return
    order = Order.from_record(record)
    os.nice(NICE)
    _be_the_first_to_go()
    torch.set_num_threads(order.threads)
    gate = Gate(commands)
    state = None if order.state is None else decode_state(order.state)
    try:
        for event in _thinned(train(order.recipe, order.folders, state, EARLY)):
            write_record(out, record_of(event))
            gate.pass_through(out)
    except ConvScopeError as error:
        write_record(out, Record("failed", {"error": str(error)}))


def _be_the_first_to_go() -> None:
    """Where memory runs out and Linux has to kill a process, it shall be this one."""
    with suppress(OSError):  # Other systems have no such file.
        Path("/proc/self/oom_score_adj").write_text("1000")


def _take_output() -> BinaryIO:
    """The standard output for records alone; what else is printed goes where errors go."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return out


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


if __name__ == "__main__":
    main()
