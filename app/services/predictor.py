"""From pictures to predictions and traces.

A small thread pool decodes and prepares pictures and runs the networks. Only what takes a moment is
done in the event loop itself, where that is sooner done than handed over, and where many ask at
once, half of it in another process.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TypeVar

import torch
from torch import Tensor

from app.core.errors import ConvScopeError
from app.core.images import Encoded, Picture
from app.core.model import Model, Prediction
from app.core.preparing import Prepared, prepare
from app.core.tracing import Trace
from app.services.batcher import Batcher
from app.services.preparing_process import PreparingProcess, ProcessLost

# While one runs a network, the others prepare.
THREADS = max(2, min(4, os.cpu_count() or 1))

Result = TypeVar("Result")

_log = logging.getLogger(__name__)

Read = Callable[[], Picture]


@dataclass(frozen=True)
class Source:
    """A picture that is decoded when it is read, which raises what decoding raises.

    ``little`` says that reading and preparing it takes so short a time that others may wait.
    ``encoded`` is the same picture for another process to read, where it can.
    """

    read: Read
    little: bool = False
    encoded: Encoded | None = None


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
    """Prepares pictures as a model's card asks, predicts and traces them.

    ``process``, which is connected, prepares some of the pictures where many ask at once.
    """

    def __init__(self, process: PreparingProcess | None = None) -> None:
        self._process = process
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="predictor")
        self._batcher = Batcher(self._pool)
        self._predicting = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def predict(self, model: Model, sources: Sequence[Source]) -> Predicted:
        """Predict each picture. Raises what decoding and preparing raise."""
        started = perf_counter()
        with self._counted():
            inputs, preparing = await self._prepare(model, sources)
            answer = await self._batcher.predict(model, inputs)
        elapsed = perf_counter() - started
        return Predicted(answer.predictions, Timing(preparing, answer.seconds, elapsed))

    async def trace(self, model: Model, read: Read, finish: Callable[[Traced], Result]) -> Result:
        """Trace a picture and ``finish`` what came of it in the same thread.

        Raises what decoding and preparing raise.
        """
        started = perf_counter()
        return await self.run(lambda: finish(_trace(model, read, started)))

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do other work that takes a while in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def close(self) -> None:
        """Finish what was accepted and end the threads."""
        await self._idle.wait()
        await asyncio.to_thread(self._pool.shutdown)
        if self._process:
            self._process.close()

    async def _prepare(self, model: Model, sources: Sequence[Source]) -> tuple[Tensor, float]:
        """The prepared pictures (batch, channels, height, width), and the seconds that it took."""
        stack = partial(_stack, model, sources)
        if len(sources) > 1 or not sources[0].little:
            return await self.run(stack)
        encoded = sources[0].encoded
        if self._process and encoded and 2 * self._process.waiting < self._predicting - 1:
            try:
                return await self._process.prepare(encoded, model.card)
            except ProcessLost:
                if self._process:
                    _log.warning("The process that prepares pictures has ended. It does without.")
                self._process = None
        return stack()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Between its parts a prediction is nowhere to be seen, and still needs the threads."""
        self._predicting += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._predicting -= 1
            if not self._predicting:
                self._idle.set()


def _stack(model: Model, sources: Sequence[Source]) -> tuple[Tensor, float]:
    begun = perf_counter()
    inputs = torch.stack(
        [one.tensor for one in _prepared(model, [source.read for source in sources])]
    )
    return inputs, perf_counter() - begun


def _prepared(model: Model, reads: Sequence[Read]) -> Iterator[Prepared]:
    for number, read in enumerate(reads, 1):
        try:
            yield prepare(read(), model.card.input_shape, model.card.preprocessing)
        except ConvScopeError as error:
            if len(reads) == 1:
                raise
            raise type(error)(f"Picture {number} of {len(reads)}: {error}") from error


def _trace(model: Model, read: Read, started: float) -> Traced:
    begun = perf_counter()
    (prepared,) = _prepared(model, [read])
    ready = perf_counter()
    trace = model.trace(prepared.tensor)
    done = perf_counter()
    return Traced(prepared, trace, Timing(ready - begun, done - ready, done - started))
