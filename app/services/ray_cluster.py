"""A Ray cluster, and what of this server's its nodes are given."""

import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

import numpy as np
import ray

from app.core.dataset_files import DatasetFolders
from app.core.datasets import keep_dataset
from app.core.errors import ConvScopeError, InvalidSettings
from app.core.recipes import Recipe
from app.core.tuning import remember_tunings, remembered_tunings

KNOCK_SECONDS = 5


class NoRoom(ConvScopeError):
    """A recipe that asks for more than any node of the cluster has."""


class RayCluster:
    """The cluster at ``address``. Raises InvalidSettings where none can be joined.

    A data set goes into Ray's object store when it is first trained on, and stays there until the
    cluster is left; Ray copies it to each node that asks for it, once.
    """

    def __init__(self, address: str, folders: DatasetFolders, threads: int) -> None:
        self._folders = folders
        self._threads = threads
        self._putting = Lock()
        self._datasets: dict[str, tuple[tuple[int, int], object]] = {}
        _connect(address)

    def leave(self) -> None:
        """Leave the cluster, which goes on."""
        ray.shutdown()

    def put_dataset(self, name: str) -> object:
        """The data set's file in the object store; None for the one that every node has."""
        path = keep_dataset(name, self._folders)
        if path is None:
            return None
        facts = path.stat()
        version = facts.st_mtime_ns, facts.st_size
        with self._putting:
            if self._datasets.get(name, (None,))[0] != version:
                self._datasets[name] = version, ray.put(np.fromfile(path, np.uint8))
            return self._datasets[name][1]

    def insist_on_room(self, recipe: Recipe) -> None:
        """Raise NoRoom for a recipe that would wait for ever."""
        cpus, gpus = self.needs(recipe)
        nodes = [node["Resources"] for node in live_nodes()]
        sizes = {(node.get("CPU", 0), node.get("GPU", 0)) for node in nodes}
        if any(size[0] >= cpus and size[1] >= gpus for size in sizes):
            return
        there = ", ".join(in_words(*size) for size in sorted(sizes))
        raise NoRoom(
            f"No node of the cluster has {in_words(cpus, gpus)}, as the recipe's resources ask; "
            f"there are nodes of {there}. Ask for fewer, or add such a node and train again."
        )

    def needs(self, recipe: Recipe) -> tuple[int, float]:
        """How many CPUs of a node, and threads, the recipe is trained with, and how many GPUs."""
        wanted = recipe.resources
        return int(wanted.get("cpus", self._threads)), wanted.get("gpus", 0)

    def tunings(self) -> dict[str, str]:
        """What is remembered of how networks are tuned, of the nodes' processors too."""
        return remembered_tunings(self._folders.kept)

    def remember(self, tunings: dict[str, str]) -> None:
        """Remember what a worker has found out."""
        remember_tunings(self._folders.kept, tunings)


def live_nodes() -> list[dict[str, Any]]:
    """The nodes that answer, as Ray describes them."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node for node in nodes if node["Alive"]]


def _connect(address: str) -> None:
    """Join the cluster. Raises InvalidSettings."""

    def join() -> None:
        _knock(address)
        ray.init(address, namespace="convscope", log_to_driver=False, logging_level=logging.ERROR)

    try:
        # In the main thread Ray would take SIGTERM, by which a server is stopped, for itself.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(join).result()
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        raise InvalidSettings(
            f"CONVSCOPE_RAY_ADDRESS is {address!r}, where no Ray cluster can be joined: {error} "
            "Start one on this machine with `ray start --head`, or join one with `ray start "
            "--address=<head>:6379`; docs/scaling.md says more."
        ) from error


def _knock(address: str) -> None:
    """Raise OSError or ValueError where nothing listens, on which Ray would wait for minutes."""
    if address != "auto":
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), KNOCK_SECONDS).close()


def in_words(cpus: float, gpus: float) -> str:
    """So many processors and graphics processors, such as "1 CPU" or "4 CPUs and 0.5 GPUs"."""
    words = f"{cpus:g} CPU{'s' if cpus != 1 else ''}"
    return f"{words} and {gpus:g} GPU{'s' if gpus != 1 else ''}" if gpus else words
