"""The server and its trainings are killed fifty times, at moments that nobody can foresee.

``FAULTS_SEED=<number> make test-faults`` has the same moments again, as far as a machine can.
"""

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import httpx

from tests.faults.makings import Kept
from tests.faults.serving import ENDED, Served, check_files, events_of, processes_of, served, until

SERVER_KILLS = 10
KILLS = 50
# In seconds: how long it may work between kills.
LONGEST = 1.0
# More than it gets to.
EPOCHS = 1000
PLAN = {
    "recipe": {"network": "simple-cnn", "dataset": "optdigits", "epochs": 20},
    "search": "grid",
    "fields": {"seed": [1, 2, 3]},
}


class Watcher:
    """A client that watches a run; ``seen`` is what it was told, event by event."""

    def __init__(self, address: httpx.URL, run: str) -> None:
        self.run = run
        self.seen: list[tuple[int, str, dict[str, Any]]] = []
        self._address = address
        self._thread = Thread(target=self._watch, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait until its stream has broken off."""
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _watch(self) -> None:
        path = f"{self._address}/api/v1/runs/{self.run}/events"
        with suppress(httpx.TransportError), httpx.stream("GET", path, timeout=60) as answer:
            event: dict[str, str] = {}
            for line in answer.iter_lines():
                key, _, value = line.partition(": ")
                event[key] = value
                if not line and "data" in event:
                    facts = json.loads(event["data"])
                    self.seen.append((int(event["id"]), event["event"], facts))
                    event = {}


class Clients:
    """Several clients at once, each of which does one thing over and over until it is cut off."""

    def __init__(self, server: Served, kept: Kept, random: Random) -> None:
        self._stop = Event()
        self._problems: list[str] = []
        things = (kept.add_image, kept.add_dataset, kept.add_model)
        self._threads = [
            Thread(target=self._repeat, args=(str(server.api.base_url), thing, Random(seed)))
            for thing in things
            if (seed := random.getrandbits(60))
        ]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until all have ended; none may have been refused."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        assert self._problems == []

    def _repeat(
        self,
        address: str,
        thing: Callable[[httpx.Client, Random], httpx.Response],
        random: Random,
    ) -> None:
        with suppress(httpx.TransportError), httpx.Client(base_url=address, timeout=60) as api:
            while not self._stop.is_set():
                answer = thing(api, random)
                if not answer.is_success:
                    self._problems.append(answer.text)
                time.sleep(random.uniform(0, 0.2))


class Story:
    """What clients have seen of a server that is killed again and again."""

    def __init__(self, server: Served, random: Random) -> None:
        self.server, self.random, self.kept = server, random, Kept()
        self.kills = 0
        self.watchers: list[Watcher] = []
        self.long = server.launch(epochs=EPOCHS)
        self.sweep = server.answer("POST", "/api/v1/sweeps", json=PLAN)["id"]

    def kill_workers(self, count: int) -> None:
        """Kill all trainings there are, again and again; what was killed goes on when it is told
        to."""
        last = self.kills + count
        while self.kills < last:
            self.fill_the_queue()
            until(lambda: bool(self.server.workers()))
            time.sleep(self.random.uniform(0, LONGEST))
            victims = self.server.workers()[: last - self.kills]
            for victim in victims:
                os.kill(victim, signal.SIGKILL)
            until(lambda: not set(victims) & set(self.server.workers()))  # noqa: B023
            self.kills += len(victims)
            self.go_on()

    def kill_the_server(self) -> None:
        """Kill it amid all its work, start it again, and see what it knows."""
        self.fill_the_queue()
        self.watchers = [Watcher(self.server.api.base_url, run) for run in self.running()]
        clients = Clients(self.server, self.kept, self.random)
        if self.random.random() < 0.4:
            self.wait_for_an_epoch()
        time.sleep(self.random.uniform(0.2, LONGEST))
        epoch = self.server.run(self.long)["epoch"]
        self.server.kill()
        self.kills += 1
        for watcher in self.watchers:
            watcher.join()
        clients.join()
        until(lambda: not processes_of(self.server.data))
        resume = self.random.choice(("true", "false"))
        self.server.environment["CONVSCOPE_RESUME_RUNS"] = resume
        self.server.start()
        assert self.server.run(self.long)["epoch"] >= epoch
        self.check_what_was_seen()
        self.kept.check(self.server.api, self.random, samples=2)
        self.go_on()

    def go_on(self) -> None:
        """Let the long run go on, which must have ended by now if its process has."""
        until(lambda: len(self.running()) <= len(self.server.workers()), self.running)
        if self.server.run(self.long)["state"] in ("interrupted", "failed"):
            self.server.answer("POST", f"/api/v1/runs/{self.long}/resume")

    def fill_the_queue(self) -> None:
        """Have runs that begin when another has ended."""
        waiting = [run for run in self.runs() if run["state"] == "queued"]
        for _ in range(2 - len(waiting)):
            self.server.launch(epochs=20)

    def runs(self) -> list[dict[str, Any]]:
        """All runs as the API tells them."""
        runs: list[dict[str, Any]] = self.server.answer("GET", "/api/v1/runs")
        return runs

    def running(self) -> list[str]:
        """The runs that train, as the API tells it."""
        return [run["id"] for run in self.runs() if run["state"] == "running"]

    def wait_for_an_epoch(self) -> None:
        """Wait until the long run has done another one."""
        before = self.server.run(self.long)["epoch"]
        until(lambda: self.server.run(self.long)["epoch"] > before)

    def check_what_was_seen(self) -> None:
        """What watchers were told is written down, word for word."""
        for watcher in self.watchers:
            written = events_of(self.server.data, watcher.run)
            assert watcher.seen == written[: len(watcher.seen)]

    def check_histories(self) -> None:
        """Every run has each of its epochs once, in order, with its snapshot."""
        for run in self.runs():
            told = events_of(self.server.data, run["id"])
            epochs = [facts["epoch"] for _, kind, facts in told if kind == "epoch"]
            assert epochs == list(range(1, run["epoch"] + 1))
            assert [number for number, *_ in told] == list(range(1, len(told) + 1))
            kept = self.server.answer("GET", f"/api/v1/runs/{run['id']}/snapshots")
            assert {one["epoch"] for one in kept} >= set(epochs)

    def end(self) -> None:
        """End all runs, so that none is left in between."""
        for run in self.runs():
            if run["state"] in ("queued", "running", "interrupted"):
                self.server.api.post(f"/api/v1/runs/{run['id']}/cancel")
        until(lambda: all(run["state"] in ENDED for run in self.runs()), self.runs)
        until(lambda: not self.server.workers())
        swept = self.server.answer("GET", f"/api/v1/sweeps/{self.sweep}")
        assert len(swept["runs"]) == 3


def test_nothing_is_lost_to_fifty_kills(tmp_path: Path) -> None:
    seed = int(os.environ.get("FAULTS_SEED") or time.time_ns() % 1_000_000)
    print(f"FAULTS_SEED={seed}")
    with served(tmp_path, CONVSCOPE_RUNS_AT_ONCE="2") as server:
        story = Story(server, Random(seed))
        story.wait_for_an_epoch()
        for number in range(SERVER_KILLS):
            left = KILLS - story.kills - (SERVER_KILLS - number)
            story.kill_workers(left // (SERVER_KILLS - number))
            story.kill_the_server()
        assert story.kills == KILLS
        story.wait_for_an_epoch()
        story.end()
        story.check_histories()
        story.kept.check(server.api, story.random)
        server.stop()
        check_files(server.data)
        assert "Traceback" not in server.words()
        print(
            f"{len(story.kept.models)} models, {len(story.kept.images)} images, "
            f"{len(story.kept.datasets)} data sets, {server.data}"
        )
