"""The real server as a process with a folder of its own, for as long as it is wanted."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from app.core.errors import ConvScopeError

ROOT = Path(__file__).parent.parent.parent
HOST = "127.0.0.1"
START_SECONDS = 60
STOP_SECONDS = 15


class ServerFailed(ConvScopeError):
    """The server that was to be measured didn't start or didn't answer."""


@dataclass(frozen=True)
class Program:
    """A server to start: its command, to which the port is added, and a path that answers 200 as
    soon as it serves. ``environment`` is added to this process's own."""

    command: tuple[str, ...]
    health: str
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Running:
    """A server that answers on this port; all its processes belong to the session ``process``."""

    port: int
    process: int


CONVSCOPE = Program(
    (sys.executable, "-m", "app.cli", "serve", "--host", HOST, "--port"), "/healthz"
)


@contextmanager
def serving() -> Iterator[int]:
    """The port of a ConvScope that answers; it is stopped and its folder removed at the end.

    Raises ServerFailed, with the server's own last words.
    """
    with running(CONVSCOPE) as server:
        yield server.port


@contextmanager
def running(program: Program) -> Iterator[Running]:
    """A server that answers, stopped at the end with all the processes that it has started.

    Raises ServerFailed, with the server's own last words.
    """
    with tempfile.TemporaryDirectory(prefix="convscope-") as folder, _stoppable():
        port, log = _free_port(), Path(folder, "server.log")
        process = _start(program, port, Path(folder), log)
        try:
            _wait_until_it_answers(process, (port, program.health), log)
            yield Running(port, process.pid)
        finally:
            _stop(process)


def _start(program: Program, port: int, folder: Path, log: Path) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "CONVSCOPE_DATA_DIR": str(folder / "data"),
        **program.environment,
    }
    with log.open("wb") as output:
        return subprocess.Popen(
            [*program.command, str(port)],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_until_it_answers(
    process: subprocess.Popen[bytes], health: tuple[int, str], log: Path
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(*health):
        if process.poll() is not None or time.monotonic() > deadline:
            words = log.read_text(errors="replace").strip()[-2000:]
            raise ServerFailed(f"The server to be measured doesn't answer. It said: {words}")
        time.sleep(0.05)


def _answers(port: int, path: str) -> bool:
    connection = HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        with suppress(ProcessLookupError):  # Some leave processes of theirs behind.
            os.killpg(process.pid, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let SIGTERM unwind the stack like Ctrl-C; by itself it would leave the server running."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
