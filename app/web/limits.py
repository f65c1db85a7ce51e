"""Limits on a request's body: its size, how long it takes to arrive, and what all may hold."""

import asyncio
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.budget import Budget, no_room
from app.web.errors import Problem

MEGABYTE = 1024 * 1024

# Nobody writes more than this by hand: recipes, plans, edits and names. JSON becomes up to thirty
# times as much memory.
MOST_WORDS = MEGABYTE

# A refused body is read to its end, up to so many times the limit.
PATIENCE = 4
# Bytes per second that a client must manage on the average, after a first grace.
SLOWEST = 10_000
# A body of JSON becomes objects of so many times its size: one of short numbers does.
JSON_GROWTH = 8

_CLOSE = {"Connection": "close"}


class _Refused(Exception):
    pass


class BodyLimit:
    """Answers 413 to a body of more than ``limit`` bytes, or of more than ``MOST_WORDS`` where the
    path takes neither pictures nor data sets: ``large`` are those that do. Answers 408 to one that
    comes more slowly than ``SLOWEST`` after a grace of ``patience`` seconds, and 503 where
    ``budget`` has no room for it.

    A refused body is read and dropped before the answer, since a client that is still sending would
    see a broken connection instead of it.
    """

    def __init__(
        self, app: ASGIApp, limit: int, large: tuple[str, ...], patience: float, budget: Budget
    ) -> None:
        self._app = app
        self._limit = limit
        self._large = large
        self._patience = patience
        self._budget = budget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its body counted, or refuse it."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        size, limit = _declared_size(headers), self._limit_of(scope["path"])
        if size > limit:
            # Who asks first is told before anything is sent.
            asks = headers.get("expect", "").lower() == "100-continue"
            ended = False if asks else await drop(receive, self._most, self._patience)
            return await self._too_large(limit, ended)(scope, receive, send)
        if not size and "transfer-encoding" not in headers:
            return await self._app(scope, receive, send)
        body = _Body(limit, self._patience, self._budget, receive, _growth(headers))
        return await self._pass_on(scope, receive, send, body)

    def _limit_of(self, path: str) -> int:
        return self._limit if path in self._large else min(self._limit, MOST_WORDS)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send, body: "_Body") -> None:
        answering = False

        async def note(message: Message) -> None:
            nonlocal answering
            # Whatever is made of the exception that the refusal was.
            if body.status and not answering:
                return
            answering = True
            await send(message)

        try:
            await self._app(scope, body.receive, note)
        except _Refused:
            if answering:
                raise
        finally:
            body.give_back()
        if body.status and not answering:
            await (await self._refusal(body, receive))(scope, receive, send)

    async def _refusal(self, body: "_Body", receive: Receive) -> Problem:
        if body.status == 408:
            return self._too_slow()
        ended = await drop(receive, self._most, self._patience)
        problem = no_room() if body.status == 503 else self._too_large(body.limit, ended)
        if not ended:
            problem.headers.update(_CLOSE)
        return problem

    @property
    def _most(self) -> int:
        return PATIENCE * self._limit

    def _too_large(self, limit: int, ended: bool) -> Problem:
        size = f"{limit / MEGABYTE:.3g} MB"
        smaller = "Send a smaller picture." if limit == self._limit else "Send less."
        detail = f"The request is larger than {size}, the most that is read here. {smaller}"
        return Problem(413, detail, headers=None if ended else _CLOSE)

    def _too_slow(self) -> Problem:
        detail = (
            f"The body of the request didn't come: after the first {self._patience:g} seconds it "
            f"must have {SLOWEST // 1000} kB for each further second. Send it again, over a better "
            "connection or smaller."
        )
        return Problem(408, detail, headers=_CLOSE)


class _Body:
    """A body of up to ``limit`` bytes, as it arrives; ``status`` is that of its refusal, once it is
    refused."""

    def __init__(
        self, limit: int, patience: float, budget: Budget, receive: Receive, growth: int
    ) -> None:
        self.status = 0
        self.limit = limit
        self._patience = patience
        self._budget = budget
        self._receive = receive
        self._growth = growth
        self._taken = self._held = 0
        self._started = asyncio.get_running_loop().time()
        self._ended = False

    async def receive(self) -> Message:
        """The next message. Raises _Refused where there may not be one."""
        if self._ended:
            return await self._receive()
        deadline = self._started + self._patience + self._taken / SLOWEST
        try:
            async with asyncio.timeout_at(deadline):
                message = await self._receive()
        except TimeoutError:
            raise self._refused(408) from None
        size = len(message.get("body", b""))
        self._taken += size
        self._ended = not message.get("more_body", False)
        if self._taken > self.limit:
            raise self._refused(413)
        self._hold(size * self._growth)
        return message

    def give_back(self) -> None:
        """It isn't held any more."""
        self._budget.give_back(self._held)
        self._held = 0

    def _hold(self, size: int) -> None:
        if not self._budget.take(size, own=self._held):
            raise self._refused(503)
        self._held += size

    def _refused(self, status: int) -> _Refused:
        self.status = status
        self.give_back()
        return _Refused()


async def drop(receive: Receive, most: int, patience: float) -> bool:
    """Read a body and forget it, up to ``most`` bytes, no more slowly than any other; returns
    whether it came to its end."""
    dropped, started = 0, asyncio.get_running_loop().time()
    while dropped < most:
        try:
            async with asyncio.timeout_at(started + patience + dropped / SLOWEST):
                message = await receive()
        except TimeoutError:
            return False
        dropped += len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return True
    return False


def _declared_size(headers: Mapping[str, str]) -> int:
    size = headers.get("content-length", "")
    return int(size) if size.isascii() and size.isdigit() else 0


def _growth(headers: Mapping[str, str]) -> int:
    return JSON_GROWTH if "json" in headers.get("content-type", "").lower() else 1
