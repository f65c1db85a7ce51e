"""Large answers, which leave no faster than they are read, and of which only so many are held."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.budget import Budget, no_room

# An answer of more bytes than this counts, and is handed on in pieces of so many.
PIECE = 256 * 1024


class LargeAnswers:
    """Answers 503 instead where ``budget`` has no room for an answer."""

    def __init__(self, app: ASGIApp, budget: Budget) -> None:
        self._app = app
        self._budget = budget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and its answer back."""
        held, refused = 0, False

        async def give(message: Message) -> None:
            nonlocal held, refused
            if message["type"] == "http.response.start":
                size = _size(message)
                if refused := size > 0 and not self._budget.take(size):
                    await no_room()(scope, receive, send)
                else:
                    held = size
            if not refused:
                await _in_pieces(message, send)

        try:
            await self._app(scope, receive, give)
        finally:
            self._budget.give_back(held)


def _size(message: Message) -> int:
    size = int(Headers(raw=message["headers"]).get("content-length", 0))
    return size if size > PIECE else 0


async def _in_pieces(message: Message, send: Send) -> None:
    body = message.get("body", b"")
    if len(body) <= PIECE:
        return await send(message)
    whole = memoryview(body)
    for start in range(0, len(whole), PIECE):
        last = start + PIECE >= len(whole)
        more = message.get("more_body", False) or not last
        piece = whole[start : start + PIECE]
        # Returns when there is room for it in the connection.
        await send({"type": message["type"], "body": piece, "more_body": more})
    return None
