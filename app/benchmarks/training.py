"""How fast training is: an epoch beside one of the lessons' own loop, and the time to 99 %."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median

import torch

from app.benchmarks.lesson_loop import LOOPS, Loop, run_epoch
from app.core.dataset_files import DatasetFolders
from app.core.evaluating import evaluate
from app.core.events import BatchDone, EpochDone, Snapshot, Started
from app.core.memory import keep_freed_memory
from app.core.recipes import Recipe
from app.core.training import load_parts, train
from models.registry import blank_card, create_network, list_cards

LARGE_BATCH = 256
ROUNDS = 3
TARGET = 0.99
# The quickest of the recipes that were tried, with as many images to train on, whose validation
# accuracy came to the target with each of six seeds.
SPRINT = Recipe(
    network="convnet-revisited",
    dataset="mnist",
    epochs=1,
    batch_size=96,
    optimizer="muon",
    learning_rate=0.007,
    schedule="cosine",
    label_smoothing=0.1,
    validation_share=0.0833,
)
SEEDS = 5


@dataclass(frozen=True)
class Epoch:
    """One epoch: its seconds without validation, and what the network then recognises of the
    images that were held out, in 0..1, and the precision and memory layout of it."""

    seconds: float
    accuracy: float
    tuning: str = ""


@dataclass(frozen=True)
class Comparison:
    """Epochs of one network: the lesson's loop, and our training by its batch size.

    The accuracies are those of the first round; they are the same in each of ours.
    """

    loop: Loop
    images: int
    lesson: Epoch
    ours: dict[int, Epoch]


@dataclass(frozen=True)
class Sprint:
    """A training until the validation accuracy is TARGET, or to its end.

    ``seconds`` is the time from the first batch, validation included, ``from_start`` that from
    asking for the training, with the images' reading and the tuning.
    """

    recipe: Recipe
    images: int
    reached: bool
    accuracy: float
    epoch: int
    seconds: float
    from_start: float


def compare_epochs(
    dataset: str, folders: DatasetFolders, rounds: int = ROUNDS
) -> Iterator[Comparison]:
    """For each lesson: its loop and ours in turn, ``rounds`` times; medians are told."""
    for loop in LOOPS:
        yield _compare(loop, dataset, folders, rounds)


def _compare(loop: Loop, dataset: str, folders: DatasetFolders, rounds: int) -> Comparison:
    shipped = next(card for card in list_cards() if card.name == loop.network).recipe
    recipe = replace(Recipe.from_dict(shipped), dataset=dataset, epochs=1, augmentation=())
    sizes = sorted({loop.batch_size, recipe.batch_size, LARGE_BATCH})
    lesson: list[Epoch] = []
    ours: dict[int, list[Epoch]] = {size: [] for size in sizes}
    keep_freed_memory()  # as `convscope train` does, and then for both loops
    for _ in range(rounds):
        lesson.append(_lesson_epoch(loop, recipe, folders))
        for size in sizes:
            ours[size].append(_our_epoch(replace(recipe, batch_size=size), folders))
    started = next(train(recipe, folders))
    assert isinstance(started, Started)
    return Comparison(
        loop,
        started.training_images,
        _typical(lesson),
        {size: _typical(epochs) for size, epochs in ours.items()},
    )


def _typical(epochs: list[Epoch]) -> Epoch:
    return replace(epochs[0], seconds=median(epoch.seconds for epoch in epochs))


def _lesson_epoch(loop: Loop, recipe: Recipe, folders: DatasetFolders) -> Epoch:
    training, validation = load_parts(recipe, folders)
    torch.manual_seed(recipe.seed)
    network = create_network(loop.network)
    seconds = run_epoch(loop, network, training)
    return Epoch(seconds, evaluate(network, validation, blank_card(loop.network)).accuracy)


def _our_epoch(recipe: Recipe, folders: DatasetFolders) -> Epoch:
    start = seconds = 0.0
    tuning = ""
    for event in train(recipe, folders):
        if isinstance(event, Started):
            tuning = f"{event.precision}, {event.layout}"
        elif isinstance(event, Snapshot) and event.epoch == 0:
            start = time.perf_counter()
        elif isinstance(event, BatchDone):
            seconds = time.perf_counter() - start
        elif isinstance(event, EpochDone):
            return Epoch(seconds, event.validation_accuracy, tuning)
    raise AssertionError("A training ends its epochs.")


def sprint(recipe: Recipe, folders: DatasetFolders) -> Sprint:
    """Train until the validation accuracy is TARGET, or to the end."""
    keep_freed_memory()
    asked = first = time.perf_counter()
    images = 0
    for event in train(recipe, folders):
        now = time.perf_counter()
        if isinstance(event, Started):
            first, images = now, event.training_images
        elif isinstance(event, EpochDone):
            accuracy = event.validation_accuracy
            if accuracy >= TARGET or event.epoch == recipe.epochs:
                reached, times = accuracy >= TARGET, (now - first, now - asked)
                return Sprint(recipe, images, reached, accuracy, event.epoch, *times)
    raise AssertionError("A training ends its epochs.")
