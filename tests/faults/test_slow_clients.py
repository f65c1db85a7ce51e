"""Clients that send or read a byte a second hold up nobody, and aren't waited for for ever."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import torch

from app.core.model import Model
from app.services.model_library import ModelLibrary
from tests.faults.faultless import faultless
from tests.faults.raw_clients import (
    Connection,
    ask_of,
    check_refusal,
    compose,
    connect,
    get,
    launch,
    watch,
)
from tests.web import samples

MEGABYTE = 1024 * 1024
PATIENCE = 3
SLOW, READERS = 20, 12
PNG = "image/png"
SEVEN = samples.encode(samples.draw_seven())
LARGE = "/api/v1/models/resnet18/layers/layer4.0.conv2/filters.npy"
HELD = 64 * MEGABYTE


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    limits = {"CONVSCOPE_PATIENCE": str(PATIENCE), "CONVSCOPE_MAX_HELD_BYTES": str(HELD)}
    with faultless(tmp_path_factory.mktemp("slow"), **limits) as served:
        yield served


@pytest.fixture(scope="module")
def model() -> Model:
    return ModelLibrary(torch.device("cpu")).get()


async def trickle(connection: Connection, data: bytes) -> None:
    """Send a byte a second, until the server has had enough."""
    for at in range(len(data)):
        if connection.writer.is_closing() or connection.reader.at_eof():
            return
        connection.send(data[at : at + 1])
        await asyncio.sleep(1)


@pytest.mark.parametrize("rest", [100, len(compose("POST", "/api/v1/predict", SEVEN, PNG)) - 40])
async def test_those_who_send_slowly_are_refused(
    server: tuple[str, int], model: Model, rest: int
) -> None:
    """The body from its hundredth last byte on, or the header from its fortieth."""
    address, _ = server
    request = compose("POST", "/api/v1/predict", SEVEN, PNG)
    question = ask_of(model, 0)
    async with AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(connect(address)) for _ in range(SLOW)]
        for connection in slow:
            connection.send(request[:-rest])
        trickling = [asyncio.create_task(trickle(one, request[-rest:])) for one in slow]
        answers = asyncio.gather(*(one.answer() for one in slow))
        # Meanwhile everybody else is answered.
        asked = 0
        async with connect(address) as other:
            while not (answers.done() and asked):
                assert question.check(await other.ask(question.request))
                asked += 1
                await asyncio.sleep(0.05)
        for answer in await answers:
            assert answer.status == 408
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["connection"] == "close"
            assert f"{PATIENCE} seconds" in answer.json["detail"]
        for connection in slow:
            assert await connection.reader.read() == b""
        for task in trickling:
            task.cancel()


async def test_a_slow_upload_that_keeps_coming_is_taken(server: tuple[str, int]) -> None:
    """It lasts twice as long as the server waits for nothing."""
    address, _ = server
    body = SEVEN + bytes(20_000 * 2 * PATIENCE)
    request = compose("POST", "/api/v1/predict", body, PNG)
    async with connect(address) as connection:
        for at in range(0, len(request), 10_000):
            connection.send(request[at : at + 10_000])
            await asyncio.sleep(0.5)
        assert (await connection.answer()).json["label"] == "7"


async def test_a_silent_connection_and_an_endless_header_end(server: tuple[str, int]) -> None:
    address, _ = server
    async with connect(address) as silent, connect(address) as endless:
        endless.send(b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000)
        answer = await endless.answer()
        assert answer.status == 431
        assert "64 kB" in answer.json["detail"]
        assert await silent.reader.read() == b""


@pytest.mark.parametrize("more", ["", "Connection: close\r\n"])
async def test_the_rest_of_a_refused_body_is_not_waited_for(
    server: tuple[str, int], more: str
) -> None:
    """One client goes on sending a byte a second, the other not at all; both have the answer."""
    request = compose("POST", "/api/v1/predict?model=nope", SEVEN, PNG, more)
    async with connect(server[0]) as slow, connect(server[0]) as still:
        for connection in (slow, still):
            connection.send(request[: -len(SEVEN)])
            assert (await connection.answer()).status == 404
        assert await still.reader.read() == b""
        for _ in range(len(SEVEN) // 2):
            if slow.writer.is_closing():
                return
            slow.send(b"x")
            await asyncio.sleep(1)
    raise TimeoutError("a connection is kept though hardly anything comes")


async def test_the_header_after_a_refused_body_is_not_waited_for(server: tuple[str, int]) -> None:
    address, _ = server
    request = compose("POST", "/api/v1/predict?model=nope", bytes(MEGABYTE), PNG)
    async with connect(address) as slow, connect(address) as silent:
        for connection in (slow, silent):
            assert (await connection.ask(request)).status == 404
        await asyncio.sleep(0.5)
        slow.send(b"GET / HTTP/1.1\r\nX")
        assert (await slow.answer()).status == 408
        assert await slow.reader.read() == b""
        assert await silent.reader.read() == b""


@asynccontextmanager
async def reader_of(address: str, request: bytes) -> AsyncIterator[socket.socket]:
    """A client that has sent a request and reads nothing by itself."""
    split = urlsplit(address)
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect((split.hostname, split.port))
        one.sendall(request)
        yield one


async def test_those_who_read_slowly_are_let_go(server: tuple[str, int], model: Model) -> None:
    """Of large answers no more are held than may be; the next one is told so."""
    address, process = server
    request, question = compose("GET", LARGE), ask_of(model, 1)
    size = len((await get(address, LARGE)).body)
    assert READERS * size > HELD
    before = resident(process)
    async with AsyncExitStack() as stack:
        readers = [
            await stack.enter_async_context(reader_of(address, request)) for _ in range(READERS)
        ]
        async with connect(address) as other:
            while (answer := await other.ask(request)).status == 200:
                await asyncio.sleep(0.1)
            check_refusal(answer, 503)
            # What is small goes on, and what is held is bounded, with room for a copy or two.
            assert question.check(await other.ask(question.request))
            assert resident(process) - before < HELD + 4 * size
            while (answer := await other.ask(request)).status != 200:
                await asyncio.sleep(0.5)
            assert len(answer.body) == size
        taken = [await asyncio.to_thread(read_all, reader) for reader in readers]
    cut = [answer for answer in taken if answer.startswith(b"HTTP/1.1 200")]
    assert HELD // size <= len(cut) < READERS
    assert all(len(answer) < size for answer in cut)


async def test_a_viewer_that_does_not_read_holds_up_no_other(server: tuple[str, int]) -> None:
    address, _ = server
    run = await launch(address, 3)
    path = f"/api/v1/runs/{run}/events"
    events: list[tuple[int, str]] = []
    async with AsyncExitStack() as stack:
        for _ in range(SLOW):
            await stack.enter_async_context(reader_of(address, compose("GET", path)))
        await watch(address, path, events)
    assert [number for number, _ in events] == list(range(1, len(events) + 1))
    assert events[-1][1] == "finished"


def resident(process: int) -> int:
    """The bytes of memory that a process has."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def read_all(reader: socket.socket) -> bytes:
    """What has come until the connection ended, one way or the other."""
    taken = bytearray()
    reader.settimeout(30)
    with suppress(ConnectionResetError):
        while piece := reader.recv(65536):
            taken += piece
            if taken.startswith(b"HTTP/1.1 503") and b"\r\n\r\n{" in taken:
                break
    return bytes(taken)
