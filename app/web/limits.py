"""A limit on the size of a request's body, known from its header or counted as it arrives."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.errors import Problem

MEGABYTE = 1024 * 1024

# Nobody writes more than this by hand: recipes, plans, edits and names. JSON becomes up to thirty
# times as much memory.
MOST_WORDS = MEGABYTE

# A refused body is read to its end, up to so many times the limit.
PATIENCE = 4


class _TooLarge(Exception):
    pass


class BodyLimit:
    """Answers 413 to a body of more than ``limit`` bytes, or of more than ``MOST_WORDS`` where the
    path takes neither pictures nor data sets: ``large`` are those that do.

    Such a body is read and dropped before the answer, since a client that is still sending would
    see a broken connection instead of it.
    """

    def __init__(self, app: ASGIApp, limit: int, large: tuple[str, ...]) -> None:
        self._app = app
        self._limit = limit
        self._large = large

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its body counted, or refuse it."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        limit = self._limit_of(scope["path"])
        if _declared_size(headers) > limit:
            # Who asks first is told before anything is sent.
            asks = headers.get("expect", "").lower() == "100-continue"
            return await self._refuse(scope, receive, send, limit, wait=not asks)
        return await self._pass_on(scope, receive, send, limit)

    def _limit_of(self, path: str) -> int:
        return self._limit if path in self._large else min(self._limit, MOST_WORDS)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        taken, answering = 0, False

        async def count() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise _TooLarge
            return message

        async def note(message: Message) -> None:
            nonlocal answering
            answering = True
            await send(message)

        try:
            await self._app(scope, count, note)
        except _TooLarge:
            if answering:
                raise
            await self._refuse(scope, receive, send, limit, wait=True)

    async def _refuse(
        self, scope: Scope, receive: Receive, send: Send, limit: int, wait: bool
    ) -> None:
        ended = await self._drop(receive) if wait else False
        size = f"{limit / MEGABYTE:.3g} MB"
        smaller = "Send a smaller picture." if limit == self._limit else "Send less."
        detail = f"The request is larger than {size}, the most that is read here. {smaller}"
        headers = None if ended else {"Connection": "close"}
        await Problem(413, detail, headers=headers)(scope, receive, send)

    async def _drop(self, receive: Receive) -> bool:
        """Read the body and forget it; returns whether it came to its end."""
        dropped = 0
        while dropped < PATIENCE * self._limit:
            message = await receive()
            dropped += len(message.get("body", b""))
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                return True
        return False


def _declared_size(headers: Headers) -> int:
    size = headers.get("content-length", "")
    return int(size) if size.isascii() and size.isdigit() else 0
