"""Another process holds the database for a moment, and for longer than anybody waits: reading goes
on, what must be written waits or is refused for now, and no event of a run is lost."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from threading import Timer

from tests.faults.makings import Kept, predict
from tests.faults.serving import SMALL, Served, check_files, events_of, problem, served, until


@contextmanager
def locked(data: Path) -> Iterator[sqlite3.Connection]:
    """The database with a transaction of somebody else's under way."""
    database = sqlite3.connect(
        data / "runs.sqlite", isolation_level=None, check_same_thread=False, timeout=30
    )
    database.execute("BEGIN EXCLUSIVE")
    try:
        yield database
    finally:
        if database.in_transaction:
            database.execute("ROLLBACK")
        database.close()


def test_reading_goes_on_writing_waits_and_no_event_is_lost(tmp_path: Path) -> None:
    kept, random = Kept(), Random(8)
    with served(tmp_path) as server:
        run = server.launch(epochs=1000)
        server.wait_for_epoch(run, 1)
        with locked(server.data) as database:
            timer = Timer(1.5, database.execute, ("ROLLBACK",))
            timer.start()
            waited = server.launch(epochs=1)  # Answered when the other lets go.
            timer.join()
        server.wait_for_epoch(run, server.run(run)["epoch"] + 1)
        with locked(server.data):
            before = len(events_of(server.data, run))
            check_what_is_read(server, kept, random)
            check_what_is_written(server, run)
            assert len(events_of(server.data, run)) == before
            assert server.run(run)["state"] == "running"
        after = server.run(run)["epoch"]
        server.wait_for_epoch(run, after + 2)
        server.answer("POST", f"/api/v1/runs/{run}/cancel")
        told = events_of(server.data, run)
        assert [number for number, *_ in told] == list(range(1, len(told) + 1))
        epochs = [facts["epoch"] for _, kind, facts in told if kind == "epoch"]
        assert epochs == list(range(1, server.run(run)["epoch"] + 1))
        server.wait(waited, "finished")
        server.stop()
        check_files(server.data)
        assert "Traceback" not in server.words()


def check_what_is_read(server: Served, kept: Kept, random: Random) -> None:
    """Predictions, pages, and all that is kept in files of its own."""
    for add in (kept.add_image, kept.add_dataset, kept.add_model):
        assert add(server.api, random).is_success
    kept.check(server.api, random)
    for page in ("/", "/runs", "/sweeps", "/models"):
        assert server.api.get(page).status_code == 200
    assert predict(server.api, "digits")


def check_what_is_written(server: Served, run: str) -> None:
    """It is refused for now, and the answer says when to ask again."""
    for method, path, request in (
        ("POST", "/api/v1/runs", {"json": SMALL}),
        ("PATCH", f"/api/v1/runs/{run}", {"params": {"name": "another"}}),
    ):
        answer = server.api.request(method, path, **request)
        assert "Another process holds" in problem(answer, 503)
        assert int(answer.headers["Retry-After"]) > 0


def test_a_server_that_stops_meanwhile_leaves_an_interrupted_run(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        run = server.launch(epochs=1000)
        server.wait_for_epoch(run, 1)
        with locked(server.data):
            server.stop()
        until(lambda: not server.workers())
        server.start()
        found = server.run(run)
        assert found["state"] == "interrupted"
        assert found["epoch"] >= 1
        server.stop()
        assert "Traceback" not in server.words()
