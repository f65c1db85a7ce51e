"""Where the time of a request went, told in its ``Server-Timing`` header."""

from time import perf_counter

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.services.predictor import Timing

SERVER_TIMING = "Server-Timing"


def timing_headers(timing: Timing) -> dict[str, str]:
    """The parts of a prediction or a trace: preparing pictures, and the network."""
    parts = {"prepare": timing.preparing, "network": timing.network}
    return {SERVER_TIMING: ", ".join(_part(name, seconds) for name, seconds in parts.items())}


class TotalTime:
    """Adds ``total``: from the arrival of a request's header to the beginning of its answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and time its answer."""
        started = perf_counter()

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                parts = [headers.get(SERVER_TIMING), _part("total", perf_counter() - started)]
                headers[SERVER_TIMING] = ", ".join(part for part in parts if part)
            await send(message)

        await self._app(scope, receive, note)


def _part(name: str, seconds: float) -> str:
    return f"{name};dur={seconds * 1000:.3f}"
