"""What every engine must do, asked of each: here in processes, there on a real Ray cluster."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import ray
import torch

from app.core.dataset_files import Dataset, DatasetFolders, Split, save_dataset
from app.core.errors import InvalidSettings
from app.core.event_log import Record, decode_records, encode_records, record_of
from app.core.recipes import Recipe
from app.core.states import current_version
from app.core.training import train
from app.main import create_engine
from app.services.engine import Engine
from app.services.local_engine import LocalEngine
from app.services.ray_engine import RayEngine
from app.services.ray_worker import RayWorker
from app.services.run_store import RunStore
from app.services.trainer import Trainer
from app.services.training_reports import EARLY
from app.settings import Settings
from tests.services.ray_nodes import ROOT, Node, start_head, wait_until

SHORT = Recipe("simple-cnn", "optdigits", epochs=2)
LONG = replace(SHORT, epochs=2000)


@dataclass
class Place:
    """An engine, and where it trains: on a node, or in children of this process."""

    engine: Engine
    node: Node | None

    def workers(self) -> list[int]:
        if self.node:
            return self.node.workers()
        command = ["pgrep", "-P", str(os.getpid()), "-f", "app.services.training_process"]
        found = subprocess.run(command, capture_output=True, text=True)
        return [int(line) for line in found.stdout.split()]


class Watched:
    """A live run whose records are heard as they come."""

    def __init__(self, place: Place, recipe: Recipe, state: bytes | None = None) -> None:
        self.heard: list[Record] = []
        self.run = place.engine.launch(recipe, state)
        self.thread = Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self) -> None:
        for record in self.run.events():
            self.heard.append(record)

    def kinds(self) -> list[str]:
        """What it reported, but for its batches and that it waited."""
        return [one.kind for one in self.heard if one.kind != "batch" and "notice" not in one.facts]

    def wait_for(self, kind: str) -> None:
        wait_until(lambda: kind in self.kinds())

    def end(self) -> Record:
        """The last record."""
        self.thread.join(300)
        assert not self.thread.is_alive()
        return self.heard[-1]


@pytest.fixture(scope="module")
def folders() -> Iterator[DatasetFolders]:
    with tempfile.TemporaryDirectory() as folder:
        yield DatasetFolders(Path(folder), Path(folder))


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[str, Node, Path]]:
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    address, head = start_head(folder)
    yield address, head, folder
    # Ray ends every process that is still joined a minute after its head, this one too.
    ray.shutdown()
    head.kill()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def on_ray(cluster: tuple[str, Node, Path], folders: DatasetFolders) -> Iterator[Place]:
    with pytest.MonkeyPatch.context() as patch:
        # A token that lies in somebody's home is none of this cluster's.
        patch.setenv("RAY_AUTH_MODE", "disabled")
        engine = RayEngine(cluster[0], folders, threads=1)
        yield Place(engine, cluster[1])
        engine.close()


@pytest.fixture(params=["local", "ray"])
def place(request: pytest.FixtureRequest, folders: DatasetFolders) -> Place:
    if request.param == "local":
        return Place(LocalEngine(folders, threads=1), None)
    found: Place = request.getfixturevalue("on_ray")
    return found


@pytest.fixture(scope="module")
def expected(folders: DatasetFolders) -> list[Record]:
    """What training says by itself, in this process and with one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    records = [record_of(event) for event in train(SHORT, folders, early=EARLY)]
    torch.set_num_threads(threads)
    return records


def weights(records: list[Record]) -> list[tuple[str, object, bytes]]:
    """The weights in the order in which they came; times are in no weights."""
    told = ("snapshot", "finished")
    return [(one.kind, one.facts["epoch"], one.content) for one in records if one.kind in told]


