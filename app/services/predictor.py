"""From pictures to predictions and traces, off the event loop.

Decoding and preparing run in a small thread pool. Forward passes run in one thread that takes
whatever is waiting as one batch: with one client nothing waits, with many the batches grow by
themselves, and no timer delays anyone.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

import torch
from torch import Tensor

from app.core.images import Picture
from app.core.model import Model, Prediction
from app.core.preparing import Prepared, prepare
from app.core.tracing import Trace

MAX_BATCH = 64
PREPARING_THREADS = 2

Result = TypeVar("Result")

# A picture that is decoded when it is called, in a thread of the pool.
Source = Callable[[], Picture]


@dataclass(frozen=True)
class _Waiting:
    model: Model
    inputs: Tensor
    answer: Future[list[Prediction]] = field(default_factory=Future)


class Batcher:
    """One thread that predicts all that is waiting, a batch per model at a time."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, model: Model, inputs: Tensor) -> Future[list[Prediction]]:
        """Predict (batch, channels, height, width) together with whatever else is waiting."""
        waiting = _Waiting(model, inputs)
        self._queue.put(waiting)
        return waiting.answer

    def close(self) -> None:
        """Answer what is waiting, then end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, go_on = self._take_waiting(first)
            for model, group in groupby(batch, key=lambda waiting: waiting.model):
                _answer(model, list(group))
            if not go_on:
                return

    def _take_waiting(self, first: _Waiting) -> tuple[list[_Waiting], bool]:
        batch, size = [first], len(first.inputs)
        while size < MAX_BATCH:
            try:
                waiting = self._queue.get_nowait()
            except Empty:
                break
            if waiting is None:
                return batch, False
            batch.append(waiting)
            size += len(waiting.inputs)
        return batch, True


def _answer(model: Model, group: Sequence[_Waiting]) -> None:
    group = [waiting for waiting in group if waiting.answer.set_running_or_notify_cancel()]
    try:
        predictions = iter(model.predict(torch.cat([waiting.inputs for waiting in group])))
        answers = [[next(predictions) for _ in waiting.inputs] for waiting in group]
    except Exception as error:  # whatever it is, those who wait must hear of it
        for waiting in group:
            waiting.answer.set_exception(error)
        return
    for waiting, answer in zip(group, answers, strict=True):
        waiting.answer.set_result(answer)


class Predictor:
    """Prepares pictures as a model's card asks, predicts and traces them."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(PREPARING_THREADS, thread_name_prefix="preparing")
        self._batcher = Batcher()

    async def predict(self, model: Model, sources: Sequence[Source]) -> list[Prediction]:
        """A prediction per picture, in order. Raises what decoding and preparing raise."""
        inputs = await self._in_pool(lambda: _stack(_prepared(model, s) for s in sources))
        return await asyncio.wrap_future(self._batcher.submit(model, inputs))

    async def trace(self, model: Model, source: Source) -> tuple[Prepared, Trace]:
        """The prepared picture with its steps, and every layer's output for it."""

        def work() -> tuple[Prepared, Trace]:
            prepared = _prepared(model, source)
            return prepared, model.trace(prepared.tensor)

        return await self._in_pool(work)

    def close(self) -> None:
        """Finish what was accepted and end the threads."""
        self._pool.shutdown()
        self._batcher.close()

    async def _in_pool(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


def _prepared(model: Model, source: Source) -> Prepared:
    return prepare(source(), model.card.input_shape, model.card.preprocessing)


def _stack(prepared: Iterable[Prepared]) -> Tensor:
    return torch.stack([one.tensor for one in prepared])
