"""Predictions and traces, in threads and without: the right answer to each, whatever goes on."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from app.core.errors import EmptyDrawing
from app.core.images import Picture, picture_from_pixels
from app.core.model import Model, Prediction
from app.services.batcher import LITTLE_WORK, Batcher
from app.services.model_library import ModelLibrary
from app.services.predictor import Predictor, Source, Traced
from models.registry import ModelCard, blank_card


@pytest.fixture
async def predictor() -> AsyncIterator[Predictor]:
    one = Predictor()
    yield one
    await one.close()


@pytest.fixture(scope="module")
def library() -> ModelLibrary:
    return ModelLibrary(torch.device("cpu"))


def picture(seed: int) -> Picture:
    numbers = np.random.default_rng(seed).integers(1, 256, (28, 28))
    return picture_from_pixels(numbers.tolist())


def source(seed: int, little: bool = False) -> Source:
    return Source(lambda: picture(seed), little)


def expected(model: Model, seed: int) -> Tensor:
    with torch.inference_mode():
        logits = model.network(torch.from_numpy(picture(seed).pixels / 255).float()[None, None])
    return torch.as_tensor(logits[0])


def check(model: Model, seed: int, logits: Tensor) -> None:
    torch.testing.assert_close(logits, expected(model, seed), rtol=1e-5, atol=1e-5)


async def test_many_at_once_get_their_own_answers(
    predictor: Predictor, library: ModelLibrary
) -> None:
    models = [library.get("digits"), library.get("convnet-revisited")]
    # Beforehand, since the hooks of a trace would see these passes too.
    right = {(seed, n): expected(models[n], seed) for seed in range(34) for n in range(2)}

    def check(seed: int, number: int, logits: Tensor) -> None:
        torch.testing.assert_close(logits, right[seed, number], rtol=1e-5, atol=1e-5)

    async def predict(seed: int) -> None:
        model = models[seed % 2]
        sizes = seed % 3 + 1
        seeds = range(seed, seed + sizes)
        little = seed % 5 > 2
        predicted = await predictor.predict(model, [source(one, little) for one in seeds])
        assert len(predicted.predictions) == sizes
        for one, prediction in zip(seeds, predicted.predictions, strict=True):
            check(one, seed % 2, prediction.logits)
            torch.testing.assert_close(prediction.probabilities, prediction.logits.softmax(0))

    async def trace(seed: int) -> None:
        model = models[seed % 2]
        traced = await predictor.trace(model, source(seed).read, lambda traced: traced)
        check(seed, seed % 2, traced.trace.logits)
        torch.testing.assert_close(traced.trace.input, traced.prepared.tensor)
        last = model.layers[-1].name
        assert torch.equal(traced.trace.activations[last], traced.trace.probabilities)

    await asyncio.gather(*(predict(seed) for seed in range(32)), *(trace(s) for s in range(32)))


async def test_times_add_up(predictor: Predictor, library: ModelLibrary) -> None:
    model = library.get()
    predicted = await predictor.predict(model, [source(0)])
    traced: Traced = await predictor.trace(model, source(0).read, lambda traced: traced)
    for timing in (predicted.timing, traced.timing):
        assert timing.preparing > 0
        assert timing.network > 0
        assert timing.preparing + timing.network <= timing.elapsed


async def test_what_goes_wrong_is_raised_where_it_was_asked(
    predictor: Predictor, library: ModelLibrary
) -> None:
    def read() -> Picture:
        return picture_from_pixels([[0] * 28] * 28)

    model, blank = library.get(), Source(read)
    for one in (blank, Source(read, little=True)):
        with pytest.raises(EmptyDrawing, match=r"^There is nothing"):
            await predictor.predict(model, [one])
    with pytest.raises(EmptyDrawing, match=r"^There is nothing"):
        await predictor.trace(model, read, lambda traced: traced)
    with pytest.raises(EmptyDrawing, match=r"^Picture 3 of 3: There is nothing"):
        await predictor.predict(model, [source(0), source(1), blank])
    with pytest.raises(ZeroDivisionError):
        await predictor.trace(model, source(0).read, lambda traced: 1 / 0)
    check(model, 5, (await predictor.predict(model, [source(5)])).predictions[0].logits)


async def test_a_model_that_fails_tells_all_who_wait(predictor: Predictor) -> None:
    gate = Gate()
    model: Any = FakeModel(gate=gate, fails=True)
    answers = [asyncio.create_task(predictor.predict(model, [source(n)])) for n in range(4)]
    await gate.wait_until_reached()
    gate.open.set()
    for answer in answers:
        with pytest.raises(RuntimeError, match="out of order"):
            await answer


async def test_who_goes_away_does_not_disturb_the_others(
    predictor: Predictor, library: ModelLibrary
) -> None:
    gate = Gate()
    blocking: Any = FakeModel(gate=gate)
    model = library.get()
    first = asyncio.create_task(predictor.predict(blocking, [source(0)]))
    await gate.wait_until_reached()
    tasks = [asyncio.create_task(predictor.predict(model, [source(n)])) for n in range(12)]
    await asyncio.sleep(0)
    gone = [*tasks[::2], first]
    for task in gone:
        task.cancel()
    gate.open.set()
    for task in gone:
        with pytest.raises(asyncio.CancelledError):
            await task
    for seed in range(1, 12, 2):
        check(model, seed, (await tasks[seed]).predictions[0].logits)


async def test_closing_answers_what_was_accepted() -> None:
    gate = Gate()
    model: Any = FakeModel(gate=gate)
    predictor = Predictor()

    def read(seed: int) -> Picture:
        gate.open.wait(20)
        time.sleep(0.02)  # Nothing waits for the network when the first is done.
        return picture(seed)

    answers = [asyncio.create_task(predictor.predict(model, [source(0)]))]
    await gate.wait_until_reached()
    slow = [Source(partial(read, seed)) for seed in range(1, 8)]
    answers += [asyncio.create_task(predictor.predict(model, [one])) for one in slow]
    await asyncio.sleep(0)
    closing = asyncio.create_task(predictor.close())
    gate.open.set()
    await closing
    assert [len((await answer).predictions) for answer in answers] == [1] * 8
    names = {thread.name for thread in threading.enumerate()}
    assert not any(name.startswith("predictor") for name in names)


async def test_other_work_runs_in_the_same_threads(predictor: Predictor) -> None:
    name = await predictor.run(lambda: threading.current_thread().name)
    assert name.startswith("predictor")


@dataclass
class Gate:
    """Holds whoever runs the network, so that what comes meanwhile has to wait."""

    reached: threading.Event = field(default_factory=threading.Event)
    open: threading.Event = field(default_factory=threading.Event)

    async def wait_until_reached(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, 20)


@dataclass(eq=False)
class FakeModel:
    """A model that waits at a gate and counts what it is given at once."""

    gate: Gate
    fails: bool = False
    batches: list[int] = field(default_factory=list)
    multiply_adds: int = LITTLE_WORK + 1
    card: ModelCard = field(default_factory=lambda: blank_card("digits"))

    def predict(self, inputs: Tensor) -> list[Prediction]:
        self.batches.append(len(inputs))
        self.gate.reached.set()
        assert self.gate.open.wait(20)
        if self.fails:
            raise RuntimeError("out of order")
        return [Prediction(("a",), one.flatten()[:1], torch.ones(1)) for one in inputs]


async def test_what_waits_is_one_batch() -> None:
    gate = Gate()
    model: Any = FakeModel(gate)

    def numbers(number: int, size: int) -> Tensor:
        return torch.arange(size, dtype=torch.float).add(100 * number).reshape(size, 1, 1, 1)

    with ThreadPoolExecutor(1) as pool:
        batcher = Batcher(pool)

        async def predict(number: int, size: int) -> list[float]:
            answer = await batcher.predict(model, numbers(number, size))
            assert answer.seconds > 0
            return [float(one.logits) for one in answer.predictions]

        first = asyncio.create_task(predict(0, 1))
        await gate.wait_until_reached()
        sizes = [2, 3, 60, 5]
        others = [asyncio.create_task(predict(*one)) for one in enumerate(sizes, 1)]
        await asyncio.sleep(0)
        gate.open.set()
        answers = await asyncio.gather(first, *others)
    # The one before the gate; all that it takes to fill a batch; the rest.
    assert model.batches == [1, 65, 5]
    for number, (size, answer) in enumerate(zip([1, *sizes], answers, strict=True)):
        assert answer == [100 * number + place for place in range(size)]


async def test_those_for_one_model_are_a_batch_whatever_waits_between() -> None:
    gate = Gate()
    models: list[Any] = [FakeModel(gate), FakeModel(gate)]
    with ThreadPoolExecutor(1) as pool:
        batcher = Batcher(pool)
        asked = [batcher.predict(models[n % 2], torch.full((1, 1, 1, 1), n)) for n in range(9)]
        first = asyncio.create_task(asked[0])
        await gate.wait_until_reached()
        others = [asyncio.create_task(one) for one in asked[1:]]
        await asyncio.sleep(0)
        gate.open.set()
        answers = await asyncio.gather(first, *others)
    assert [float(one.predictions[0].logits) for one in answers] == list(range(9))
    assert [model.batches for model in models] == [[1, 4], [4]]


async def test_little_work_needs_no_thread(library: ModelLibrary) -> None:
    with ThreadPoolExecutor(1) as pool:
        batcher, model = Batcher(pool), library.get("simple-cnn")
        inputs = torch.rand(3, 1, 28, 28)
        few = await batcher.predict(model, inputs)
        assert pool._threads == set()
        many = await batcher.predict(
            model, inputs.repeat(LITTLE_WORK // model.multiply_adds, 1, 1, 1)
        )
        assert len(pool._threads) == 1
    with torch.inference_mode():
        right = model.network(inputs)
    for answer in (few, many):
        found = torch.stack([one.logits for one in answer.predictions[-3:]])
        torch.testing.assert_close(found, right, rtol=1e-5, atol=1e-5)
