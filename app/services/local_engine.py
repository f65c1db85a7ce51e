"""Trainings in processes of their own on this machine, each at the end of a pipe."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from app.core.dataset_files import DatasetFolders
from app.core.event_log import Record, read_record, write_record
from app.core.memory import out_of_memory, tells_of_memory
from app.core.recipes import Recipe
from app.services.engine import LiveRun
from app.services.training_process import Order

ROOT = Path(__file__).parent.parent.parent
KILLED = (
    "The training's process was killed, most likely because memory ran out. Try a smaller "
    "batch_size."
)
COMMAND = ("-m", "app.services.training_process")
_LAST_WORDS = 2000


class LocalEngine:
    """Trains in spawned processes, each with so many threads unless its recipe says how many."""

    def __init__(self, folders: DatasetFolders, threads: int) -> None:
        self._folders = folders
        self._threads = threads

    def launch(self, recipe: Recipe, state: bytes | None = None) -> LiveRun:
        """Begin a training, or go on from a state."""
        threads = recipe.resources.get("cpus", self._threads)
        return LocalRun(Order(recipe, self._folders, int(threads), state))

    def close(self) -> None:
        """Nothing is held between runs."""


class LocalRun:
    """A training in a process of its own."""

    def __init__(self, order: Order) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._recipe = order.recipe
        self._stopped = False
        self._process = subprocess.Popen(
            [sys.executable, *COMMAND],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": str(order.threads)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            process_group=0,  # Ctrl-C is for the server, which then stops this.
        )
        self._commands = cast(BinaryIO, self._process.stdin)
        write_record(self._commands, order.as_record())

    def events(self) -> Iterator[Record]:
        """What it reports; the last is "finished" or "failed", unless it was stopped."""
        ended = False
        reports = cast(BinaryIO, self._process.stdout)
        while (record := read_record(reports)) is not None:
            ended = record.kind in ("finished", "failed")
            yield record
        code = self._process.wait()
        if not ended and not self._stopped:
            yield Record("failed", {"error": self._explain(code)})
        for stream in (self._commands, reports, self._errors):
            stream.close()

    def pause(self) -> None:
        """Hold it after the batch that it is at."""
        self._send(b"pause\n")

    def resume(self) -> None:
        """Let it go on."""
        self._send(b"resume\n")

    def stop(self) -> None:
        """End it now."""
        self._stopped = True
        self._process.kill()

    def _send(self, command: bytes) -> None:
        try:
            self._commands.write(command)
            self._commands.flush()
        except (BrokenPipeError, ValueError):
            pass  # It has ended, which its events tell.

    def _explain(self, code: int) -> str:
        if code == -signal.SIGKILL:
            return KILLED
        self._errors.seek(0)
        words = self._errors.read().decode(errors="replace").strip()[-_LAST_WORDS:]
        last = words.rpartition("\n")[2] or "it said nothing"
        if tells_of_memory(last):  # It had none left to report that.
            return str(out_of_memory(self._recipe))
        return f"The training's process ended unexpectedly (exit status {code}): {last}"
