"""The subject with nothing around it, as quick as ConvScope's own server has it: what serving it in
Python takes at least.

One ASGI function in uvicorn, as ConvScope's own server runs in it. It has no routes, checks nothing
and makes no batches.
"""

import argparse
import json
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

from app.benchmarks.peers.subject import Subject

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class BareServer:
    """Answers every POST with the probabilities, and all else with nothing."""

    def __init__(self) -> None:
        self._subject = Subject(lasting=True)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        body = self._answer(await _read(receive)) if scope["method"] == "POST" else b""
        length = str(len(body)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, request: bytes) -> bytes:
        inputs = self._subject.prepare(json.loads(request))
        return json.dumps({"probabilities": self._subject.predict(inputs[None])[0]}).encode()


async def _read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    return body


def main() -> None:
    """Serve until the process is told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    uvicorn.run(
        BareServer(), port=options.port, lifespan="off", log_level="warning", access_log=False
    )


if __name__ == "__main__":
    main()
