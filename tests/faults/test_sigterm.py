"""The server is told to end while everybody wants something of it."""

import asyncio
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import torch

from app.core.model import Model
from app.services.model_library import ModelLibrary
from tests.conftest import start_server, stop, wait_until_up
from tests.faults.raw_clients import (
    Answer,
    Connection,
    Question,
    ask,
    ask_of,
    compose,
    connect,
    get,
    launch,
    wait_for_epoch,
    watch,
)
from tests.web import samples

CLIENTS, FEW, WATCHERS = 100, 8, 5
EXIT_SECONDS = 10
LONG = 200
CALM = (0, -signal.SIGTERM)


class Server:
    """A server with a log, which may be started again on the same data."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.log = folder / "log.txt"
        self.environment = environment
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process, self.address = start_server(
                self.folder / "data", output.fileno(), **self.environment
            )
        wait_until_up(self.address, self.process)

    def ends_in_time(self, since: float) -> None:
        """Wait for the exit, which is promised within ten seconds of a signal."""
        try:
            status = self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            pytest.fail("the server didn't end")
        assert time.monotonic() - since < EXIT_SECONDS
        assert status in CALM, status
        words = self.log.read_text()
        assert "Traceback" not in words, words
        assert "ERROR" not in words, words


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.process.kill()
    server.process.wait()


@pytest.fixture(scope="module")
def model() -> Model:
    return ModelLibrary(torch.device("cpu")).get()


async def test_what_was_accepted_is_answered_and_the_run_goes_on_later(
    server: Server, model: Model
) -> None:
    questions = [ask_of(model, seed) for seed in range(CLIENTS)]
    run = await launch(server.address, LONG)
    told: list[list[tuple[int, str]]] = [[] for _ in range(WATCHERS)]
    watching = [
        asyncio.create_task(watch(server.address, f"/api/v1/runs/{run}/events", events))
        for events in told
    ]
    await wait_for_epoch(server.address, run, 2)
    async with AsyncExitStack() as stack:
        connections = await opened(stack, server, questions)
        since = signalled(server, signal.SIGTERM)
        answers = await asyncio.gather(*(one.answer() for one in connections))
    assert check_all(questions, answers) > 0
    await asyncio.gather(*watching)
    server.ends_in_time(since)
    server.start()
    await check_run(server, run, told)


async def test_what_takes_less_than_four_seconds_is_answered_with_its_result(
    server: Server, model: Model
) -> None:
    questions = [ask_of(model, seed) for seed in range(FEW)]
    async with AsyncExitStack() as stack:
        connections = await opened(stack, server, questions)
        since = signalled(server, signal.SIGTERM)
        answers = await asyncio.gather(*(one.answer() for one in connections))
    assert check_all(questions, answers) == FEW
    server.ends_in_time(since)


def check_all(questions: list[Question], answers: list[Answer]) -> int:
    """How many have their result; all others must have been told that the server is stopping. There
    are fewer than it takes at once, so that nothing else excuses it."""
    right = 0
    for question, answer in zip(questions, answers, strict=True):
        if question.check(answer):
            right += 1
        else:
            check_late(answer)
    return right


async def opened(
    stack: AsyncExitStack, server: Server, questions: list[Question]
) -> list[Connection]:
    """A connection for each question, which it has been sent: every other connection has been in
    use before, the others the server has not accepted yet."""
    used = [await stack.enter_async_context(connect(server.address)) for _ in questions[::2]]
    for connection in used:
        await connection.ask(compose("GET", "/healthz"))
    # A stopped server accepts nobody; its kernel does, and keeps what is sent.
    server.process.send_signal(signal.SIGSTOP)
    new = [await stack.enter_async_context(connect(server.address)) for _ in questions[1::2]]
    connections = [one for pair in zip(used, new, strict=True) for one in pair]
    for connection, question in zip(connections, questions, strict=True):
        connection.send(question.request)
        await connection.writer.drain()
    await asyncio.sleep(0.1)
    return connections


def signalled(server: Server, *signals: signal.Signals) -> float:
    """Send a stopped server signals and let it go on; returns when."""
    for one in signals:
        server.process.send_signal(one)
    server.process.send_signal(signal.SIGCONT)
    return time.monotonic()


async def check_run(server: Server, run: str, told: list[list[tuple[int, str]]]) -> None:
    """It is interrupted with all that its viewers were told, and goes on behind its last epoch."""
    left = (await get(server.address, f"/api/v1/runs/{run}")).json
    assert left["state"] == "interrupted"
    assert left["epoch"] >= 2
    snapshots = json.loads((await get(server.address, f"/api/v1/runs/{run}/snapshots")).body)
    assert snapshots[-1]["epoch"] == left["epoch"]
    for events in told:
        assert [number for number, _ in events] == list(range(1, len(events) + 1))
        assert events[-1][1] == "interrupted"
        assert sum(kind == "epoch" for _, kind in events) == left["epoch"]
    await ask(server.address, "POST", f"/api/v1/runs/{run}/resume")
    await wait_for_epoch(server.address, run, left["epoch"] + 1)
    await ask(server.address, "POST", f"/api/v1/runs/{run}/cancel")
    csv = (await get(server.address, f"/api/v1/runs/{run}/metrics.csv")).body
    epochs = [int(line.split(b",")[0]) for line in csv.splitlines()[1:]]
    assert epochs == list(range(1, len(epochs) + 1))
    assert len(epochs) > left["epoch"]
    assert stop(server.process) in CALM


@pytest.mark.parametrize("again", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_makes_it_hurry_and_loses_nothing(
    server: Server, again: signal.Signals
) -> None:
    run = await launch(server.address, LONG)
    await wait_for_epoch(server.address, run, 1)
    events: list[tuple[int, str]] = []
    async with connect(server.address) as stuck:
        stuck.send(compose("POST", "/api/v1/predict", b"?", "image/png")[:-1])
        await get(server.address, "/healthz")
        since = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        await said(server, "Shutting down")
        server.process.send_signal(again)
        server.ends_in_time(since)
    server.start()
    await watch(server.address, f"/api/v1/runs/{run}/events", events)
    assert events[-1][1] == "interrupted"
    # The old server itself wrote it down: the new one had nothing to take up.
    assert sum(kind == "interrupted" for _, kind in events) == 1
    assert "Application shutdown complete" in server.log.read_text()


async def test_ctrl_c_ends_it_as_well(server: Server) -> None:
    async with connect(server.address) as connection:
        assert (await connection.ask(compose("GET", "/"))).status == 200
        since = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        server.ends_in_time(since)


async def test_those_that_never_send_or_read_are_left_behind(server: Server) -> None:
    """And who is still sending is told that it came too late."""
    async with AsyncExitStack() as stack:
        silent, half = [await stack.enter_async_context(connect(server.address)) for _ in range(2)]
        half.send(compose("POST", "/api/v1/predict", bytes(100), "image/png")[:-50])
        deaf = await stack.enter_async_context(connect(server.address, limit=1))
        body = samples.encode(samples.draw_seven())
        deaf.send(compose("POST", "/api/v1/trace?model=lesson-06", body, "image/png") * 9)
        await get(server.address, "/healthz")
        since = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        late = await half.answer()
        server.ends_in_time(since)
        assert await silent.reader.read() == b""
    check_late(late)


def check_late(answer: Answer) -> None:
    assert answer.status == 503
    assert "stopping" in answer.json["detail"]
    assert int(answer.headers["retry-after"]) > 0


async def said(server: Server, words: str) -> None:
    deadline = time.monotonic() + 10
    while words not in server.log.read_text():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
