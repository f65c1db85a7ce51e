"""The real server, as a process of its own, with a data folder that is thrown away."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running server, as http://127.0.0.1:port."""
    port = free_port()
    command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port)]
    environment = os.environ | {"CONVSCOPE_DATA_DIR": str(tmp_path_factory.mktemp("data"))}
    process = subprocess.Popen(command, env=environment)
    address = f"http://127.0.0.1:{port}"
    wait_until_up(address, process)
    yield address
    process.terminate()
    assert process.wait(timeout=20) == 0


def wait_until_up(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "the server ended before it answered"
        try:
            httpx.get(f"{address}/healthz").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("the server didn't answer within a minute")
