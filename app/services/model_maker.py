"""A run's weights as a model like any other."""

from typing import Any

from app.core.cards import card_of_run
from app.core.checkpoints import decode_weights
from app.core.dataset_files import DatasetFolders
from app.core.datasets import find_dataset
from app.core.errors import StorageUnavailable, UnknownSnapshot
from app.core.events import Finished
from app.core.recipes import Recipe
from app.services.model_library import ModelLibrary
from app.services.run_store import RunStore
from models.registry import ModelCard


def make_model(
    run: str, name: str, store: RunStore, library: ModelLibrary, folders: DatasetFolders
) -> ModelCard:
    """Keep the weights of the run's best epoch as a model called ``name``.

    Raises UnknownRun, UnknownSnapshot before the first epoch has ended, BadName and
    StorageUnavailable.
    """
    recipe = Recipe.from_dict(store.get(run).recipe)
    best, seconds = _best_epoch(run, store)
    weights = decode_weights(store.snapshot(run, best["epoch"]))
    accuracy, loss = best["validation_accuracy"], best["validation_loss"]
    finished = Finished(best["epoch"], accuracy, loss, seconds, weights)
    card = card_of_run(recipe, finished, name, find_dataset(recipe.dataset, folders))
    library.add(card, weights)
    try:
        store.note_model(run, name)
    except StorageUnavailable:
        library.remove(name)
        raise
    return card


def _best_epoch(run: str, store: RunStore) -> tuple[dict[str, Any], float]:
    """What was said of the epoch that validated best, and the seconds of all epochs."""
    epochs = [event.facts for event in store.events(run) if event.kind == "epoch"]
    if not epochs:
        raise UnknownSnapshot(f"The run {run} has not finished an epoch: there are no weights yet.")
    best = max(epochs, key=lambda one: (one["validation_accuracy"], -one["validation_loss"]))
    return best, sum(one["seconds"] for one in epochs)
