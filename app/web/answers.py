"""Large answers, which leave no faster than they are read, and of which only so many are held."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.budget import RETRY_SECONDS, Budget, no_room, retry_after
from app.web.room import PIECE, ROOM


class _Held:
    """The bytes of one answer, counted in the ``budget`` where they are many."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._size = 0

    def become(self, size: int) -> bool:
        """Hold so many bytes instead of those before; or tell that there is no room."""
        size = size if size > PIECE else 0
        more = size - self._size
        if more > 0 and not self._budget.take(more, own=self._size):
            return False
        if more < 0:
            self._budget.give_back(-more)
        self._size = size
        return True

    def take(self, size: int) -> None:
        """Hold so many bytes while the answer is made. Raises HTTPException 503."""
        if not self.become(size):
            refusal = no_room()
            raise HTTPException(refusal.status_code, refusal.detail, retry_after(RETRY_SECONDS))


class LargeAnswers:
    """Answers 503 instead where ``budget`` has no room for an answer."""

    def __init__(self, app: ASGIApp, budget: Budget) -> None:
        self._app = app
        self._budget = budget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and its answer back."""
        held, refused = _Held(self._budget), False
        scope[ROOM] = held.take

        async def give(message: Message) -> None:
            nonlocal refused
            starts = message["type"] == "http.response.start"
            if starts and (refused := not held.become(_size(message))):
                await no_room()(scope, receive, send)
            if not refused:
                await _in_pieces(message, send)

        try:
            await self._app(scope, receive, give)
        finally:
            held.become(0)


def _size(message: Message) -> int:
    return int(Headers(raw=message["headers"]).get("content-length", 0))


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
