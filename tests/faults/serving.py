"""A server that can be killed and started again on the same data folder, and what is in there."""

import json
import os
import re
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx
from PIL import Image
from safetensors import safe_open

from tests.conftest import Process, free_port, stop, wait_until_up
from tests.faults.forking import ForkedServer, mark_of

# All that a data folder may hold once nothing is being written.
EXPECTED = re.compile(
    r"runs\.sqlite(-wal|-shm)?|models/(\.default|[a-z0-9-]+\.(json|safetensors))"
    r"|images/[0-9a-f]{32}\.png|edits/[a-z0-9@.-]+~[0-9a-f]{12}\.json"
    r"|datasets/([a-z0-9-]+\.safetensors|\.tuning-[0-9a-f]{16}\.json)"
)
ENDED = ("cancelled", "failed", "finished", "interrupted")
SMALL = {"network": "simple-cnn", "dataset": "optdigits", "batch_size": 256}


Server = TypeVar("Server", bound="Served")


class Served:
    """A server with a data folder of its own."""

    def __init__(self, data: Path, log: Path, **environment: str) -> None:
        self.data, self.log = data, log
        self.environment = environment
        self.process: Process | None = None
        self.api = httpx.Client()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.process, address = self.begin()
        wait_until_up(address, self.process)
        self.api.close()
        self.api = httpx.Client(base_url=address, timeout=60)

    def begin(self) -> tuple[Process, str]:
        """A starting server, and its address."""
        port = free_port()
        environment = {
            **os.environ,
            "CONVSCOPE_DATA_DIR": str(self.data),
            **self.environment,
        }
        process = ForkedServer(["serve", "--port", str(port)], environment, self.log)
        return process, f"http://127.0.0.1:{port}"

    def kill(self) -> None:
        """End it as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it as its keeper would; it must do so in time."""
        assert self.process is not None
        assert stop(self.process) in (0, -signal.SIGTERM)

    def close(self) -> None:
        """Leave nothing running, whatever has happened."""
        self.api.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def words(self) -> str:
        """All that it has said so far."""
        return self.log.read_text(errors="replace")

    def run(self, run: str) -> dict[str, Any]:
        """One run as the API tells it."""
        found: dict[str, Any] = self.answer("GET", f"/api/v1/runs/{run}")
        return found

    def launch(self, **recipe: Any) -> str:  # noqa: ANN401
        """Queue a run; returns its id."""
        return str(self.answer("POST", "/api/v1/runs", json=SMALL | recipe)["id"])

    def answer(self, method: str, path: str, **request: Any) -> Any:  # noqa: ANN401
        """What a request that succeeds is answered."""
        answer = self.api.request(method, path, **request)
        assert answer.is_success, answer.text
        return answer.json()

    def wait(self, run: str, *states: str) -> dict[str, Any]:
        """The run, once it is in one of these states."""
        until(lambda: self.run(run)["state"] in states, lambda: self.run(run))
        return self.run(run)

    def wait_for_epoch(self, run: str, epoch: int) -> None:
        """Wait until so many epochs of a run are finished."""
        until(lambda: self.run(run)["epoch"] >= epoch, lambda: self.run(run))

    def workers(self) -> list[int]:
        """The training processes of this folder's server that are alive."""
        return [pid for pid in processes_of(self.data) if "training_process" in command(pid)]


@contextmanager
def served(folder: Path, **environment: str) -> Iterator[Served]:
    """A server that is up, with its data in ``folder / "data"``; none of its processes stays."""
    with running(Served(folder / "data", folder / "log.txt", **environment)) as server:
        yield server


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """The same of a server that isn't up yet."""
    try:
        server.start()
        yield server
    except BaseException:
        print(server.words()[-6000:])
        raise
    finally:
        server.close()
    until(lambda: not processes_of(server.data))


def until(condition: Callable[[], bool], what: Callable[[], object] = str) -> None:
    """Wait until something is so; it must become so within a minute."""
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    raise TimeoutError(what())


def processes_of(data: Path) -> list[int]:
    """All living processes that were started for a data folder, orphans too."""
    wanted, mark = f"CONVSCOPE_DATA_DIR={data}\0".encode(), f"{mark_of(data)}\n"
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            started = wanted in (folder / "environ").read_bytes() + b"\0"
            forked = (folder / "comm").read_text() == mark
            # One that has ended, and is still to be buried, has lost its words.
            if started or (forked and (folder / "cmdline").read_bytes()):
                found.append(int(folder.name))
    return [pid for pid in found if pid != os.getpid()]


def command(pid: int) -> str:
    """The words that a process was started with; none of one that has ended."""
    with suppress(OSError):
        return (Path("/proc") / str(pid) / "cmdline").read_text()
    return ""


def problem(answer: httpx.Response, *statuses: int) -> str:
    """The detail of a problem document with one of these statuses."""
    assert answer.status_code in statuses, f"{answer.status_code} {answer.text[:2000]}"
    assert answer.headers["content-type"] == "application/problem+json"
    detail = str(answer.json()["detail"])
    assert "Traceback" not in detail
    assert len(detail) < 1000
    return detail


def check_files(data: Path) -> None:
    """Open everything in a data folder, which must be whole, and nothing else may be there."""
    until(lambda: not strange_files(data), lambda: strange_files(data))
    for path in files_of(data):
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".png":
            with Image.open(path) as image:
                image.load()
        elif path.suffix == ".safetensors":
            with safe_open(path, "pt") as file:
                for name in file.keys():  # noqa: SIM118
                    file.get_tensor(name)
    cards = {path.stem for path in (data / "models").glob("[a-z0-9]*.json")}
    weights = {path.stem for path in (data / "models").glob("*.safetensors")}
    assert cards == weights
    with reading(data) as database:
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def strange_files(data: Path) -> list[str]:
    """What lies in a data folder and shouldn't."""
    found = (str(path.relative_to(data)) for path in files_of(data))
    return [name for name in found if not EXPECTED.fullmatch(name)]


def files_of(data: Path) -> list[Path]:
    """Every file in a data folder."""
    return [path for path in data.rglob("*") if not path.is_dir()]


@contextmanager
def reading(data: Path) -> Iterator[sqlite3.Connection]:
    """The database of a data folder, read beside its server."""
    database = sqlite3.connect(f"file:{data / 'runs.sqlite'}?mode=ro", uri=True, timeout=30)
    try:
        yield database
    finally:
        database.close()


def events_of(data: Path, run: str) -> list[tuple[int, str, dict[str, Any]]]:
    """The number, kind and facts of each event of a run, as they are written down."""
    query = "SELECT number, kind, facts FROM events WHERE run = ? ORDER BY number"
    with reading(data) as database:
        return [(row[0], row[1], json.loads(row[2])) for row in database.execute(query, (run,))]
