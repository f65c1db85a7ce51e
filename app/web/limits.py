"""A limit on the size of a request's body, counted as it arrives."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.errors import Problem


class _TooLarge(Exception):
    pass


class BodyLimit:
    """Answers 413 to a body of more than ``limit`` bytes, whatever its header says.

    The rest of such a body is read and dropped up to a bound, since a client that is still
    sending would otherwise see a broken connection instead of the answer.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        taken = 0
        answering = False

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                raise _TooLarge
            return message

        async def noted(message: Message) -> None:
            nonlocal answering
            answering = True
            await send(message)

        try:
            return await self._app(scope, counted, noted)
        except _TooLarge:
            if answering:
                raise
        await self._drop(receive)
        megabytes = self._limit // (1024 * 1024)
        problem = Problem(413, f"The request is larger than {megabytes} MB. Send a smaller picture.")
        return await problem(scope, receive, send)

    async def _drop(self, receive: Receive) -> None:
        dropped = 0
        while dropped < 4 * self._limit:
            message = await receive()
            dropped += len(message.get("body", b""))
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                return
