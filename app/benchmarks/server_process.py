"""The real server as a process with a folder of its own, for as long as it is wanted."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from app.core.errors import ConvScopeError

HOST = "127.0.0.1"
START_SECONDS = 60
STOP_SECONDS = 15


class ServerFailed(ConvScopeError):
    """The server that was to be measured didn't start or didn't answer."""


@contextmanager
def serving() -> Iterator[int]:
    """The port of a server that answers; it is stopped and its folder removed at the end.

    Raises ServerFailed, with the server's own last words.
    """
    with tempfile.TemporaryDirectory(prefix="convscope-") as folder, _stoppable():
        port, log = _free_port(), Path(folder, "server.log")
        process = _start(port, Path(folder, "data"), log)
        try:
            _wait_until_it_answers(process, port, log)
            yield port
        finally:
            _stop(process)


def _start(port: int, data: Path, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "app.cli", "serve", "--host", HOST, "--port", str(port)]
    environment = {**os.environ, "CONVSCOPE_DATA_DIR": str(data)}
    root = Path(__file__).parent.parent.parent
    with log.open("wb") as output:
        return subprocess.Popen(
            command, cwd=root, env=environment, stdout=output, stderr=subprocess.STDOUT
        )


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > deadline:
            words = log.read_text(errors="replace").strip()[-2000:]
            raise ServerFailed(f"The server to be measured doesn't answer. It said: {words}")
        time.sleep(0.05)


def _answers(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/healthz")
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
