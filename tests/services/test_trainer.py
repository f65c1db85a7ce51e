"""Runs in real processes, in a real database: queued, paused, cancelled, killed and resumed."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.dataset_files import DatasetFolders
from app.core.errors import QueueFull, RunConflict, StorageUnavailable
from app.core.recipes import Recipe
from app.services import trainer
from app.services.local_engine import LocalEngine
from app.services.run_store import LoggedEvent, RunStore
from app.services.trainer import QUEUE, Trainer

SHORT = Recipe(network="simple-cnn", dataset="optdigits", epochs=3, batch_size=32)
LONG = Recipe(network="simple-cnn", dataset="optdigits", epochs=2000, batch_size=32)


class Server:
    """What a server has to train with; ``heard`` is all that its viewers are told."""

    def __init__(self, folder: Path, resume: bool = False, at_once: int = 1) -> None:
        self.heard: list[LoggedEvent] = []
        self.store = RunStore(folder / "runs.sqlite")
        engine = LocalEngine(DatasetFolders(folder, folder), threads=1)
        self.trainer = Trainer(self.store, engine, at_once, self.heard.append)
        self.trainer.open(resume)

    def close(self) -> None:
        self.trainer.close()
        self.store.close()

    def told(self, run: str) -> list[LoggedEvent]:
        return [event for event in self.heard if event.run == run]

    def wait(self, run: str, *states: str) -> None:
        self.wait_until(lambda: self.store.get(run).state in states)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        for _ in range(1200):
            if condition():
                return
            time.sleep(0.05)
        raise TimeoutError([(run.state, run.error) for run in self.store.all()])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.close()
    assert children() == []


def children() -> list[int]:
    """The training processes of this one that are alive."""
    found = subprocess.run(
        ["pgrep", "-P", str(os.getpid()), "-f", "training_process"],
        capture_output=True,
        text=True,
    )
    return [int(line) for line in found.stdout.split()]


def weights(server: Server, run: str, epoch: int) -> bytes:
    return server.store.snapshot(run, epoch)


def test_a_queue_is_trained_in_order_and_every_event_is_told(server: Server) -> None:
    first, second = (server.trainer.launch(SHORT, name).id for name in ("a", "b"))
    assert server.store.get(second).state == "queued"
    # A state can be read a moment before its event is told.
    server.wait_until(lambda: [event.kind for event in server.told(second)][-1:] == ["finished"])
    ends = [server.store.get(run).ended_at or "" for run in (first, second)]
    assert ends[0] <= (server.store.get(second).started_at or "")
    for run in (first, second):
        assert server.told(run) == server.store.events(run)
        assert server.store.get(run).epoch == 3
    # The same recipe, the same weights.
    assert weights(server, first, 3) == weights(server, second, 3)


def test_a_paused_run_comes_to_the_same_weights(server: Server) -> None:
    recipe = Recipe(network="simple-cnn", dataset="optdigits", epochs=8, batch_size=32)
    plain = server.trainer.launch(recipe, "plain").id
    server.wait(plain, "finished")
    run = server.trainer.launch(recipe, "paused").id
    server.wait_until(lambda: server.store.get(run).epoch > 2)
    assert server.trainer.pause(run).state == "paused"
    before = len(server.store.events(run))
    time.sleep(1)
    assert len(server.store.events(run)) == before
    assert server.trainer.resume(run).state == "running"
    server.wait(run, "finished")
    assert weights(server, run, 8) == weights(server, plain, 8)


def test_a_cancelled_run_ends_and_keeps_its_last_snapshot(server: Server) -> None:
    run, waiting = (server.trainer.launch(LONG, name).id for name in ("run", "waiting"))
    server.wait_until(lambda: server.store.get(run).epoch > 0)
    server.trainer.cancel(waiting)
    assert server.trainer.cancel(run).state == "cancelled"
    assert weights(server, run, server.store.get(run).epoch)
    assert children() == []
    assert [event.kind for event in server.store.events(waiting)] == ["queued", "cancelled"]
    with pytest.raises(RunConflict, match="is cancelled"):
        server.trainer.pause(run)
    server.trainer.delete(run)


def test_a_killed_process_fails_its_run_and_the_next_one_begins(server: Server) -> None:
    run, next_one = (server.trainer.launch(LONG, name).id for name in ("killed", "next"))
    server.wait_until(lambda: server.store.get(run).epoch > 0)
    (process,) = children()
    os.kill(process, signal.SIGKILL)
    server.wait(run, "failed")
    assert "memory" in (server.store.get(run).error or "")
    server.wait(next_one, "running")
    with pytest.raises(RunConflict, match="is running"):
        server.trainer.delete(next_one)
    server.trainer.cancel(next_one)


def test_a_hundred_runs_may_wait(server: Server) -> None:
    ids = [server.trainer.launch(LONG, str(number)).id for number in range(QUEUE + 1)]
    with pytest.raises(QueueFull, match="100 runs wait already"):
        server.trainer.launch(LONG, "one too many")
    assert len(server.store.all()) == QUEUE + 1
    server.trainer.cancel(ids[-1])
    server.trainer.launch(LONG, "in its place")


def test_a_data_set_that_cannot_be_fetched_fails_with_the_three_ways_out(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody listens
    run = server.trainer.launch(replace(SHORT, dataset="fashion-mnist"), "offline").id
    server.wait(run, "failed")
    for way_out in ("Connect this machine", "CONVSCOPE_DATASETS_DIR", "optdigits"):
        assert way_out in (server.store.get(run).error or "")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process from outside")
def test_a_training_without_memory_fails_in_words_and_the_next_one_begins(server: Server) -> None:
    # Its tensors are too large to be cut from memory that the process has already.
    large = replace(LONG, network="lesson-06", batch_size=400)
    run, next_one = (server.trainer.launch(recipe, "") for recipe in (large, SHORT))
    server.wait_until(lambda: any(event.kind == "started" for event in server.heard))
    (process,) = children()
    resource.prlimit(process, resource.RLIMIT_AS, (2**20, 2**20))
    server.wait(run.id, "failed")
    error = server.store.get(run.id).error or ""
    assert error.startswith("Memory ran out while lesson-06 was trained with batches of 400.")
    assert "smaller batch_size" in error
    server.wait(next_one.id, "finished")


@pytest.mark.fault
def test_a_full_disk_fails_the_run_and_the_next_one_begins_when_there_is_room(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "RETRY_SECONDS", 0.1)
    run, next_one = (server.trainer.launch(recipe, "").id for recipe in (LONG, SHORT))
    server.wait_until(lambda: server.store.get(run).epoch > 0)
    pragma(server, "max_page_count = 1")  # No page beside those that there are.
    server.wait(run, "failed")
    assert "database or disk is full. Make room there" in (server.store.get(run).error or "")
    pragma(server, "max_page_count = 1000000")
    server.wait(next_one, "finished")
    assert weights(server, run, server.store.get(run).epoch)


@pytest.mark.fault
def test_an_end_that_cannot_be_written_is_told_and_written_when_it_can_be(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(trainer, "RETRY_SECONDS", 0.1)
    run = server.trainer.launch(LONG, "").id
    server.wait_until(lambda: server.store.get(run).epoch > 0)
    pragma(server, "query_only = ON")
    server.wait(run, "failed")
    assert [one.state for one in server.store.all()] == ["failed"]
    with pytest.raises(RunConflict, match="is failed"):
        server.trainer.pause(run)
    written = RunStore(tmp_path / "runs.sqlite")
    assert written.get(run).state == "running"
    with pytest.raises(StorageUnavailable):
        server.trainer.launch(SHORT, "")
    time.sleep(0.5)
    pragma(server, "query_only = OFF")
    server.wait_until(lambda: written.get(run).state == "failed")
    server.wait_until(lambda: server.heard[-1].kind == "failed")
    assert [event.kind for event in written.events(run)].count("failed") == 1
    assert server.store.events(run) == server.heard
    written.close()


def test_an_end_is_written_at_the_latest_when_the_server_stops(tmp_path: Path) -> None:
    server = Server(tmp_path)
    run = server.trainer.launch(LONG, "").id
    server.wait_until(lambda: server.store.get(run).epoch > 0)
    pragma(server, "query_only = ON")
    server.wait(run, "failed")
    pragma(server, "query_only = OFF")
    server.close()
    written = RunStore(tmp_path / "runs.sqlite")
    assert written.get(run).state == "failed"
    written.close()


def pragma(server: Server, words: str) -> None:
    """Let SQLite refuse what is written, or take it again."""
    database = server.store.database
    with database._lock:
        database._writer.execute(f"PRAGMA {words}")


def test_what_cannot_be_trained_fails_with_its_reason(server: Server) -> None:
    recipe = Recipe(
        network="simple-cnn",
        dataset="optdigits",
        optimizer="sgd",
        learning_rate=100,
        weight_decay=100,
    )
    run = server.trainer.launch(recipe, "wild").id
    server.wait(run, "failed", "finished")
    found = server.store.get(run)
    assert found.state == "failed", found.metrics
    assert "learning" in (found.error or "")


def test_an_interrupted_run_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    recipe = Recipe(network="simple-cnn", dataset="optdigits", epochs=10, batch_size=32)
    first = Server(tmp_path)
    plain = first.trainer.launch(recipe, "plain").id
    first.wait(plain, "finished")
    run = first.trainer.launch(recipe, "interrupted").id
    first.wait_until(lambda: first.store.get(run).epoch > 2)
    first.close()
    second = Server(tmp_path)
    found = second.store.get(run)
    assert found.state == "interrupted"
    assert 2 < found.epoch < 10
    second.trainer.resume(run)
    second.wait(run, "finished")
    assert weights(second, run, 10) == weights(second, plain, 10)
    kinds = [event.kind for event in second.store.events(run)]
    assert kinds.count("epoch") == 10
    second.close()


def test_where_the_setting_says_so_it_goes_on_by_itself(tmp_path: Path) -> None:
    first = Server(tmp_path)
    run = first.trainer.launch(LONG, "long").id
    first.wait_until(lambda: first.store.get(run).epoch > 0)
    first.close()
    second = Server(tmp_path, resume=True)
    epoch = second.store.get(run).epoch
    second.wait_until(lambda: second.store.get(run).epoch > epoch)
    second.close()
