"""The real server, as a process of its own, with a data folder that is thrown away."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import httpx
import pytest

from app.settings import Settings


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """What asynchronous tests run on: what the server runs on."""
    return "asyncio"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running server, as http://127.0.0.1:port.

    Whatever the tests send it, it must say nothing of a fault, and end when it is told to.
    """
    folder = tmp_path_factory.mktemp("server")
    log = folder / "log.txt"
    with log.open("wb") as output:
        process, address = start_server(folder / "data", output.fileno())
    wait_until_up(address, process)
    yield address
    assert stop(process) in (0, -signal.SIGTERM)
    words = log.read_text()
    assert "Traceback" not in words, words
    assert "Warning" not in words, words


class Process(Protocol):
    """What tests ask of a server's process."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, number: int, /) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


def start_server(
    data: Path, output: int | None = None, **environment: str
) -> tuple[subprocess.Popen[bytes], str]:
    """A starting server that keeps its data in a folder, and its address."""
    port = free_port()
    command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port)]
    process = subprocess.Popen(
        command,
        env={**os.environ, "CONVSCOPE_DATA_DIR": str(data), **environment},
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
    )
    return process, f"http://127.0.0.1:{port}"


def stop(process: Process) -> int:
    """Ask a server to end, as a container does; returns its exit status."""
    process.terminate()
    try:
        # uvicorn ends by the signal that it was sent, once everything is closed.
        return process.wait(timeout=20)
    finally:
        process.kill()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_until_up(address: str, process: Process) -> None:
    for _ in range(600):
        assert process.poll() is None, "the server ended before it answered"
        try:
            httpx.get(f"{address}/healthz").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("the server didn't answer within a minute")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a data folder of their own."""
    return Settings(data_dir=tmp_path)
