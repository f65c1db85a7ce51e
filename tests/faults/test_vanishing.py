"""Clients that vanish: what they asked for is dropped, and nothing of them stays."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
import torch

from app.core.model import Model
from app.services.model_library import ModelLibrary
from tests.faults.faultless import faultless
from tests.faults.raw_clients import (
    Connection,
    ask,
    ask_of,
    compose,
    connect,
    launch,
    wait_for_epoch,
)
from tests.web import samples

CLIENTS = 40
PNG = "image/png"
SEVEN = samples.encode(samples.draw_seven())
PREDICT = compose("POST", "/api/v1/predict", SEVEN, PNG)
# A tenth of a second of work, of which two are done at once.
LONG = compose("POST", "/api/v1/trace?model=resnet18&layers=fc", SEVEN, PNG)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    with faultless(tmp_path_factory.mktemp("vanishing"), "WARNING") as served:
        yield served


@pytest.fixture(scope="module")
def model() -> Model:
    return ModelLibrary(torch.device("cpu")).get()


def sockets(process: int) -> int:
    """How many sockets a process has open."""
    folder = Path(f"/proc/{process}/fd")
    count = 0
    for one in folder.iterdir():
        with suppress(FileNotFoundError):  # Closed meanwhile.
            count += str(one.readlink()).startswith("socket")
    return count


def processor_seconds(process: int) -> float:
    """What a process has had of the processors."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@asynccontextmanager
async def crowd(address: str, request: bytes) -> AsyncIterator[list[Connection]]:
    """Many clients that have sent the same."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connect(address)) for _ in range(CLIENTS)]
        for client in clients:
            client.send(request)
            await client.writer.drain()
        yield clients


@pytest.mark.parametrize("sent", [20, len(PREDICT) - 20, len(PREDICT)])
async def test_in_a_header_a_body_or_before_the_answer(
    server: tuple[str, int], model: Model, sent: int
) -> None:
    address, process = server
    question = ask_of(model, 0)
    async with connect(address) as other:
        assert question.check(await other.ask(question.request))
        before = sockets(process)
        async with crowd(address, PREDICT[:sent]) as clients:
            assert question.check(await other.ask(question.request))
            for client in clients:
                client.reset()
        assert question.check(await other.ask(question.request))
        await forgotten(process, before, other)


async def test_in_a_large_answer(server: tuple[str, int]) -> None:
    address, process = server
    request = compose("GET", "/api/v1/models/resnet18/layers/layer4.0.conv2/filters.npy")
    async with connect(address) as other:
        await other.ask(compose("GET", "/healthz"))
        before = sockets(process)
        async with crowd(address, request) as clients:
            for client in clients:
                await client.head()
                client.reset()
        await forgotten(process, before, other)


async def test_in_a_stream(server: tuple[str, int]) -> None:
    address, process = server
    run = await launch(address, 500)
    await wait_for_epoch(address, run, 1)
    async with connect(address) as other:
        await other.ask(compose("GET", "/healthz"))
        before = sockets(process)
        # Some go while the history is read, some while they are told it, some later.
        for wait in range(8):
            async with crowd(address, compose("GET", f"/api/v1/runs/{run}/events")) as clients:
                for client in clients[wait::2]:
                    await client.reader.readuntil(b"event: epoch")
                    client.reset()
        await forgotten(process, before, other)
    await ask(address, "POST", f"/api/v1/runs/{run}/cancel")


async def forgotten(process: int, before: int, other: Connection) -> None:
    """Return when a process has closed what it opened for those who are gone."""
    for _ in range(40):
        assert (await other.ask(compose("GET", "/healthz"))).status == 200
        if sockets(process) <= before:
            return
        await asyncio.sleep(0.25)
    raise AssertionError(f"{sockets(process)} sockets are open, and {before} were before")


async def test_work_that_has_not_begun_is_dropped(server: tuple[str, int], model: Model) -> None:
    address, process = server
    question = ask_of(model, 1)
    async with connect(address) as first:
        assert (await first.ask(LONG)).status == 200
    started = processor_seconds(process)
    async with crowd(address, LONG) as clients:
        answers = [asyncio.create_task(client.answer()) for client in clients]
        await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
        for client in clients:
            client.reset()
        await asyncio.gather(*answers, return_exceptions=True)
    async with connect(address) as other:
        assert question.check(await other.ask(question.request))
    dropped = processor_seconds(process) - started
    started = processor_seconds(process)
    async with crowd(address, LONG) as clients:
        for client in clients:
            assert (await client.answer()).status == 200
    assert dropped < 0.7 * (processor_seconds(process) - started)
