"""Trainings on a Ray cluster, each through the loss of the node that it is on.

The package ray, which this needs, is an extra.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from threading import Lock, Thread
from typing import Any, TypeVar

import ray
from ray.exceptions import ActorDiedError, OutOfMemoryError, RayError, RayTaskError

from app.core.dataset_files import DatasetFolders
from app.core.errors import ConvScopeError
from app.core.event_log import Record, decode_records, encode_records
from app.core.recipes import Recipe
from app.core.states import current_version, decode_state
from app.services.engine import LiveRun
from app.services.local_engine import KILLED
from app.services.ray_cluster import RayCluster, in_words, live_nodes
from app.services.ray_worker import RayWorker

# How many nodes a run may lose before it fails.
LOSSES = 3
# How long a worker may take to begin before the run's page says what is waited for.
PATIENCE_SECONDS = 10
Result = TypeVar("Result")


class NodeLost(Exception):
    """The node that trained is gone, or can't be reached any more."""


class RayEngine:
    """Trains on the nodes of the cluster at ``address``, with so many threads unless a recipe says
    how many. Raises InvalidSettings where no cluster can be joined.
    """

    def __init__(self, address: str, folders: DatasetFolders, threads: int) -> None:
        self._cluster = RayCluster(address, folders, threads)

    def launch(self, recipe: Recipe, state: bytes | None = None) -> LiveRun:
        """Begin a training, or go on from a state."""
        return RayRun(self._cluster, recipe, state)

    def close(self) -> None:
        """Leave the cluster, which goes on without this server."""
        self._cluster.leave()


class RayRun:
    """A run that begins when its events are asked for."""

    def __init__(self, cluster: RayCluster, recipe: Recipe, state: bytes | None) -> None:
        self._cluster = cluster
        self._recipe = recipe
        self._state = state
        self._changing = Lock()
        self._worker: Any = None
        self._paused = False
        self._stopped: Future[None] = Future()

    def events(self) -> Iterator[Record]:
        """What it reports; the last is "finished" or "failed", unless it was stopped."""
        try:
            yield from self._attempts()
        except (ConvScopeError, RayError) as error:
            if not self._stopped.done():
                yield Record("failed", {"error": _in_words(error)})

    def pause(self) -> None:
        """Hold it after the batch that it is at."""
        self._hold(True)

    def resume(self) -> None:
        """Let it go on."""
        self._hold(False)

    def stop(self) -> None:
        """End it now."""
        with self._changing:
            if not self._stopped.done():
                self._stopped.set_result(None)
        self._dismiss()

    def _hold(self, paused: bool) -> None:
        with self._changing:
            self._paused = paused
            if self._worker is not None:
                self._worker.pause.remote(paused)

    def _attempts(self) -> Iterator[Record]:
        """Train; where the node is lost, go on from the last state on another."""
        self._cluster.insist_on_room(self._recipe)
        dataset = self._unless_stopped(lambda: self._cluster.put_dataset(self._recipe.dataset))
        for lost in range(LOSSES + 1):
            if lost:
                yield self._begin_again()
            try:
                yield from self._train(dataset)
                return
            except NodeLost:
                if self._stopped.done():
                    return
            finally:
                self._dismiss()
        error = f"{LOSSES + 1} nodes were lost one after another while they trained this run."
        yield Record("failed", {"error": error})

    def _train(self, dataset: object) -> Iterator[Record]:
        """What one worker reports. Raises NodeLost, and RayError for its other ends."""
        if (worker := self._hire()) is None:
            return
        node = None
        try:
            place = worker.node.remote()
            if not ray.wait([place], timeout=PATIENCE_SECONDS)[0]:
                yield self._waiting()
            node = ray.get(place)
            groups = worker.train.options(num_returns="streaming").remote(self._order(), dataset)
            for group in groups:
                yield from self._taken(decode_records(ray.get(group)))
        except (OutOfMemoryError, RayTaskError):
            raise
        except ActorDiedError as error:
            if error.actor_init_failed or (node is not None and _is_alive(node)):
                raise
            raise NodeLost from error
        except RayError as error:
            raise NodeLost from error

    def _taken(self, records: Iterator[Record]) -> Iterator[Record]:
        """The records of one group, without those that are for the engine alone."""
        for record in records:
            if record.kind == "tunings":
                self._cluster.remember(record.facts)
                continue
            if record.kind == "state":
                self._state = record.content
            yield record

    def _hire(self) -> Any:  # noqa: ANN401
        """A worker, once there is room for one; None if the run was stopped."""
        cpus, gpus = self._cluster.needs(self._recipe)
        with self._changing:
            # Where the cluster has been left, Ray would start one of its own.
            if self._stopped.done() or not ray.is_initialized():
                return None
            # One thread trains, another one listens.
            wanted = {"num_cpus": cpus, "num_gpus": gpus, "max_concurrency": 2}
            self._worker = ray.remote(RayWorker).options(**wanted).remote(self._paused)
            return self._worker

    def _dismiss(self) -> None:
        with self._changing:
            worker, self._worker = self._worker, None
        if worker is not None and ray.is_initialized():
            ray.kill(worker)

    def _order(self) -> bytes:
        facts = {
            "recipe": self._recipe.to_dict(),
            "threads": self._cluster.needs(self._recipe)[0],
            "version": current_version(),
            "tunings": self._cluster.tunings(),
        }
        return encode_records([Record("order", facts, self._state or b"")])

    def _begin_again(self) -> Record:
        epoch = len(decode_state(self._state).epochs) if self._state else 0
        goes_on = f"goes on after epoch {epoch}" if epoch else "begins anew"
        notice = f"The node that trained was lost; the run {goes_on} on another."
        return Record("running", {"from_epoch": epoch, "notice": notice})

    def _waiting(self) -> Record:
        needs = in_words(*self._cluster.needs(self._recipe))
        return Record("running", {"notice": f"Waiting for a worker on a node with {needs} free."})

    def _unless_stopped(self, work: Callable[[], Result]) -> Result | None:
        """What ``work`` returns, which may take minutes; a run that is stopped doesn't wait."""
        done: Future[Result] = Future()

        def run() -> None:
            try:
                done.set_result(work())
            except Exception as error:
                done.set_exception(error)

        Thread(target=run, daemon=True).start()
        either: list[Future[Any]] = [done, self._stopped]
        wait(either, return_when=FIRST_COMPLETED)
        return None if self._stopped.done() else done.result()


def _is_alive(node: str) -> bool:
    return any(one["NodeID"] == node for one in live_nodes())


def _in_words(error: Exception) -> str:
    """What ended a training, and what to do."""
    if isinstance(error, ConvScopeError):
        return str(error)
    if isinstance(error, OutOfMemoryError):
        return (
            "Ray ended the training because its node ran out of memory. Try a smaller batch_size, "
            "or a node with more."
        )
    if isinstance(error, ActorDiedError) and not error.actor_init_failed:
        return KILLED
    last = str(error).strip().rpartition("\n")[2]
    return f"The training ended unexpectedly on its node: {last}"
