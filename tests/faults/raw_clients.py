"""Clients on plain connections, many in one process, that read what the server really sends."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from app.core.images import picture_from_pixels
from app.core.model import Model
from app.core.preparing import prepare
from tests.web import samples

RETRY = "retry-after"


@dataclass(frozen=True)
class Answer:
    """What the server answered, to its very end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        return content


def compose(method: str, path: str, body: bytes = b"", kind: str = "", more: str = "") -> bytes:
    """The bytes of a request, with further header lines that each end in CRLF."""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    said = f"Content-Type: {kind}\r\n" if kind else ""
    return (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{length}{said}{more}\r\n".encode() + body
    )


class Connection:
    """One connection, for one request after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def ask(self, request: bytes) -> Answer:
        self.send(request)
        return await self.answer()

    async def head(self) -> tuple[int, dict[str, str]]:
        """The status and the header of an answer, its names in small letters."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(": ") for line in lines[1:] if line)
        return int(lines[0].split()[1]), {name.lower(): value for name, _, value in pairs}

    async def answer(self) -> Answer:
        """The next answer; raises IncompleteReadError or ConnectionError where it is cut off."""
        status, headers = await self.head()
        if "content-length" in headers:
            body = await self.reader.readexactly(int(headers["content-length"]))
        elif status == 204:
            body = b""
        else:
            body = b"".join([chunk async for chunk in self.chunks()])
        return Answer(status, headers, body)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body of an answer without a length, up to the chunk that says it was the last."""
        while size := int(await self.reader.readline(), 16):
            yield (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readexactly(2)

    def reset(self) -> None:
        """Vanish, as a machine that is switched off and on again."""
        self.writer.transport.abort()


@asynccontextmanager
async def connect(
    address: str, limit: int = 2**24, host: str = "127.0.0.1"
) -> AsyncIterator[Connection]:
    """A connection to a server's address, closed at the end. It buffers twice the ``limit`` at
    most, and comes from ``host``."""
    split = urlsplit(address)
    reader, writer = await asyncio.open_connection(
        split.hostname, split.port, limit=limit, local_addr=(host, 0)
    )
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()


async def watch(address: str, path: str, events: list[tuple[int, str]]) -> None:
    """Add the number and the kind of each event of a stream until it ends as it should."""
    async with connect(address) as connection:
        connection.send(compose("GET", path))
        status, headers = await connection.head()
        assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        text = b""
        async for chunk in connection.chunks():
            *whole, text = (text + chunk).split(b"\n\n")
            for event in whole:
                fields = dict(line.split(": ", 1) for line in event.decode().splitlines())
                if "id" in fields:
                    events.append((int(fields["id"]), fields["event"]))


@dataclass(frozen=True)
class Question:
    """A request to predict, and the right logits."""

    request: bytes
    logits: list[float]

    def check(self, answer: Answer) -> bool:
        """Whether it was answered rightly; else it must have been refused as promised."""
        if answer.status == 200:
            said = answer.json["logits"]
            assert all(
                abs(one - other) <= 1e-4 for one, other in zip(said, self.logits, strict=True)
            )
            return True
        check_refusal(answer)
        return False


def check_refusal(answer: Answer, *statuses: int) -> None:
    """A clear answer of one that can't take more: never a 500."""
    assert answer.status in (statuses or (429, 503)), answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers[RETRY]) > 0
    assert answer.json["status"] == answer.status
    assert answer.json["detail"]


def ask_of(model: Model, seed: int) -> Question:
    """Any picture, and what torch says of it in this process."""
    pixels = samples.exact_pixels(seed).tolist()
    card = model.card
    prepared = prepare(picture_from_pixels(pixels, 10**6), card.input_shape, card.preprocessing)
    (predicted,) = model.predict(prepared.tensor[None])
    body = json.dumps({"pixels": pixels}).encode()
    path = f"/api/v1/predict?model={card.name}"
    request = compose("POST", path, body, "application/json")
    return Question(request, predicted.logits.tolist())


async def launch(address: str, epochs: int) -> str:
    """Train a small network for so many epochs; returns the run's id."""
    wanted = {"network": "simple-cnn", "dataset": "optdigits", "epochs": epochs}
    body = json.dumps(wanted).encode()
    async with connect(address) as connection:
        answer = await connection.ask(compose("POST", "/api/v1/runs", body, "application/json"))
    assert answer.status == 202, answer
    return str(answer.json["id"])


async def get(address: str, path: str) -> Answer:
    """What is at a path."""
    return await ask(address, "GET", path)


async def ask(address: str, method: str, path: str) -> Answer:
    """A success without a body, on a connection of its own."""
    async with connect(address) as connection:
        answer = await connection.ask(compose(method, path))
    assert answer.status in (200, 202), answer
    return answer


async def wait_for_epoch(address: str, run: str, epoch: int) -> None:
    """Return when a run has finished so many epochs."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if (await get(address, f"/api/v1/runs/{run}")).json["epoch"] >= epoch:
            return
        await asyncio.sleep(0.1)
    raise TimeoutError(f"the run {run} didn't get to epoch {epoch}")
