"""One thread that predicts all that is waiting as one batch.

With one client nothing waits; with many the batches grow by themselves. No timer delays anyone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from queue import Empty, SimpleQueue
from threading import Thread
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
    """A queue and the thread that empties it, as many pictures at a time as it finds."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Waiting | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, waiting: Waiting) -> None:
        """Predict these together with whatever else is waiting."""
        self._queue.put(waiting)

    def close(self) -> None:
        """Answer what is waiting, then end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, go_on = self._take_waiting(first)
            for model, group in groupby(batch, key=lambda waiting: waiting.model):
                _predict(model, list(group))
            if not go_on:
                return

    def _take_waiting(self, first: Waiting) -> tuple[list[Waiting], bool]:
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
