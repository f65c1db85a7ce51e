"""A run's snapshots as models, which every view and operation takes like any other.

Such a model is called ``<run>@<epoch>``; no other model's name has an @, but for those of its
edits, which have a ~ too.
"""

from collections import OrderedDict
from dataclasses import replace
from threading import Lock

import torch

from app.core.cards import card_of_weights
from app.core.checkpoints import network_of
from app.core.dataset_files import DatasetFolders
from app.core.datasets import find_dataset
from app.core.errors import UnknownModel
from app.core.model import Model
from app.core.recipes import Recipe
from app.services.run_store import Run, RunStore
from models.registry import ModelCard

# Of all that are kept in memory, in bytes of weights; one at least is kept.
MOST_BYTES = 256 * 1024 * 1024


def is_snapshot(name: str) -> bool:
    """Whether a model's name is that of a snapshot."""
    return "@" in name and "~" not in name


def name_of(run: str, epoch: float) -> str:
    """What the model of a snapshot is called."""
    return f"{run}@{epoch:.10g}"


def run_of(name: str) -> str:
    """The id of the run that a snapshot's name begins with."""
    return name.partition("@")[0]


class SnapshotModels:
    """Models of snapshots; those that were asked for last are kept ready."""

    def __init__(self, store: RunStore, folders: DatasetFolders, device: torch.device) -> None:
        self._store = store
        self._folders = folders
        self._device = device
        self._ready: OrderedDict[str, tuple[Model, int]] = OrderedDict()
        self._loading = Lock()
        self._lock = Lock()

    def loaded(self, name: str) -> Model | None:
        """What ``get`` would return at once, without reading a file."""
        with self._lock:
            if name not in self._ready:
                return None
            self._ready.move_to_end(name)
            return self._ready[name][0]

    def get(self, name: str) -> Model:
        """The model of that name. Raises UnknownModel, UnknownRun and UnknownSnapshot."""
        # One after the other: many who ask for the same get the same, and of large ones no two are
        # in memory as a file and as a network at once.
        with self._loading:
            return self.loaded(name) or self._keep(name, *self._load(name))

    def _load(self, name: str) -> tuple[Model, int]:
        run, _, text = name.partition("@")
        try:
            epoch = float(text)
        except ValueError as error:
            raise UnknownModel(
                f"{name[:60]!r} names no snapshot: write a run's id, an @ and an epoch, as in "
                f"{name_of(run[:12], 1)}."
            ) from error
        content = self._store.snapshot(run, epoch)
        card = self._card(self._store.get(run), epoch)
        return Model.of(card, network_of(card, content), self._device), len(content)

    def _card(self, run: Run, epoch: float) -> ModelCard:
        recipe = Recipe.from_dict(run.recipe)
        facts = next(one for one in self._store.snapshots(run.id) if one["epoch"] == epoch)
        accuracy, loss = facts["validation_accuracy"], facts["validation_loss"]
        dataset = find_dataset(recipe.dataset, self._folders)
        card = card_of_weights(recipe, name_of(run.id, epoch), dataset)
        metrics = {"validation_accuracy": accuracy, "validation_loss": loss, "epoch": epoch}
        return replace(card, title=f"{run.name}, epoch {epoch:g}", metrics=metrics)

    def _keep(self, name: str, model: Model, size: int) -> Model:
        with self._lock:
            self._ready[name] = model, size
            self._ready.move_to_end(name)
            while (
                len(self._ready) > 1 and sum(size for _, size in self._ready.values()) > MOST_BYTES
            ):
                self._ready.popitem(last=False)
        return model
