"""Predictions that wait for the network become one batch.

There is no thread for it and no timer: whoever finds the network free runs it on all that is
waiting. With one client nothing waits; with many the batches grow by themselves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from queue import Empty, SimpleQueue
from threading import Lock
from time import perf_counter

import torch
from torch import Tensor

from app.core.model import Model, Prediction

MAX_BATCH = 64


@dataclass(frozen=True)
class Waiting:
    """Prepared pictures (batch, channels, height, width) for a model, and whom to tell.

    ``answer`` is given the predictions and the seconds that the network took for the batch that
    they were part of; ``fail`` is given what was raised instead.
    """

    model: Model
    inputs: Tensor
    answer: Callable[[list[Prediction], float], None]
    fail: Callable[[Exception], None]


class Batcher:
    """A queue before the network, which any thread may join."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Waiting] = SimpleQueue()
        self._busy = Lock()

    def submit(self, waiting: Waiting) -> None:
        """Predict these with whatever else is waiting, or leave them to the thread that is at it.

        Either way they are answered without another call.
        """
        self._queue.put(waiting)
        # Looking again after the release finds what came too late for the last batch, and whose
        # thread found the network busy.
        while not self._queue.empty() and self._busy.acquire(blocking=False):
            try:
                for model, group in groupby(self._take(), key=lambda one: one.model):
                    _predict(model, list(group))
            finally:
                self._busy.release()

    def _take(self) -> list[Waiting]:
        batch: list[Waiting] = []
        while sum(len(waiting.inputs) for waiting in batch) < MAX_BATCH:
            try:
                batch.append(self._queue.get_nowait())
            except Empty:
                break
        return batch


def _predict(model: Model, group: Sequence[Waiting]) -> None:
    started = perf_counter()
    try:
        predictions = model.predict(torch.cat([waiting.inputs for waiting in group]))
    except Exception as error:  # Whatever it is, those who wait must hear of it.
        for waiting in group:
            waiting.fail(error)
        return
    seconds = perf_counter() - started
    place = 0
    for waiting in group:
        waiting.answer(predictions[place : place + len(waiting.inputs)], seconds)
        place += len(waiting.inputs)
