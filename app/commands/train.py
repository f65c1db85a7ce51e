"""``convscope train``: a recipe in, a model out, with a progress bar in between."""

import argparse
import json
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from app.commands.model_names import name_model
from app.commands.saying import say
from app.core.cards import card_of_run, with_test
from app.core.checkpoints import load_network, save_model
from app.core.dataset_files import DatasetFolders
from app.core.datasets import find_dataset, load_split
from app.core.errors import StorageUnavailable
from app.core.evaluating import evaluate
from app.core.events import BatchDone, EpochDone, Event, Finished, Started, State
from app.core.memory import OutOfMemory, keep_freed_memory
from app.core.recipes import BadRecipe, Recipe, list_optimizers, list_schedules
from app.core.states import UnusableState, decode_state, encode_state
from app.core.training import train
from app.core.whole_files import write_atomically
from app.settings import read_settings
from models.registry import ModelCard, list_networks

RECIPE_OPTIONS: dict[str, dict[str, Any]] = {
    "network": {"choices": list_networks(), "help": "the network to train"},
    "dataset": {"help": "what to train it on; convscope data list says what there is"},
    "epochs": {"type": int, "help": "passes over the training images"},
    "batch_size": {"type": int, "help": "images per step of the optimizer"},
    "optimizer": {"choices": list_optimizers(), "help": "how steps follow from gradients"},
    "learning_rate": {"type": float, "help": "the highest step size of the schedule"},
    "schedule": {"choices": list_schedules(), "help": "how the step size changes over the run"},
    "weight_decay": {"type": float, "help": "how strongly weights are drawn to zero"},
    "label_smoothing": {"type": float, "help": "the share of each label spread over all classes"},
    "augmentation": {
        "nargs": "*",
        "metavar": "NAME|JSON",
        "help": 'changes to the images: names, or JSON such as {"name": "affine", "share": 0.5}',
    },
    "validation_share": {"type": float, "help": "the share of images held out for validation"},
    "seed": {"type": int, "help": "all chance follows from it"},
    "device": {"help": "auto, cpu, cuda or mps"},
    "resources": {
        "metavar": "JSON",
        "help": 'threads, such as {"cpus": 2}; a server on a cluster takes "gpus", too',
    },
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``convscope train``: one per key of a recipe, and where to write."""
    parser.add_argument(
        "recipe", nargs="?", type=Path, help="a recipe, or a model's card, as a JSON file"
    )
    keys = parser.add_argument_group("keys of the recipe", "They overrule those in the file.")
    for key, option in RECIPE_OPTIONS.items():
        keys.add_argument(f"--{key.replace('_', '-')}", dest=key, **option)
    parser.add_argument(
        "--resume",
        metavar="NAME",
        help="go on with the interrupted training of that name, after its last finished epoch; "
        "it keeps its recipe",
    )
    parser.add_argument(
        "--name",
        help="the model's name; the network's unless given, or <network>-<dataset> where a shipped "
        "model has that",
    )
    parser.add_argument("--out", type=Path, help="the folder to write to; <data>/models else")
    parser.add_argument(
        "--no-test", action="store_true", help="leave the test split unread, to compare recipes"
    )


def run(options: argparse.Namespace) -> None:
    """Train, write the model's weights and card, and say how good it is."""
    settings, console = read_settings(), Console()
    library = settings.data_dir / "models"
    folders, folder = settings.dataset_folders, options.out or library
    state = _read_state(options, folder)
    recipe = state.recipe if state else read_recipe(options)
    dataset = find_dataset(recipe.dataset, folders)
    name = options.resume or name_model(options.name, recipe, folder, library)
    if "cpus" in recipe.resources:
        torch.set_num_threads(int(recipe.resources["cpus"]))
    keep_freed_memory()
    kept = _state_path(folder, name)
    way_on = f"{_command_to_resume(name, options)} goes on after the last epoch that was kept."
    _say_what_is_replaced(folder / f"{name}.json", None if state else kept, way_on, console)
    with suppress(OSError):  # Without it nothing remembers the tuning.
        folders.kept.mkdir(parents=True, exist_ok=True)
    try:
        finished = _watch(train(recipe, folders, state), kept, console)
        card = card_of_run(recipe, finished, name, dataset)
        path = save_model(folder, card, finished.weights)
    except KeyboardInterrupt:
        say(console, f"Interrupted: {way_on}" if kept.exists() else "Interrupted at the start.")
        raise
    except (StorageUnavailable, OutOfMemory):
        if kept.exists():
            say(console, f"Broken off: {way_on}")
        raise
    if not options.no_test:
        card = _tested(card, folder, folders)
        path = save_model(folder, card, finished.weights)
        console.print(f"Test accuracy {card.metrics['test_accuracy']:.2%}")
    kept.unlink(missing_ok=True)
    say(console, f"Wrote {path}")


def _say_what_is_replaced(model: Path, kept: Path | None, way_on: str, console: Console) -> None:
    """Name what is lost where the training goes on: a finished model, and an unfinished one."""
    if kept and kept.exists():
        say(console, f"{kept} is replaced after the first epoch; else {way_on}")
    if model.exists():
        say(
            console,
            f"The finished model {model} is replaced when this training ends. To keep it, stop "
            "this one and start again with another --name.",
        )


def _read_state(options: argparse.Namespace, folder: Path) -> State | None:
    """The state to go on from, if one is asked for. Raises UnusableState and BadRecipe."""
    if options.resume is None:
        return None
    path = _state_path(folder, options.resume)
    try:
        state = decode_state(path.read_bytes())
    except FileNotFoundError as error:
        raise UnusableState(
            f"There is no interrupted training called {options.resume!r}: {path} isn't there."
        ) from error
    except OSError as error:
        raise UnusableState(f"{path} can't be read: {error.strerror}.") from error
    given = read_recipe(options, state.recipe if options.recipe is None else None)
    if given != state.recipe:
        raise UnusableState(
            f"{options.resume!r} was interrupted with another recipe. Go on with its own by naming "
            "none, or start anew without --resume."
        )
    return state


def _state_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.unfinished.safetensors"


def _command_to_resume(name: str, options: argparse.Namespace) -> str:
    words = ["convscope", "train", "--resume", name]
    words += ["--out", str(options.out)] if options.out else []
    words += ["--no-test"] if options.no_test else []
    return shlex.join(words)


def read_recipe(options: argparse.Namespace, otherwise: Recipe | None = None) -> Recipe:
    """The recipe in the file, if one is named, with the keys that were given as options."""
    values = otherwise.to_dict() if otherwise else {}
    if options.recipe:
        values = Recipe.from_json(_read_file(options.recipe)).to_dict()
    given = {key: getattr(options, key) for key in RECIPE_OPTIONS}
    if given["resources"] is not None:
        given["resources"] = _read_json("resources", given["resources"])
    if given["augmentation"] is not None:
        given["augmentation"] = [_read_entry(entry) for entry in given["augmentation"]]
    return Recipe.from_dict(values | {key: v for key, v in given.items() if v is not None})


def _read_file(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadRecipe(f"The recipe {path} can't be read: {error}.") from error


def _read_entry(entry: str) -> object:
    return _read_json("augmentation", entry) if entry.startswith("{") else entry


def _read_json(key: str, text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BadRecipe(f"The {key} {text!r} is not JSON: {error}.") from error


def _watch(events: Iterator[Event], kept: Path, console: Console) -> Finished:
    """Show what happens and keep each state; returns the last event."""
    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("starting", total=1.0)
        for event in events:
            _show(event, progress, bar)
            if isinstance(event, State):
                _keep(event, kept)
            if isinstance(event, Finished):
                return event
    raise AssertionError("A training ends with Finished.")


def _keep(state: State, kept: Path) -> None:
    """Write the state, which replaces the one before. Raises StorageUnavailable."""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, encode_state(state))
    except OSError as error:
        raise StorageUnavailable(
            f"What was trained up to epoch {len(state.epochs)} can't be kept in {kept}: "
            f"{error.strerror}. Make room there, or choose another folder with --out."
        ) from error


def _show(event: Event, progress: Progress, bar: TaskID) -> None:
    if isinstance(event, BatchDone):
        words = (
            f"epoch {event.epoch}  loss {event.loss:.4f}  {event.images_per_second:.0f} images/s"
        )
        progress.update(bar, completed=event.progress, description=words)
    elif isinstance(event, Started):
        progress.console.print(
            f"{event.recipe.network}: {event.parameters:,} parameters, "
            f"{event.training_images:,} images to train on and {event.validation_images:,} to "
            f"validate with, {event.device}, {event.precision}, {event.layout}"
        )
    elif isinstance(event, EpochDone):
        progress.console.print(
            f"epoch {event.epoch:3}  validation accuracy {event.validation_accuracy:.2%}  "
            f"validation loss {event.validation_loss:.4f}  training loss {event.train_loss:.4f}  "
            f"{event.seconds:.1f} s"
        )


def _tested(card: ModelCard, folder: Path, folders: DatasetFolders) -> ModelCard:
    network = load_network(card, folder)
    test = load_split(card.dataset, "test", folders)
    return with_test(card, evaluate(network, test, card))
