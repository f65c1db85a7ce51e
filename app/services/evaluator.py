"""Models measured on their test split in the background, for whoever watches.

One thread of low priority measures one model at a time, a few images after the others; it stops
when nobody watches any more. What was measured is known as long as the model is in memory.
"""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from app.core.cards import evaluation_of
from app.core.dataset_files import Dataset, DatasetFolders
from app.core.datasets import find_dataset, load_split
from app.core.errors import ConvScopeError, DatasetUnavailable, NotEvaluated, QueueFull
from app.core.evaluating import Evaluation, Progress, evaluate_in_parts
from app.core.model import Model
from models.registry import ModelCard

MOST_WAITING = 8
# Below predictions, above trainings.
NICENESS = 10

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failed:
    """Why a model could not be measured."""

    detail: str


Said = Progress | Evaluation | Failed


@dataclass(eq=False)
class _Going:
    """An evaluation that somebody watches, and the newest that it said."""

    said: Said | None = None
    viewers: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, said: Said) -> None:
        """To be called on the event loop."""
        self.said = said
        self.changed.set()
        self.changed = asyncio.Event()


class Evaluator:
    """Measures models for viewers, all on one event loop."""

    def __init__(self, folders: DatasetFolders) -> None:
        self._folders = folders
        self._pool = ThreadPoolExecutor(1, "evaluator", initializer=_stand_back)
        self._going: dict[Model, _Going] = {}
        self._known: WeakKeyDictionary[Model, Evaluation] = WeakKeyDictionary()

    def known(self, model: Model) -> Evaluation | None:
        """What was measured of a model, now or for its card."""
        if "test_confusion" in model.card.metrics:
            return evaluation_of(model.card)
        return self._known.get(model)

    def check(self, model: Model) -> None:
        """Raise where the model can't be measured: UnknownDataset, DatasetUnavailable for one that
        isn't here, NotEvaluated for a data set of other classes, QueueFull."""
        if self.known(model):
            return
        check_classes(model.card, _find_here(model.card.dataset, self._folders))
        if model not in self._going and len(self._going) >= MOST_WAITING:
            raise QueueFull(
                f"{MOST_WAITING} models are being measured already. Try again in a moment."
            )

    async def follow(self, model: Model) -> AsyncIterator[Said]:
        """The newest progress, whenever there is some, and in the end the evaluation or why there
        is none. All who follow the same model watch one evaluation."""
        if known := self.known(model):
            yield known
            return
        going = self._going.get(model) or self._start(model)
        going.viewers += 1
        try:
            while not isinstance(going.said, Evaluation | Failed):
                changed = going.changed
                if going.said:
                    yield going.said
                await changed.wait()
            yield going.said
        finally:
            going.viewers -= 1
            if not going.viewers:
                going.stop.set()
                self._drop(model, going)

    def leave(self) -> None:
        """Stop whatever is being measured and tell its viewers, on the event loop."""
        for going in self._going.values():
            going.stop.set()
            going.tell(Failed("The server is stopping. Measure it again when it is back."))

    def close(self) -> None:
        """End the thread, which stops after the images that it is at."""
        for going in self._going.values():
            going.stop.set()
        self._pool.shutdown(cancel_futures=True)

    def _start(self, model: Model) -> _Going:
        self._going[model] = going = _Going()
        self._pool.submit(self._measure, model, going, asyncio.get_running_loop())
        return going

    def _drop(self, model: Model, going: _Going) -> None:
        if self._going.get(model) is going:
            del self._going[model]

    def _measure(self, model: Model, going: _Going, loop: asyncio.AbstractEventLoop) -> None:
        """Runs in the thread."""

        def tell(said: Said) -> None:
            if not going.stop.is_set():
                loop.call_soon_threadsafe(self._tell, model, going, said)

        try:
            self._evaluate(model, going, tell)
        except ConvScopeError as error:
            tell(Failed(str(error)))
        except Exception:
            logger.exception("%s could not be measured.", model.card.name)
            tell(Failed("Something went wrong on the server. Its log says what; please report it."))

    def _evaluate(self, model: Model, going: _Going, tell: Callable[[Said], None]) -> None:
        if going.stop.is_set():
            return
        dataset = _find_here(model.card.dataset, self._folders)
        split = load_split(dataset.name, "test", self._folders)
        # Of modules of its own: a trace's hooks would see these images, too.
        for said in evaluate_in_parts(model.share_network(), split, model.card):
            tell(said)
            if going.stop.is_set():
                return

    def _tell(self, model: Model, going: _Going, said: Said) -> None:
        if isinstance(said, Evaluation):
            self._known[model] = said
        if not isinstance(said, Progress):
            self._drop(model, going)
        going.tell(said)


def _find_here(name: str, folders: DatasetFolders) -> Dataset:
    """A data set that is kept here. Who only looks at a model doesn't have one downloaded."""
    dataset = find_dataset(name, folders)
    if dataset.test_images is None:
        raise DatasetUnavailable(
            f"{dataset.title} is not here, and isn't fetched only to measure a model. Run "
            f"convscope data fetch {name} where the server runs, and measure again."
        )
    return dataset


def check_classes(card: ModelCard, dataset: Dataset) -> None:
    """Raise NotEvaluated where a data set has other classes than a model, or in another order."""
    if dataset.classes != card.classes:
        raise NotEvaluated(
            f"{card.name} can't be measured: its classes are not those of {dataset.name}. Take a "
            "data set that has the same ones in the same order."
        )


def _stand_back() -> None:
    """Let the thread that this is called in have what others leave of the processor."""
    if sys.platform == "linux":  # Elsewhere only processes have a priority of their own.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
