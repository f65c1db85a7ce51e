"""Nodes of a Ray cluster on this machine, started as a person would: with `ray start`."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
MEGABYTE = 1_000_000


class Node:
    """One node: a process group and its workers, which live until they are killed.

    ``folder`` must have a short name, since Ray keeps sockets in it.
    """

    def __init__(self, folder: Path, *options: str, cpus: int = 1) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(folder),
            "RAY_TMPDIR": str(folder),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "disabled",
        }
        command = [
            *(str(Path(sys.executable).with_name("ray")), "start", *options),
            *(f"--num-cpus={cpus}", f"--object-store-memory={80 * MEGABYTE}"),
            *("--min-worker-port=0", "--max-worker-port=0", "--disable-usage-stats"),
        ]
        log = (folder / "log").open("ab")
        with (
            log,
            subprocess.Popen(
                command, env=environment, start_new_session=True, stdout=log, stderr=log
            ) as starting,
        ):
            assert starting.wait() == 0, (folder / "log").read_text()
        self.group = starting.pid

    def kill(self) -> None:
        """End all its processes at once, as when its machine loses power."""
        ending = [*self.workers(""), *processes("--pgroup", self.group)]
        for process in ending:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        wait_until(lambda: not any(is_alive(process) for process in ending))

    def workers(self, name: str = "ray::RayWorker") -> list[int]:
        """Its processes that train; they are in groups of their own."""
        raylets = processes("--pgroup", self.group, "raylet/raylet")
        return [one for raylet in raylets for one in processes("--parent", raylet, name)]


def start_head(folder: Path) -> tuple[str, Node]:
    """A cluster of one node, and its address."""
    port = free_port()
    options = (f"--port={port}", f"--temp-dir={folder}", "--include-dashboard=false")
    return f"127.0.0.1:{port}", Node(folder, "--head", *options)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def processes(kinship: str, process: int, name: str = "") -> list[int]:
    """The processes of a group or of a parent, by a part of their command."""
    command = ["pgrep", kinship, str(process), *(["--full", name] if name else [])]
    found = subprocess.run(command, capture_output=True, text=True)
    return [int(line) for line in found.stdout.split() if is_alive(int(line))]


def is_alive(process: int) -> bool:
    """Whether a process is there, and more than an entry that nobody has collected."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool], seconds: int = 300) -> None:
    """Wait for something that comes about by itself. Raises TimeoutError."""
    for _ in range(seconds * 20):
        if condition():
            return
        time.sleep(0.05)
    raise TimeoutError
