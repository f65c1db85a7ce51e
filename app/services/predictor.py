"""From pictures to predictions and traces, off the event loop.

A small thread pool decodes and prepares pictures and runs the networks.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

import torch

from app.core.errors import ConvScopeError
from app.core.images import Picture
from app.core.model import Model, Prediction
from app.core.preparing import Prepared, prepare
from app.core.tracing import Trace
from app.services.batcher import Batcher, Waiting

# While one runs a network, the others prepare.
THREADS = max(2, min(4, os.cpu_count() or 1))

Result = TypeVar("Result")

# A picture that is decoded when it is called, in a thread of the pool.
Source = Callable[[], Picture]


@dataclass(frozen=True)
class Timing:
    """Where the time went, in seconds. ``elapsed`` is all of it, waiting included."""

    preparing: float
    network: float
    elapsed: float


@dataclass(frozen=True)
class Predicted:
    """A prediction per picture, in order."""

    predictions: list[Prediction]
    timing: Timing


@dataclass(frozen=True)
class Traced:
    """The prepared picture with its steps, and every layer's output for it."""

    prepared: Prepared
    trace: Trace
    timing: Timing


class Predictor:
    """Prepares pictures as a model's card asks, predicts and traces them."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="predictor")
        self._batcher = Batcher()

    async def predict(self, model: Model, sources: Sequence[Source]) -> Predicted:
        """Predict each picture. Raises what decoding and preparing raise."""
        answer: Future[Predicted] = Future()
        # From thread to thread without a stop at the event loop, which may be busy.
        self._pool.submit(self._prepare, model, sources, answer, perf_counter())
        return await asyncio.wrap_future(answer)

    async def trace(
        self, model: Model, source: Source, finish: Callable[[Traced], Result]
    ) -> Result:
        """Trace a picture and ``finish`` what came of it in the same thread.

        Raises what decoding and preparing raise.
        """
        started = perf_counter()
        return await self.run(lambda: finish(_trace(model, source, started)))

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do other work that takes a while in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Finish what was accepted and end the threads."""
        self._pool.shutdown()

    def _prepare(
        self, model: Model, sources: Sequence[Source], answer: "Future[Predicted]", started: float
    ) -> None:
        if not answer.set_running_or_notify_cancel():
            return  # Whoever asked is gone.

        def tell(predictions: list[Prediction], network: float) -> None:
            timing = Timing(preparing, network, perf_counter() - started)
            answer.set_result(Predicted(predictions, timing))

        try:
            begun = perf_counter()
            inputs = torch.stack([one.tensor for one in _prepared(model, sources)])
            preparing = perf_counter() - begun
            self._batcher.submit(Waiting(model, inputs, tell, answer.set_exception))
        except Exception as error:
            answer.set_exception(error)


def _prepared(model: Model, sources: Sequence[Source]) -> Iterator[Prepared]:
    for number, source in enumerate(sources, 1):
        try:
            yield prepare(source(), model.card.input_shape, model.card.preprocessing)
        except ConvScopeError as error:
            if len(sources) == 1:
                raise
            raise type(error)(f"Picture {number} of {len(sources)}: {error}") from error


def _trace(model: Model, source: Source, started: float) -> Traced:
    begun = perf_counter()
    (prepared,) = _prepared(model, [source])
    ready = perf_counter()
    trace = model.trace(prepared.tensor)
    done = perf_counter()
    return Traced(prepared, trace, Timing(ready - begun, done - ready, done - started))
