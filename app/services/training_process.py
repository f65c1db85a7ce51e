"""The process that trains: it reads an order, and writes a record for every event.

Commands come line by line on its standard input: ``pause`` and ``resume``. When that ends, because
its server stopped it or is no more, it ends too.
"""

import os
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import BinaryIO

from app.core.dataset_files import DatasetFolders
from app.core.event_log import Record, read_record, write_record
from app.core.recipes import Recipe
from app.services.training_reports import Gate, report


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


def main() -> None:
    """Train as the order on standard input says, and end the process.

    It leaves without Python's own tidying up, which aborts over the lock on standard input that the
    listening thread holds, and so would hide what went wrong.
    """
    code = 1
    try:
        _train()
        code = 0
    except Exception:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _train() -> None:
    commands, out = sys.stdin.buffer, _take_output()
    record = read_record(commands)
    if record is None:
        return
    _be_the_first_to_go()
    order, gate = Order.from_record(record), Gate()
    Thread(target=_listen, args=(commands, gate), daemon=True).start()
    for said in report(order.recipe, order.folders, order.threads, order.state, gate):
        write_record(out, said)


def _listen(commands: BinaryIO, gate: Gate) -> None:
    for line in commands:
        gate.set(paused=line.strip() == b"pause")
    os._exit(0)  # Whatever the training is at: nobody is there to hear of it.


def _be_the_first_to_go() -> None:
    """Where memory runs out and Linux has to kill a process, it shall be this one."""
    with suppress(OSError):  # Other systems have no such file.
        Path("/proc/self/oom_score_adj").write_text("1000")


def _take_output() -> BinaryIO:
    """The standard output for records alone; what else is printed goes where errors go."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return out


if __name__ == "__main__":
    main()
