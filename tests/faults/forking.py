"""Servers forked from a process that has imported ConvScope already.

Importing is most of a start, and these tests start dozens. All that follows is as from the command
line: a process of its own, with its environment, its words and its end.
"""

import os
import signal
import sys
from hashlib import md5
from multiprocessing import get_context
from pathlib import Path
from subprocess import TimeoutExpired

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["app.commands.serve"])


def mark_of(data: Path) -> str:
    """What the processes for a data folder are called, as Linux still tells the environment of the
    process that they are forks of."""
    return md5(str(data).encode(), usedforsecurity=False).hexdigest()[:15]


class ForkedServer:
    """As much of a ``subprocess.Popen`` as tests ask for."""

    def __init__(self, words: list[str], environment: dict[str, str], log: Path) -> None:
        self._process = _CONTEXT.Process(target=_run, args=(words, environment, log), daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """Its exit status, as soon as there is one."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, once there is one. Raises TimeoutExpired."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise TimeoutExpired("convscope serve", timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


def _run(words: list[str], environment: dict[str, str], log: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    Path("/proc/self/comm").write_text(mark_of(Path(environment["CONVSCOPE_DATA_DIR"])))
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = ["convscope", *words]
    from app.cli import main

    sys.exit(main(words))
