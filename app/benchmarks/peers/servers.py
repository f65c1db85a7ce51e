"""The servers that are compared: how each is started, asked and understood."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.benchmarks.http_load import Follow
from app.benchmarks.predicting import JSON, PATH, post
from app.benchmarks.server_process import CONVSCOPE, ROOT, Program
from app.core.errors import ConvScopeError

ENVIRONMENTS = ROOT / ".peers"
_PEERS = "app.benchmarks.peers"
_EVENTS = "/gradio_api/call/predict"


class NoProbabilities(ConvScopeError):
    """An answer of a server in which there are no probabilities."""


@dataclass(frozen=True)
class Batching:
    """How LitServe makes batches: by so many workers, of so many pictures, waiting so long, and by
    which of its queues the answers come back."""

    workers: int
    pictures: int
    seconds: float
    queue: str = "plain"


UNBATCHED = Batching(1, 1, 0.0)
FAST = Batching(1, 1, 0.0, "fast")
_LITSERVE = {UNBATCHED: "LitServe", FAST: "LitServe, fast queue"}


@dataclass(frozen=True)
class Server:
    """A server of the comparison.

    ``wrap`` makes a request's JSON of {"image": base64} or {"pixels": rows}, ``read`` takes the
    probabilities from an answer, and ``follow`` asks for a result that is ready elsewhere.
    """

    name: str
    program: Program
    path: str
    wrap: Callable[[dict[str, Any]], dict[str, Any]]
    read: Callable[[bytes], list[float]]
    follow: Follow | None = None

    def request(self, content: dict[str, Any]) -> bytes:
        """The request that asks for this picture."""
        return post(self.path, JSON, json.dumps(self.wrap(content)).encode())

    def probabilities(self, body: bytes) -> list[float]:
        """The probabilities in an answer, in class order. Raises NoProbabilities."""
        try:
            return self.read(body)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            words = body[:300].decode(errors="replace")
            raise NoProbabilities(f"{self.name} answered without probabilities: {words}") from error


def convscope() -> Server:
    """ConvScope's own server, with its own words."""

    def read(body: bytes) -> list[float]:
        return [one["probability"] for one in json.loads(body)["probabilities"]]

    return Server("ConvScope", CONVSCOPE, PATH, _as_it_is, read)


def bare() -> Server:
    """The subject alone in uvicorn, which shows what can't be saved."""
    program = Program((sys.executable, "-m", f"{_PEERS}.bare_server", "--port"), "/")
    return Server("Bare uvicorn", program, "/", _as_it_is, _read_probabilities)


def litserve(batching: Batching) -> Server:
    """LitServe, in the environment that ``make bench-peers`` has made."""

    options = ("--workers", "--batch", "--wait", "--queue")
    values = (batching.workers, batching.pictures, batching.seconds, batching.queue)
    words = [str(part) for pair in zip(options, values, strict=True) for part in pair]
    program = _program("litserve", words, "/health")
    name = _LITSERVE.get(batching, "LitServe, batched")
    return Server(name, program, "/predict", _as_it_is, _read_probabilities)


def gradio() -> Server:
    """Gradio, asked through its queue, as its documentation and its own client do."""
    server = _program("gradio", [], "/")
    return Server("Gradio", server, _EVENTS, _as_arguments, _read_event, _follow_event)


def direct_gradio() -> Server:
    """Gradio, asked past its queue, which it allows where it isn't on a Space."""

    def read(body: bytes) -> list[float]:
        probabilities: list[float] = json.loads(body)["data"][0]
        return probabilities

    server, path = _program("gradio", [], "/"), "/gradio_api/run/predict"
    return Server("Gradio, past its queue", server, path, _as_arguments, read)


def is_installed(peer: str) -> bool:
    """Whether ``make bench-peers`` has made this peer's environment."""
    return (ENVIRONMENTS / peer / ".installed").exists()


def versions(peer: str) -> Mapping[str, str]:
    """The versions of what computes and serves in a peer's environment."""
    words = f"print(*map(__import__('importlib.metadata').metadata.version, {_named(peer)}))"
    told = subprocess.run([_python(peer), "-c", words], capture_output=True, text=True, check=True)
    return dict(zip(_named(peer), told.stdout.split(), strict=True))


def _named(peer: str) -> tuple[str, ...]:
    return (peer, "torch", "pillow", "fastapi", "uvicorn")


def _program(peer: str, words: list[str], health: str) -> Program:
    command = (_python(peer), "-m", f"{_PEERS}.{peer}_server", *words, "--port")
    # The environment is theirs, so nothing of ours may be found in it.
    quiet = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
    return Program(command, health, quiet)


def _python(peer: str) -> str:
    return str(ENVIRONMENTS / peer / "bin" / "python")


def _as_it_is(content: dict[str, Any]) -> dict[str, Any]:
    return content


def _read_probabilities(body: bytes) -> list[float]:
    probabilities: list[float] = json.loads(body)["probabilities"]
    return probabilities


def _as_arguments(content: dict[str, Any]) -> dict[str, Any]:
    return {"data": [content]}


def _follow_event(body: bytes) -> bytes:
    path = f"{_EVENTS}/{json.loads(body)['event_id']}"
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def _read_event(body: bytes) -> list[float]:
    """The result in Gradio's stream: ``event: complete``, and its ``data`` on the next line."""
    _, _, data = body.partition(b"event: complete\ndata: ")
    probabilities: list[float] = json.loads(data.partition(b"\n")[0])[0]
    return probabilities