def test_it_reports_what_training_does_to_the_same_bits(
    place: Place, expected: list[Record]
) -> None:
    run = Watched(place, SHORT)
    assert run.end().kind == "finished"
    assert run.kinds() == [
        *("started", *len(EARLY) * ["snapshot"]),
        *("epoch", "snapshot", "state"),
        *("epoch", "snapshot", "state"),
        "finished",
    ]
    assert weights(run.heard) == weights(expected)
    assert any(one.kind == "batch" for one in run.heard)
    wait_until(lambda: place.workers() == [])


def test_it_goes_on_from_a_state(place: Place, expected: list[Record]) -> None:
    state = next(one.content for one in expected if one.kind == "state")
    run = Watched(place, SHORT, state)
    assert run.end().kind == "finished"
    assert weights(run.heard) == weights(expected)[len(EARLY) + 1 :]


def test_it_holds_goes_on_and_stops(place: Place) -> None:
    run = Watched(place, LONG)
    run.wait_for("epoch")
    run.run.pause()
    run.wait_for("paused")
    before = len(run.heard)
    # Nothing tells that nothing comes but a while in which nothing did.
    run.thread.join(1)
    assert len(run.heard) == before
    run.run.resume()
    wait_until(lambda: len(run.heard) > before + 1)
    assert run.heard[before].kind == "running"
    run.run.stop()
    assert run.end().kind not in ("finished", "failed")
    wait_until(lambda: place.workers() == [])


def test_it_may_be_stopped_at_once_and_twice(place: Place) -> None:
    run = Watched(place, LONG)
    run.run.stop()
    run.run.stop()
    run.thread.join(300)
    assert [one.kind for one in run.heard if one.kind in ("finished", "failed")] == []
    wait_until(lambda: place.workers() == [])


def test_a_rate_that_diverges_fails_with_its_reason(place: Place) -> None:
    wild = replace(SHORT, optimizer="sgd", learning_rate=100, weight_decay=100)
    end = Watched(place, wild).end()
    assert end.kind == "failed"
    assert "Start again with a lower learning rate than 100" in end.facts["error"]


def test_a_killed_worker_fails_its_run_with_the_reason(place: Place) -> None:
    run = Watched(place, LONG)
    run.wait_for("state")
    (worker,) = place.workers()
    os.kill(worker, signal.SIGKILL)
    end = run.end()
    assert end.kind == "failed"
    assert "was killed, most likely because memory ran out" in end.facts["error"]


def save_own(name: str, folder: Path) -> Path:
    """A data set of 40 pictures to train on."""
    images = torch.randint(256, (50, 1, 28, 28), dtype=torch.uint8)
    train, test = (
        Split(part.clone(), torch.arange(len(part)) % 10) for part in (images[:40], images[40:])
    )
    facts = Dataset(name, name, tuple("0123456789"), (1, 28, 28))
    return save_dataset(folder, facts, train, test)


def test_a_data_set_of_the_users_own_is_there(place: Place, folders: DatasetFolders) -> None:
    name = "own-local" if place.node is None else "own-ray"
    save_own(name, folders.kept)
    run = Watched(place, replace(SHORT, dataset=name, epochs=1, batch_size=16))
    assert run.end().kind == "finished", run.end().facts
    started = next(one for one in run.heard if one.kind == "started")
    assert started.facts["training_images"] == 36


def test_the_recipe_says_how_many_threads(folders: DatasetFolders) -> None:
    place = Place(LocalEngine(folders, threads=1), None)
    run = Watched(place, replace(LONG, resources={"cpus": 2}))
    (worker,) = place.workers()
    assert b"OMP_NUM_THREADS=2\0" in Path(f"/proc/{worker}/environ").read_bytes()
    run.run.stop()
    run.thread.join(300)


