"""Connections that are given up where the other end neither sends nor takes anything."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from app.web.admission import GONE
from app.web.errors import Problem
from app.web.limits import SLOWEST

# A header of more bytes than this is refused.
MOST_HEADER = 64 * 1024
# Of a body that is answered before it has come so many bytes are read and dropped, which is more
# than the largest one that is taken unless a setting says otherwise.
MOST_LEFT = 64 * 1024 * 1024


class _Staying(asyncio.Transport):
    """A connection as its answers know it: the last of them doesn't close it, but has it left."""

    def __init__(self, transport: asyncio.Transport, leave: Callable[[], None]) -> None:
        self.write = transport.write  # type: ignore[method-assign]
        self.is_closing = transport.is_closing  # type: ignore[method-assign]
        self.close = leave  # type: ignore[method-assign]


class Connection(HttpToolsProtocol):
    """A connection of uvicorn's with a time limit for a request's header, and for a reader that
    takes an answer more slowly than ``SLOWEST``; requests hear when their client goes away.

    A request may be answered before its body has come. The rest of it is read and dropped, since a
    client that is still sending would see a broken connection instead of the answer.
    """

    patience = 20.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come."""
        super().connection_made(transport)
        self._answering: RequestResponseCycle | None = None
        self._staying = _Staying(transport, self.leave)
        self._header = 0
        self._unread = 0
        self._in_body = self._leaving = False
        self._left = self._left_before = 0
        self._leftover: asyncio.TimerHandle | None = None
        self._reading: asyncio.TimerHandle | None = None
        self._arriving: asyncio.TimerHandle | None = self._later(self._no_header)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone, or was given up."""
        super().connection_lost(exc)
        self._stop_arriving()
        self._stop_reading()
        self._stop_leftover()
        # Nothing refers to itself in a circle, so that it is gone at once.
        self._staying.close = self.transport.close  # type: ignore[method-assign]
        # Of several requests at once uvicorn tells only the newest, which hasn't begun.
        if (cycle := self._answering) and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
            for tell in cast(dict[str, Any], cycle.scope)[GONE]:
                tell()
        self._answering = None

    def data_received(self, data: bytes) -> None:
        """Some bytes of a header or a body."""
        if self._leftover:
            self._drop(len(data))
        elif self._arriving is None and (self.cycle is None or self.cycle.response_complete):
            self._arriving = self._later(self._no_header)
        if self._leaving:
            return
        if self._arriving:
            self._header += len(data)
        super().data_received(data)
        if self._arriving and self._header > MOST_HEADER:
            said = f"The request's header is larger than {MOST_HEADER // 1024} kB."
            self._refuse(431, said)

    def on_message_begin(self) -> None:
        """A header begins."""
        super().on_message_begin()
        cast(dict[str, Any], self.scope)[GONE] = []

    def on_headers_complete(self) -> None:
        """A header is there."""
        self._stop_arriving()
        self._in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request is there, body and all."""
        self._in_body = False
        if self._leftover:
            self._stop_leftover()
            self._arriving = self._later(self._no_header)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is written, though it may not have left yet."""
        super().on_response_complete()
        self._watch_reader()
        # The newest request's body may be one that another, earlier request is answered before.
        if self._in_body and self.cycle.response_complete:
            self._unset_keepalive_if_required()
            self._left = 0
            self._watch_leftover()

    def leave(self) -> None:
        """Close, but not before what was sent with an answered request has been dropped: else the
        machine tells the client that the connection broke, and the answer may be lost."""
        if self._in_body and self.cycle.response_complete and not self.transport.is_closing():
            self._leaving = True
            self.transport.write_eof()
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        """The client takes less than it is sent."""
        super().pause_writing()
        self._watch_reader()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        cycle.transport = self._staying
        super()._start_asgi_task(cycle, app)

    def _later(self, call: Callable[[], None]) -> asyncio.TimerHandle:
        return self.loop.call_later(self.patience, call)

    def _stop_arriving(self) -> None:
        if self._arriving:
            self._arriving.cancel()
        self._arriving, self._header = None, 0

    def _stop_reading(self) -> None:
        if self._reading:
            self._reading.cancel()
        self._reading = None

    def _stop_leftover(self) -> None:
        if self._leftover:
            self._leftover.cancel()
        self._leftover = None

    def _no_header(self) -> None:
        self._arriving = None
        if self._header:
            self._refuse(408, f"The request's header didn't come within {self.patience:g} seconds.")
        self.transport.close()

    def _refuse(self, status: int, detail: str) -> None:
        """What can't be refused by the application, as no request has come to it."""
        self._stop_arriving()
        problem = Problem(status, detail, headers={"Connection": "close"})
        lines = [name + b": " + value + b"\r\n" for name, value in problem.raw_headers]
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", problem.body]))
        self.transport.close()

    def _watch_reader(self) -> None:
        """See in a while whether what waits to leave has become less."""
        self._stop_reading()
        self._unread = self.transport.get_write_buffer_size()
        if self._unread:
            self._reading = self._later(self._check_reader)

    def _check_reader(self) -> None:
        left = self.transport.get_write_buffer_size()
        if left and self._unread - left < SLOWEST * self.patience:
            self.transport.abort()
        else:
            self._watch_reader()

    def _drop(self, size: int) -> None:
        self._left += size
        if self._left > MOST_LEFT:
            self.transport.close()

    def _watch_leftover(self) -> None:
        """See in a while whether the rest of an answered request's body still comes."""
        self._left_before = self._left
        self._leftover = self._later(self._check_leftover)

    def _check_leftover(self) -> None:
        if self._left - self._left_before < SLOWEST * self.patience:
            self.transport.close()
        else:
            self._watch_leftover()


def patient(seconds: float) -> type[Connection]:
    """The kind of connection that waits for so long."""
    return type("PatientConnection", (Connection,), {"patience": seconds})
