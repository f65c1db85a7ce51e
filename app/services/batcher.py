"""Predictions that wait for the network become one batch.

There is no timer: as soon as the network is free it gets all that is waiting. With one client
nothing waits; with many the batches grow by themselves.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import torch
from torch import Tensor

from app.core.model import Model, Prediction

MAX_BATCH = 64

# So many multiply-adds take a millisecond or so. To wake a thread for them would take as long.
LITTLE_WORK = 20_000_000


@dataclass(frozen=True)
class Answer:
    """Predictions, and the seconds that the network took for the batch that they were part of."""

    predictions: list[Prediction]
    seconds: float


@dataclass(frozen=True)
class _Waiting:
    model: Model
    inputs: Tensor
    answer: asyncio.Future[Answer]


class Batcher:
    """A queue before the network, for the coroutines of one event loop.

    Little work is done in the loop itself, all else in a thread of ``pool``.
    """

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._queue: deque[_Waiting] = deque()
        self._busy = False

    async def predict(self, model: Model, inputs: Tensor) -> Answer:
        """Predict prepared pictures (batch, channels, height, width) with whatever else waits.

        Raises what the network raises.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(model, inputs, loop.create_future())
        self._queue.append(waiting)
        if not self._busy:
            self._busy = True
            loop.call_soon(self._go_on)  # Who asks in the same turn of the loop comes along.
        return await waiting.answer

    def _go_on(self) -> None:
        """Give the network what waits. Comes back when that is done, until nothing waits."""
        batch = self._take()
        if not batch:
            self._busy = False
            return
        loop = asyncio.get_running_loop()
        if _work(batch) <= LITTLE_WORK:
            _tell(batch, _run(batch))
            loop.call_soon(self._go_on)
        else:
            running = loop.run_in_executor(self._pool, _run, batch)
            running.add_done_callback(partial(self._finish, batch))

    def _finish(
        self, batch: Sequence[_Waiting], running: "asyncio.Future[Answer | Exception]"
    ) -> None:
        _tell(batch, running.result())
        self._go_on()

    def _take(self) -> list[_Waiting]:
        """The first that waits, with those for the same model until the batch is full."""
        batch: list[_Waiting] = []
        others: deque[_Waiting] = deque()
        for one in self._queue:
            if one.answer.done():
                continue  # Whoever asked is gone.
            same = not batch or one.model is batch[0].model
            (batch if same and _size(batch) < MAX_BATCH else others).append(one)
        self._queue = others
        return batch


def _size(batch: Sequence[_Waiting]) -> int:
    return sum(len(one.inputs) for one in batch)


def _work(batch: Sequence[_Waiting]) -> int:
    return _size(batch) * batch[0].model.multiply_adds


def _run(batch: Sequence[_Waiting]) -> Answer | Exception:
    started = perf_counter()
    try:
        predictions = batch[0].model.predict(torch.cat([one.inputs for one in batch]))
    except Exception as error:  # Whatever it is, those who wait must hear of it.
        return error
    return Answer(predictions, perf_counter() - started)


def _tell(batch: Sequence[_Waiting], outcome: Answer | Exception) -> None:
    place = 0
    for one in batch:
        end = place + len(one.inputs)
        if one.answer.done():
            pass  # Whoever asked went away meanwhile.
        elif isinstance(outcome, Answer):
            one.answer.set_result(Answer(outcome.predictions[place:end], outcome.seconds))
        else:
            one.answer.set_exception(outcome)
        place = end