def test_a_worker_needs_no_folder_of_the_servers(
    on_ray: Place, cluster: tuple[str, Node, Path], tmp_path: Path
) -> None:
    content = np.fromfile(save_own("gone", tmp_path), np.uint8)
    shutil.rmtree(tmp_path)
    recipe = replace(SHORT, dataset="gone", epochs=1, batch_size=16).to_dict()
    facts = {"recipe": recipe, "threads": 1, "version": current_version(), "tunings": {}}
    order = encode_records([Record("order", facts)])
    worker: Any = ray.remote(RayWorker).remote(False)
    groups = worker.train.options(num_returns="streaming").remote(order, content)
    kinds = [one.kind for group in groups for one in decode_records(ray.get(group))]
    assert kinds[0] == "tunings"
    assert kinds[-1] == "finished"
    # What it needed of the disk is gone, too.
    assert list(cluster[2].glob("convscope-*")) == []
    # And one of another version would come to other bits.
    other = encode_records([Record("order", facts | {"version": "convscope 0.0.1"})])
    groups = worker.train.options(num_returns="streaming").remote(other, content)
    ((refusal,),) = [list(decode_records(ray.get(group))) for group in groups]
    assert "the server convscope 0.0.1" in refusal.facts["error"]
    ray.kill(worker)


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"cpus": 512}, "No node of the cluster has 512 CPUs, .* there are nodes of 1 CPU"),
        ({"gpus": 0.5}, "No node of the cluster has 1 CPU and 0.5 GPUs, "),
    ],
)
def test_what_no_node_has_is_refused(
    on_ray: Place, resources: dict[str, float], words: str
) -> None:
    (end,) = on_ray.engine.launch(replace(SHORT, resources=resources)).events()
    assert end.kind == "failed"
    assert re.search(words, end.facts["error"])


def test_a_lost_node_loses_no_finished_epoch(
    on_ray: Place, cluster: tuple[str, Node, Path], folders: DatasetFolders, tmp_path: Path
) -> None:
    recipe = replace(SHORT, epochs=12, batch_size=16)
    store = RunStore(tmp_path / "runs.sqlite")
    trainer = Trainer(store, on_ray.engine, 2, lambda event: None)
    # The first node's only CPU is taken before the second node comes.
    first = trainer.launch(LONG, "first").id
    wait_until(lambda: store.get(first).epoch > 0)
    second = Node(cluster[2], f"--address={cluster[0]}")
    run = trainer.launch(recipe, "lost").id
    wait_until(lambda: store.get(run).epoch > 1)
    assert len(second.workers()) == 1
    second.kill()
    trainer.cancel(first)
    wait_until(lambda: store.get(run).ended)
    assert store.get(run).state == "finished", store.get(run).error
    trainer.close()
    events = store.events(run)
    epochs = [event.facts["epoch"] for event in events if event.kind == "epoch"]
    assert epochs == list(range(1, 13))
    again = [event.facts for event in events if "from_epoch" in event.facts]
    assert len(again) == 2
    assert again[1]["from_epoch"] > 1
    assert "The node that trained was lost" in again[1]["notice"]
    whole = Watched(Place(LocalEngine(folders, threads=1), None), recipe)
    assert whole.end().kind == "finished"
    (content,) = (r.content for r in whole.heard if r.kind == "snapshot" and r.facts["epoch"] == 12)
    assert store.snapshot(run, 12) == content
    store.close()


def test_a_cluster_that_does_not_answer_is_told_at_the_start(tmp_path: Path) -> None:
    settings = {"CONVSCOPE_ENGINE": "ray", "CONVSCOPE_RAY_ADDRESS": "127.0.0.1:1"}
    served = subprocess.run(
        [sys.executable, "-m", "app.cli", "serve", "--port", "0"],
        cwd=ROOT,
        env={**os.environ, **settings, "CONVSCOPE_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert served.returncode == 1
    assert "CONVSCOPE_RAY_ADDRESS is '127.0.0.1:1', where no Ray cluster" in served.stderr
    assert "Traceback" not in served.stderr


def test_a_package_that_is_not_there_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    for name in ("ray_engine", "ray_cluster", "ray_worker"):
        monkeypatch.delitem(sys.modules, f"app.services.{name}")
    with pytest.raises(InvalidSettings, match=re.escape("pip install 'convscope[ray]'")):
        create_engine(Settings(engine="ray"))
