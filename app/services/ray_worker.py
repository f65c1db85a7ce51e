"""A training on a node of a Ray cluster. Nothing comes to it by path: it is handed bytes."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import ray

from app.core.dataset_files import DatasetFolders
from app.core.event_log import Record, decode_records, encode_records, grouped
from app.core.recipes import Recipe
from app.core.states import current_version
from app.core.tuning import remember_tunings, remembered_tunings
from app.services.training_reports import Gate, report


class RayWorker:
    """Trains one run, in a process of its own: an actor of Ray's."""

    def __init__(self, paused: bool) -> None:
        self._gate = Gate(paused)

    def node(self) -> str:
        """The id of the node that it is on."""
        node: str = ray.get_runtime_context().get_node_id()
        return node

    def pause(self, paused: bool) -> None:
        """Hold the training after the batch that it is at, or let it go on."""
        self._gate.set(paused)

    def train(self, order: bytes, dataset: npt.NDArray[np.uint8] | None) -> Iterator[bytes]:
        """What the training reports, group by group: an epoch arrives with its state or not at all.

        ``order`` is a record: what to train with how many threads, the version of the server, how
        networks are tuned, and the state to go on from. ``dataset`` is the data set's file.
        """
        (wanted,) = decode_records(order)
        if (here := current_version()) != wanted.facts["version"]:
            yield encode_records([_refuse(wanted.facts["version"], here)])
            return
        with TemporaryDirectory(prefix="convscope-") as folder:
            records = self._begin(wanted, dataset, Path(folder))
            first = next(records)
            tunings = remembered_tunings(Path(folder))
        # From the first record on the images are in memory, and nothing is left that a worker that
        # is killed could leave behind.
        yield encode_records([Record("tunings", tunings), first])
        for group in grouped(records):
            yield encode_records(group)

    def _begin(
        self, order: Record, dataset: npt.NDArray[np.uint8] | None, folder: Path
    ) -> Iterator[Record]:
        """The records of a training that finds all it needs in ``folder``."""
        facts: dict[str, Any] = order.facts
        recipe, folders = Recipe.from_dict(facts["recipe"]), DatasetFolders(folder, folder)
        if not recipe.resources.get("gpus"):
            os.environ["CUDA_VISIBLE_DEVICES"] = ""  # A GPU there may be is another run's.
        remember_tunings(folder, facts["tunings"])
        if dataset is not None:
            dataset.tofile(folders.file(recipe.dataset))
        return report(recipe, folders, facts["threads"], order.content or None, self._gate)


def _refuse(server: str, here: str) -> Record:
    return Record(
        "failed",
        {
            "error": f"A node of the cluster has {here}, the server {server}, and they would come "
            "to other weights. Install the same on both."
        },
    )
