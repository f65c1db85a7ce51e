"""The same pictures by the same clients to each server; every answer is held against torch."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from PIL import Image

from app.benchmarks.http_load import Answer, Limits, Load, drive
from app.benchmarks.peers.servers import Batching, Server, litserve
from app.benchmarks.peers.subject import recognise
from app.benchmarks.predicting import PICTURES, WARM_UP_SECONDS, encode_png, pixel_rows
from app.benchmarks.process_costs import session_memory, session_seconds
from app.benchmarks.server_process import HOST, running
from app.benchmarks.strokes import make_strokes, paint
from app.core.errors import ConvScopeError

CLIENTS = (1, 32)
TOLERANCE = 1e-5
CHECK_SECONDS = 60

FORMS: dict[str, Callable[[Image.Image], dict[str, Any]]] = {
    "PNG, 280 × 280 RGBA": lambda picture: {
        "image": base64.b64encode(encode_png(picture)).decode()
    },
    "pixels, 28 × 28": lambda picture: {"pixels": pixel_rows(picture)},
}
PNG, PIXELS = FORMS

# Of these the best at 32 clients is told, for each form.
BATCHINGS = (
    Batching(1, 16, 0.005, "plain"),
    Batching(1, 8, 0.001, "fast"),
    Batching(1, 32, 0.01, "fast"),
    Batching(2, 16, 0.005, "fast"),
)


class Disagreement(ConvScopeError):
    """A server of the comparison that predicts something else than torch."""


@dataclass(frozen=True)
class Questions:
    """A form's pictures as JSON, and the probabilities that torch itself gives them."""

    form: str
    contents: Sequence[dict[str, Any]]
    expected: Sequence[Sequence[float]]


@dataclass(frozen=True)
class ServerLoad:
    """What clients got from a server: ``difference`` is the farthest that a probability was from
    torch's, ``memory`` the bytes that all of the server's processes took afterwards, ``seconds``
    the processor time that they took for all of it."""

    server: str
    form: str
    load: Load
    difference: float
    memory: int | None
    seconds: float | None


@dataclass(frozen=True)
class Trial:
    """The rate per form, in answers per second, of one way of making batches."""

    batching: Batching
    rates: Mapping[str, float]


def make_questions() -> list[Questions]:
    """Both forms of the benchmark's pictures."""
    pictures = [paint(stroke) for stroke in make_strokes(PICTURES)]
    made = {form: [make(picture) for picture in pictures] for form, make in FORMS.items()}
    return [
        Questions(form, contents, [recognise(content) for content in contents])
        for form, contents in made.items()
    ]


def compare(server: Server, questions: Sequence[Questions], limits: Limits) -> Iterator[ServerLoad]:
    """Each form with one client and with 32, after a check of every picture.

    Raises Disagreement, ServerFailed and RequestRefused.
    """
    with running(server.program) as process:
        asking = [_Asking(server, one, (HOST, process.port)) for one in questions]
        for one in asking:
            one.measure(1, Limits(CHECK_SECONDS, len(one.questions.contents)))
        for one in asking:
            for clients in CLIENTS:
                yield one.cost(process.process, clients, limits)


def try_batchings(
    batchings: Sequence[Batching], questions: Sequence[Questions], limits: Limits
) -> Iterator[Trial]:
    """The rates of LitServe's batches of each kind at the most clients, each checked as above."""
    for batching in batchings:
        server = litserve(batching)
        with running(server.program) as process:
            asking = [_Asking(server, one, (HOST, process.port)) for one in questions]
            found = [one.cost(process.process, CLIENTS[-1], limits) for one in asking]
        yield Trial(batching, {one.form: one.load.rate for one in found})


def best_batchings(trials: Sequence[Trial]) -> dict[str, Batching]:
    """For each form the way of making batches that had the highest rate."""
    return {form: max(trials, key=lambda one: one.rates[form]).batching for form in FORMS}


@dataclass(frozen=True)
class _Asking:
    """One form of the questions, asked of one running server."""

    server: Server
    questions: Questions
    address: tuple[str, int]

    def cost(self, session: int, clients: int, limits: Limits) -> ServerLoad:
        """What a load got and what it took. Raises Disagreement."""
        self._drive(clients, replace(limits, seconds=min(WARM_UP_SECONDS, limits.seconds)))
        before = session_seconds(session)
        load, difference = self.measure(clients, limits)
        after, memory = session_seconds(session), session_memory(session)
        seconds = None if before is None or after is None else after - before
        return ServerLoad(self.server.name, self.questions.form, load, difference, memory, seconds)

    def measure(self, clients: int, limits: Limits) -> tuple[Load, float]:
        """The load, and the farthest that any answer was from torch. Raises Disagreement."""
        load = self._drive(clients, limits)
        return load, largest_difference(self.server, self.questions, load.answers)

    def _drive(self, clients: int, limits: Limits) -> Load:
        requests = [self.server.request(content) for content in self.questions.contents]
        return drive(self.address, requests, clients, limits, self.server.follow)


def largest_difference(server: Server, questions: Questions, answers: Sequence[Answer]) -> float:
    """The farthest that a probability of these answers is from torch's.

    Raises Disagreement where that is more than the tolerance.
    """
    said = torch.tensor([server.probabilities(answer.body) for answer in answers])
    expected = torch.tensor([questions.expected[answer.request] for answer in answers])
    if said.shape != expected.shape:
        raise Disagreement(f"{server.name} has told of {said.shape[-1]} classes.")
    farthest = float((said - expected).abs().max())
    if not farthest <= TOLERANCE:
        raise Disagreement(
            f"{server.name} is {farthest:.1e} from torch's probabilities for {questions.form}; "
            f"at most {TOLERANCE:.0e} may be."
        )
    return farthest
