"""Models measured in the background, beside the same measured at once."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from torch import nn

import app.services.evaluator as module
from app.core.dataset_files import PARTS, DatasetFolders, save_dataset
from app.core.datasets import UnknownDataset, find_dataset, load_split
from app.core.errors import DatasetUnavailable, NotEvaluated, QueueFull
from app.core.evaluating import Evaluation, Progress, evaluate
from app.core.model import Model
from app.services.evaluator import Evaluator, Failed, Said
from models.registry import blank_card, create_network
from tests.core.test_datasets import write_mnist

pytestmark = pytest.mark.anyio


@pytest.fixture
def folders(tmp_path: Path) -> DatasetFolders:
    return DatasetFolders(tmp_path, tmp_path)


@pytest.fixture
def evaluator(folders: DatasetFolders) -> Iterator[Evaluator]:
    opened = Evaluator(folders)
    yield opened
    opened.close()


def create(dataset: str = "optdigits", hold: Callable[[], None] = lambda: None) -> Model:
    """A model that calls ``hold`` before each part of its work."""

    class Held(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = create_network("simple-cnn")

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            if len(pictures) > 1:
                hold()
            logits: torch.Tensor = self.inner(pictures)
            return logits

    torch.manual_seed(0)
    card = replace(blank_card("simple-cnn"), dataset=dataset)
    return Model.of(card, Held().eval(), torch.device("cpu"))


async def collect(evaluator: Evaluator, model: Model) -> list[Said]:
    return [said async for said in evaluator.follow(model)]


async def test_it_is_the_evaluation_with_progress_before(
    evaluator: Evaluator, folders: DatasetFolders
) -> None:
    model = create()
    evaluator.check(model)
    *progress, last = await collect(evaluator, model)
    expected = evaluate(model.network, load_split("optdigits", "test", folders), model.card)
    assert isinstance(last, Evaluation)
    assert last.confusion.equal(expected.confusion)
    assert last.loss == pytest.approx(expected.loss)
    assert progress
    done = []
    for said in progress:
        assert isinstance(said, Progress)
        assert said.total == 360
        assert 0 <= said.right <= said.done
        done.append(said.done)
    assert done == sorted(done)
    assert evaluator.known(model) is last
    assert await collect(evaluator, model) == [last]


async def test_viewers_of_one_model_share_an_evaluation(evaluator: Evaluator) -> None:
    entered, parts = threading.Event(), []
    go = threading.Event()

    def hold() -> None:
        parts.append(threading.get_ident())
        entered.set()
        go.wait(30)

    model = create(hold=hold)
    viewers = [asyncio.create_task(collect(evaluator, model)) for _ in range(3)]
    await asyncio.to_thread(entered.wait, 30)
    go.set()
    ends = [(await viewer)[-1] for viewer in viewers]
    assert ends[0] is ends[1] is ends[2]
    assert len(parts) == 6  # 360 images, 64 at a time
    assert len(set(parts)) == 1
    assert parts[0] != threading.get_ident()


async def test_it_stops_when_nobody_watches_any_more(evaluator: Evaluator) -> None:
    entered, go, parts = threading.Event(), threading.Event(), []

    def hold() -> None:
        parts.append(1)
        entered.set()
        go.wait(30)

    model = create(hold=hold)
    one, other = (asyncio.create_task(collect(evaluator, model)) for _ in range(2))
    await asyncio.to_thread(entered.wait, 30)
    one.cancel()
    await asyncio.wait([one])
    assert not other.done()
    other.cancel()
    await asyncio.wait([other])
    go.set()
    # The thread is free again: another model is measured by it.
    assert isinstance((await collect(evaluator, create()))[-1], Evaluation)
    assert len(parts) == 1
    assert evaluator.known(model) is None


async def test_so_many_wait_and_no_more(
    evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 1)
    entered, go = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        go.wait(30)

    model = create(hold=hold)
    viewer = asyncio.create_task(collect(evaluator, model))
    await asyncio.to_thread(entered.wait, 30)
    evaluator.check(model)
    with pytest.raises(QueueFull, match="1 models are being measured"):
        evaluator.check(create())
    go.set()
    await viewer
    evaluator.check(create())


async def test_what_goes_wrong_is_told(evaluator: Evaluator, folders: DatasetFolders) -> None:
    def fault() -> None:
        raise ZeroDivisionError

    (said,) = await collect(evaluator, create(hold=fault))
    assert isinstance(said, Failed)
    assert "Its log says what" in said.detail
    (said,) = await collect(evaluator, create("nothing"))
    assert said == Failed(
        "There is no data set called 'nothing'. There are: mnist, fashion-mnist, cifar10, "
        "optdigits."
    )


def test_what_cannot_be_measured_is_refused_before(evaluator: Evaluator) -> None:
    with pytest.raises(UnknownDataset, match="no data set called 'nothing'"):
        evaluator.check(create("nothing"))
    model = create()
    letters = tuple("abcdefghij")
    other = Model(replace(model.card, classes=letters), model.network, model.device)
    with pytest.raises(NotEvaluated, match="its classes are not those of optdigits"):
        evaluator.check(other)


def leave_cut(root: Path) -> None:
    """Files of MNIST in torchvision's layout, each of which ends too soon."""
    for path in write_mnist(root, torch.zeros(5, 28, 28, dtype=torch.uint8)).iterdir():
        path.write_bytes(path.read_bytes()[:6])


@pytest.mark.parametrize(
    "leave",
    [lambda root: None, lambda root: (root / "MNIST" / "raw").mkdir(parents=True), leave_cut],
    ids=["nothing", "an empty folder", "cut files"],
)
async def test_no_data_set_is_fetched_to_measure_a_model(
    evaluator: Evaluator,
    folders: DatasetFolders,
    monkeypatch: pytest.MonkeyPatch,
    leave: Callable[[Path], None],
) -> None:
    leave(folders.downloads)
    asked = []

    def refuse(address: tuple[str, int], *words: object, **more: object) -> NoReturn:
        asked.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    model = create("mnist")
    with pytest.raises(DatasetUnavailable, match="convscope data fetch mnist"):
        evaluator.check(model)
    (said,) = await collect(evaluator, model)
    assert isinstance(said, Failed)
    assert "convscope data fetch mnist" in said.detail
    assert asked == []
    # Once it is here it is measured.
    train, test = (load_split("optdigits", part, folders).first(70) for part in PARTS)
    save_dataset(folders.kept, find_dataset("mnist", folders), train, test)
    evaluator.check(model)
    last = (await collect(evaluator, model))[-1]
    assert isinstance(last, Evaluation)
    assert int(last.confusion.sum()) == 70
