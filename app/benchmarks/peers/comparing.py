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
from app.benchmarks.process_memory import session_memory
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
BATCHINGS = tuple(
    Batching(workers, pictures, seconds)
    for workers in (1, 2)
    for pictures, seconds in ((8, 0.001), (16, 0.005), (32, 0.01))
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
    torch's, ``memory`` the bytes that all of the server's processes took afterwards."""

    server: str
    form: str
    load: Load
    difference: float
    memory: int | None


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
            one.check()
        for one in asking:
            for clients in CLIENTS:
                load, difference = one.measure(clients, limits)
                memory = session_memory(process.process)
                yield ServerLoad(server.name, one.questions.form, load, difference, memory)


def try_batchings(
    batchings: Sequence[Batching], questions: Sequence[Questions], limits: Limits
) -> Iterator[Trial]:
    """The rates of LitServe's batches of each kind at the most clients, each checked as above."""
    for batching in batchings:
        server = litserve(batching)
        with running(server.program) as process:
            asking = [_Asking(server, one, (HOST, process.port)) for one in questions]
            loads = {one.questions.form: one.measure(CLIENTS[-1], limits)[0] for one in asking}
        yield Trial(batching, {form: load.rate for form, load in loads.items()})


def best_batchings(trials: Sequence[Trial]) -> dict[str, Batching]:
    """For each form the way of making batches that had the highest rate."""
    return {form: max(trials, key=lambda one: one.rates[form]).batching for form in FORMS}


@dataclass(frozen=True)
class _Asking:
    """One form of the questions, asked of one running server."""

    server: Server
    questions: Questions
    address: tuple[str, int]

    def check(self) -> None:
        """Ask each picture once. Raises Disagreement."""
        count = len(self.questions.contents)
        self.measure(1, Limits(CHECK_SECONDS, count), warm=False)

    def measure(self, clients: int, limits: Limits, warm: bool = True) -> tuple[Load, float]:
        """The load, and the farthest that any answer was from torch. Raises Disagreement."""
        requests = [self.server.request(content) for content in self.questions.contents]

        def go(limits: Limits) -> Load:
            return drive(self.address, requests, clients, limits, self.server.follow)

        if warm:
            go(replace(limits, seconds=min(WARM_UP_SECONDS, limits.seconds)))
        load = go(limits)
        return load, largest_difference(self.server, self.questions, load.answers)


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
