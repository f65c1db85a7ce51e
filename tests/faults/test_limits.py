"""Over a limit there is a clear answer, and everybody else goes on."""

import asyncio
import json
import resource
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager

import pytest
import torch

from app.core.model import Model
from app.services.model_library import ModelLibrary
from app.web.assets import ROOT
from tests.faults.faultless import faultless
from tests.faults.raw_clients import (
    Answer,
    Connection,
    ask,
    ask_of,
    check_refusal,
    compose,
    connect,
    launch,
)

MEGABYTE = 1024 * 1024
REQUESTS, STREAMS, STREAMS_OF_ONE = 8, 6, 4
# So many files a process may have open unless it asks for more.
FILES = 200
PNG = "image/png"
LIMITS = {
    "CONVSCOPE_MAX_REQUESTS": str(REQUESTS),
    "CONVSCOPE_MAX_STREAMS": str(STREAMS),
    "CONVSCOPE_MAX_STREAMS_PER_CLIENT": str(STREAMS_OF_ONE),
    "CONVSCOPE_MAX_HELD_BYTES": str(4 * MEGABYTE),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of low limits, which must log no fault."""
    with ExitStack() as stack:
        with few_files():
            address, _ = stack.enter_context(faultless(tmp_path_factory.mktemp("limits"), **LIMITS))
        yield address


@contextmanager
def few_files() -> Iterator[None]:
    """What is started meanwhile may have ``FILES`` files open, unless it asks for more."""
    usual, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (usual, most))


@pytest.fixture(scope="module")
def model() -> Model:
    return ModelLibrary(torch.device("cpu")).get()


def half_of(size: int) -> bytes:
    """The first half of a request to predict; it has a place among the requests."""
    return compose("POST", "/api/v1/predict", bytes(size), PNG)[: -size // 2]


async def test_too_many_requests(server: str, model: Model) -> None:
    question = ask_of(model, 0)
    async with AsyncExitStack() as stack:
        begun = [await stack.enter_async_context(connect(server)) for _ in range(REQUESTS)]
        for connection in begun:
            connection.send(half_of(100))
        other = await stack.enter_async_context(connect(server))
        await get_busy(other)
        answer = await other.ask(question.request)
        check_refusal(answer, 503)
        assert f"{REQUESTS} other requests" in answer.json["detail"]
        # A page says it as a page; what costs nothing is there for everybody.
        page = await other.ask(compose("GET", "/", more="Accept: text/html\r\n"))
        assert (page.status, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
        assert int(page.headers["retry-after"]) > 0
        for path in ("/healthz", f"{ROOT}/app.css"):
            assert (await other.ask(compose("GET", path))).status == 200
        begun[0].reset()
        question.check(await patiently(other, question.request))
        for connection in begun[1:]:
            connection.send(bytes(50))
            assert (await connection.answer()).status == 422
    await asyncio.gather(*(one_client(server, model, seed) for seed in range(5 * REQUESTS)))


async def one_client(server: str, model: Model, seed: int) -> None:
    """Asks again until it is answered, as it is told to."""
    question = ask_of(model, seed)
    async with connect(server) as connection:
        assert question.check(await patiently(connection, question.request))


async def patiently(connection: Connection, request: bytes) -> Answer:
    """The answer, once it is no refusal."""
    while (answer := await connection.ask(request)).status in (429, 503):
        check_refusal(answer)
        await asyncio.sleep(int(answer.headers["retry-after"]) / 10)
    return answer


async def get_busy(connection: Connection) -> None:
    """Return when a server has heard of all who sent it something."""
    while (await connection.ask(compose("GET", "/api/v1/models"))).status == 200:
        await asyncio.sleep(0.05)


async def test_more_connections_than_files(server: str) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(2 * FILES):
            connection = await stack.enter_async_context(connect(server))
            answer = await connection.ask(compose("GET", "/healthz"))
            assert answer.status == 200


async def test_too_many_streams(server: str, model: Model) -> None:
    run = await launch(server, 500)
    request = compose("GET", f"/api/v1/runs/{run}/events")
    async with AsyncExitStack() as stack:

        async def open_from(host: str) -> tuple[Connection, int]:
            connection = await stack.enter_async_context(connect(server, host=host))
            connection.send(request)
            return connection, (await connection.head())[0]

        opened = [await open_from("127.0.0.1") for _ in range(STREAMS_OF_ONE)]
        opened += [await open_from("127.0.0.2") for _ in range(STREAMS - STREAMS_OF_ONE)]
        assert {status for _, status in opened} == {200}
        for host, status in (("127.0.0.1", 429), ("127.0.0.2", 503)):
            connection = await stack.enter_async_context(connect(server, host=host))
            check_refusal(await connection.ask(request), status)
        # They aren't requests that others would have to wait for.
        question = ask_of(model, 1)
        assert question.check(await connection.ask(question.request))
        opened[0][0].reset()
        while (await open_from("127.0.0.1"))[1] != 200:
            await asyncio.sleep(0.05)
    await ask(server, "POST", f"/api/v1/runs/{run}/cancel")


async def test_too_many_bytes(server: str) -> None:
    whole = compose("POST", "/api/v1/predict", bytes(3 * MEGABYTE), PNG)
    async with connect(server) as first, connect(server) as second:
        first.send(whole[:-MEGABYTE])
        await first.writer.drain()
        # It sends all before it reads, and the connection is good for more.
        while (answer := await second.ask(whole)).status == 422:
            await asyncio.sleep(0.05)
        check_refusal(answer, 503)
        first.reset()
        assert (await patiently(second, whole)).status == 422
        # A request that is alone may be as large as any.
        large = compose("POST", "/api/v1/predict", bytes(40 * MEGABYTE), PNG)
        assert (await patiently(second, large)).status == 422
        json_ = compose("POST", "/api/v1/predict", b" " * 5 * MEGABYTE, "application/json")
        assert (await patiently(second, json_)).status == 422


async def test_too_many_runs(server: str) -> None:
    answers = [await ask_for_run(server) for _ in range(103)]
    assert {answer.status for answer in answers} == {202, 429}
    check_refusal(answers[-1], 429)
    for answer in answers:
        if answer.status == 202:
            await ask(server, "POST", f"{answer.headers['location']}/cancel")


async def ask_for_run(server: str) -> Answer:
    recipe = {"network": "simple-cnn", "dataset": "optdigits", "epochs": 500}
    body = json.dumps(recipe).encode()
    async with connect(server) as connection:
        return await connection.ask(compose("POST", "/api/v1/runs", body, "application/json"))
