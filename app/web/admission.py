"""How many requests and streams there may be at once, and what becomes of those that nobody waits
for any more."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from anyio import BrokenResourceError
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.assets import ROOT
from app.web.budget import retry_after
from app.web.ending import Ending
from app.web.errors import Problem, in_the_wanted_form
from app.web.limits import drop

# The scope's list of what to call when the client goes away.
GONE = "convscope.gone"
# So many bytes of a refused body are read to its end; a longer one sees its connection closed.
MOST_DROPPED = 4 * 1024 * 1024
# These change nothing, so that they may be dropped at any moment; so may whatever is only read.
DROPPED = ("/api/v1/predict", "/api/v1/trace")

BUSY_SECONDS, STREAM_SECONDS, ENDING_SECONDS = 1, 10, 10
_CLOSE = {"Connection": "close"}


@dataclass(frozen=True)
class Crowd:
    """How many there may be at once: requests, streams, and streams of one client's address;
    ``patience`` is how many seconds a refused body may stop."""

    requests: int
    streams: int
    streams_of_one: int
    patience: float


class Admission:
    """Answers 503 to a request, or 429 to a stream of events, that is one too many.

    A request that only reads or computes is dropped where it isn't answered yet when its client
    goes away, and is answered with 503 when the server must end.
    """

    def __init__(self, app: ASGIApp, crowd: Crowd, ending: Ending) -> None:
        self._app = app
        self._crowd = crowd
        self._ending = ending
        self._requests = 0
        self._streams: Counter[str] = Counter()
        self._waiting: set[asyncio.Timeout] = set()
        ending.hurry = self._hurry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        path = scope.get("path", "")
        if scope["type"] != "http" or path == "/healthz" or path.startswith(f"{ROOT}/"):
            return await self._app(scope, receive, send)
        stream = is_stream(scope)
        client = scope["client"][0] if scope.get("client") else ""
        problem = self._too_many_streams(client) if stream else self._too_many_requests()
        if problem:
            return await self._refuse(problem, scope, receive, send)
        with self._counted(client if stream else None):
            if stream:
                return await self._tell(scope, receive, send)
            if not may_be_dropped(scope):
                return await self._app(scope, receive, send)
            return await self._answer(scope, receive, send)

    async def _tell(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.Event()
        scope.get(GONE, []).append(gone.set)
        try:
            await self._app(scope, receive, send)
        except* BrokenResourceError:
            # FastAPI's own, where a client goes while an event is handed on.
            if not gone.is_set():
                raise

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = False

        def leave() -> None:
            nonlocal gone
            gone = True
            if until in self._waiting:
                until.reschedule(0)

        async def note(message: Message) -> None:
            # What is on its way is no longer dropped.
            if until in self._waiting:
                self._waiting.discard(until)
                until.reschedule(None)
            await send(message)

        scope.get(GONE, []).append(leave)
        try:
            async with asyncio.timeout_at(self._ending.deadline) as until:
                self._waiting.add(until)
                await self._app(scope, receive, note)
        except TimeoutError:
            if not until.expired():
                raise
            if not gone:
                await self._refuse(_ending(), scope, receive, send, wait=False)
        finally:
            self._waiting.discard(until)

    def _hurry(self) -> None:
        for until in self._waiting:
            until.reschedule(self._ending.deadline)

    @contextmanager
    def _counted(self, client: str | None) -> Iterator[None]:
        """Count a stream of a client, or a request."""
        if client is None:
            self._requests += 1
        else:
            self._streams[client] += 1
        try:
            yield
        finally:
            if client is None:
                self._requests -= 1
            else:
                self._streams[client] -= 1
                self._streams += Counter()  # Forgets those that have none.

    def _too_many_requests(self) -> Problem | None:
        if self._requests < self._crowd.requests:
            return None
        return Problem(
            503,
            f"The server is busy with {self._requests} other requests, the most that it takes at "
            "once. Try again in a moment.",
            headers=retry_after(BUSY_SECONDS),
        )

    def _too_many_streams(self, client: str) -> Problem | None:
        here = retry_after(STREAM_SECONDS)
        if self._streams[client] >= self._crowd.streams_of_one:
            return Problem(
                429,
                f"{client} follows as many streams of events as one address may: "
                f"{self._streams[client]}. Close some of the pages that follow runs there.",
                headers=here,
            )
        if self._streams.total() >= self._crowd.streams:
            return Problem(
                503,
                f"The server tells {self._crowd.streams} others of events, the most that it can. "
                "Try again in a moment.",
                headers=here,
            )
        return None

    async def _refuse(
        self, problem: Problem, scope: Scope, receive: Receive, send: Send, wait: bool = True
    ) -> None:
        if not (wait and await drop(receive, MOST_DROPPED, self._crowd.patience)):
            problem.headers.update(_CLOSE)
        await in_the_wanted_form(Request(scope), problem)(scope, receive, send)


def is_stream(scope: Scope) -> bool:
    """Whether the answer is a stream of events: all of them are called so."""
    return str(scope["path"]).endswith("/events") and scope["method"] == "GET"


def may_be_dropped(scope: Scope) -> bool:
    """Whether a request changes nothing that others see."""
    return scope["method"] == "GET" or scope["path"] in DROPPED


def _ending() -> Problem:
    return Problem(
        503,
        "The server is stopping, and didn't get to this request. Try again when it is back.",
        headers=retry_after(ENDING_SECONDS),
    )
