"""Clients that ask as fast as they are answered, and what each answer took.

One process plays all of them, on plain asyncio protocols: requests are made beforehand and answers
are read no further than needed, so that the processor is the server's as far as possible.
"""

import asyncio
import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle

from app.core.errors import ConvScopeError

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_TIMING = re.compile(rb"\r\nserver-timing: *([^\r]*)", re.IGNORECASE)
_ENTRY = re.compile(r"([\w-]+)(?:;desc=[^,;]*)?;dur=([\d.]+)")
_LAST_CHUNK = b"\r\n0\r\n\r\n"

# From the body of an answer to the request that asks for the rest.
Follow = Callable[[bytes], bytes]


class RequestRefused(ConvScopeError):
    """A request of a benchmark got an answer that is no success, or none."""


@dataclass(frozen=True)
class Answer:
    """The time that an answer took for its client, what it said, and to which of the requests."""

    milliseconds: float
    head: bytes
    body: bytes = b""
    request: int = 0

    @cached_property
    def server_timing(self) -> dict[str, float]:
        """The milliseconds by name that the server told in its Server-Timing headers."""
        lines = b",".join(_TIMING.findall(self.head)).decode("latin-1")
        entries = _ENTRY.findall(lines)
        return {name: float(duration) for name, duration in entries}


@dataclass(frozen=True)
class Load:
    """All answers that so many clients got in so many seconds."""

    clients: int
    seconds: float
    answers: Sequence[Answer]
    client_seconds: float  # processor time of the process that played the clients

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.answers) / self.seconds

    def percentile(self, share: float) -> float:
        """The milliseconds within which this share of the answers was there."""
        return percentile([answer.milliseconds for answer in self.answers], share)


def joined(loads: Sequence[Load]) -> Load:
    """Loads by as many clients each, one after the other, as one."""
    return Load(
        loads[0].clients,
        sum(load.seconds for load in loads),
        [answer for load in loads for answer in load.answers],
        sum(load.client_seconds for load in loads),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that isn't exceeded by more than the rest of them."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


@dataclass(frozen=True)
class Limits:
    """When a load ends: so many seconds, or so many answers if they come first."""

    seconds: float
    answers: int = 20_000


def drive(
    address: tuple[str, int],
    requests: Sequence[bytes],
    clients: int,
    limits: Limits,
    follow: Follow | None = None,
) -> Load:
    """Let the clients send the requests in turn until a limit. Raises RequestRefused.

    Where an answer only says where the result will be, ``follow`` makes the request for it; both
    count as one.
    """
    return asyncio.run(_drive(address, requests, clients, limits, follow))


async def _drive(
    address: tuple[str, int],
    requests: Sequence[bytes],
    clients: int,
    limits: Limits,
    follow: Follow | None,
) -> Load:
    answers: list[Answer] = []
    started, worked = time.perf_counter(), time.process_time()
    deadline = started + limits.seconds

    def go_on() -> bool:
        return len(answers) < limits.answers and time.perf_counter() < deadline

    numbered = cycle(enumerate(requests))

    def play(ended: asyncio.Future[None]) -> _Client:
        return _Client(numbered, answers, go_on, ended, follow)

    await asyncio.gather(*(_connect(address, play) for _ in range(clients)))
    seconds, working = time.perf_counter() - started, time.process_time() - worked
    return Load(clients, seconds, answers, working)


async def _connect(
    address: tuple[str, int], play: "Callable[[asyncio.Future[None]], _Client]"
) -> None:
    """One client on a connection of its own, until it has ended."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    transport, _ = await loop.create_connection(lambda: play(ended), *address)
    try:
        await ended
    finally:
        transport.close()


class _Client(asyncio.Protocol):
    """One client on one connection that is kept: a request, its answer, the next request."""

    def __init__(
        self,
        requests: Iterator[tuple[int, bytes]],
        answers: list[Answer],
        go_on: Callable[[], bool],
        ended: asyncio.Future[None],
        follow: Follow | None,
    ) -> None:
        self._requests = requests
        self._answers = answers
        self._go_on = go_on
        self._ended = ended
        self._follow = follow
        self._following = False
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._received[:end])
        if length := _LENGTH.search(head):
            if len(self._received) >= end + 4 + int(length[1]):
                self._take(head, bytes(self._received[end + 4 :]))
        elif not _CHUNKED.search(head):
            self._end(RequestRefused("The server's answer doesn't say how long it is."))
        elif self._received.endswith(_LAST_CHUNK):
            self._take(head, _join_chunks(self._received[end + 4 :]))

    def connection_lost(self, error: Exception | None) -> None:
        self._end(RequestRefused(f"The server has closed a connection: {error or 'no reason'}."))

    def _send(self) -> None:
        self._number, request = next(self._requests)
        self._sent = time.perf_counter()
        self._write(request)

    def _write(self, request: bytes) -> None:
        self._received.clear()
        self._transport.write(request)

    def _take(self, head: bytes, body: bytes) -> None:
        taken = (time.perf_counter() - self._sent) * 1000
        if b" 200 " not in head[:20]:
            self._end(RequestRefused(f"The server answered: {self._received.decode()[:500]}"))
            return
        if self._follow:
            self._following = not self._following
            if self._following:
                self._write(self._follow(body))
                return
        self._answers.append(Answer(taken, head, body, self._number))
        if self._go_on():
            self._send()
        else:
            self._end(None)

    def _end(self, error: RequestRefused | None) -> None:
        if self._ended.done():
            return
        if error:
            self._ended.set_exception(error)
        else:
            self._ended.set_result(None)


def _join_chunks(received: bytes | bytearray) -> bytes:
    """The content of a body that came in chunks, each with its length before it (RFC 9112, 7.1)."""
    content, rest = b"", bytes(received)
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        content, rest = content + rest[:length], rest[length + 2 :]
        if length == 0:
            break
    return content
