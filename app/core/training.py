"""Training as a generator of events: whoever iterates trains, and whoever stops iterating stops it.

The images stay on the device as bytes; a batch is picked, augmented and normalised there, so
nothing waits for Python per image.
"""

import math
import time
from collections.abc import Generator, Iterator, Sequence

from app.core.cards import card_to_train
from app.core.dataset_files import Dataset, DatasetFolders, Split
from app.core.datasets import find_dataset, load_split, split_off
from app.core.devices import choose_device
from app.core.errors import ConvScopeError
from app.core.evaluating import Evaluation
from app.core.events import BatchDone, EpochDone, Event, Finished, Snapshot, State
from app.core.learner import Learner
from app.core.memory import device_memory, memory_need, out_of_memory_said
from app.core.recipes import BadRecipe, Recipe, fault_of
from app.core.states import UnusableState, current_version, digest_data
from models.registry import MOST_CLASSES

GB = 10**9


class Diverged(ConvScopeError):
    """The loss is no longer a number; the message says what to do."""


def train(
    recipe: Recipe,
    folders: DatasetFolders,
    resume_from: State | None = None,
    early: Sequence[float] = (0.0,),
) -> Iterator[Event]:
    """Train as the recipe says, on the data set that lies in ``folders``.

    A snapshot follows each epoch; ``early`` are the shares of the first after which there is one,
    too, which changes nothing of the weights to come. The same recipe gives the same weights, bit
    for bit, on the same processor with the same number of threads, and so does going on from a
    state. Only the train part of the data set is read. Raises BadRecipe, DatasetUnavailable,
    StorageUnavailable, UnavailableDevice, UnusableState, OutOfMemory and Diverged.
    """
    with out_of_memory_said(recipe):
        yield from _train(recipe, folders, resume_from, early)


def _train(
    recipe: Recipe, folders: DatasetFolders, resume_from: State | None, early: Sequence[float]
) -> Iterator[Event]:
    start = time.perf_counter()
    training, validation = load_parts(recipe, folders)
    card = card_to_train(recipe.network, find_dataset(recipe.dataset, folders))
    digest = digest_data(card.classes, training, validation)
    learner = Learner(recipe, training, card)
    if resume_from is None:
        learner.tune(learner.find_tuning(folders.kept))
    else:
        _insist_on_the_same(resume_from, learner, digest)
        _go_on(learner, resume_from)
        start -= resume_from.seconds
    yield learner.describe(len(validation))
    state = resume_from
    if state is None and 0 in early:
        yield _snapshot(learner, 0, learner.validate(validation))
    for epoch in range(len(state.epochs) + 1 if state else 1, recipe.epochs + 1):
        points = early if epoch == 1 else ()
        done, snapshot = yield from _train_epoch(learner, validation, epoch, points)
        yield done
        yield snapshot
        state = _note(learner, digest, state, done, snapshot, time.perf_counter() - start)
        yield state
    if state is not None:
        yield _finish(state)


def _insist_on_the_same(state: State, learner: Learner, digest: str) -> None:
    """Raise UnusableState where a state is of another recipe, version or data set."""
    if state.recipe != learner.recipe:
        raise UnusableState(
            "This state is that of another recipe: go on with that one, or start anew."
        )
    if state.version != current_version():
        raise UnusableState(
            f"This state was made by {state.version}, and this is {current_version()}, which would "
            "come to other weights. Go on with the former, or start the training anew."
        )
    if state.training_images != len(learner.labels):
        raise UnusableState(
            f"{learner.recipe.dataset} is no longer the data set that this training began with: it "
            f"has {len(learner.labels)} images to train on, not {state.training_images}. Start the "
            "training anew."
        )
    if state.digest != digest:
        raise UnusableState(
            f"{learner.recipe.dataset} is no longer the data set that this training began with: "
            "its classes, pictures or labels have changed. Start the training anew."
        )


def _go_on(learner: Learner, state: State) -> None:
    """Make the learner the one that gave the state. Raises UnusableState."""
    learner.tune(state.tuning)
    try:
        learner.restore(state.learner)
    except (KeyError, RuntimeError) as error:
        raise UnusableState(
            f"This state doesn't fit {learner.recipe.network} ({error}). Start the training anew."
        ) from error


def _note(
    learner: Learner,
    digest: str,
    before: State | None,
    done: EpochDone,
    snapshot: Snapshot,
    seconds: float,
) -> State:
    """The state after an epoch."""
    epochs = before.epochs if before else ()
    better = before is None or _rank(done) > _rank(epochs[before.best_epoch - 1])
    return State(
        version=current_version(),
        recipe=learner.recipe,
        tuning=learner.tuning,
        training_images=len(learner.labels),
        digest=digest,
        epochs=(*epochs, done),
        seconds=seconds,
        best_epoch=done.epoch if better or before is None else before.best_epoch,
        best_weights=snapshot.weights if better or before is None else before.best_weights,
        learner=learner.state(),
    )


def check_recipe(recipe: Recipe, folders: DatasetFolders) -> None:
    """Raise BadRecipe, UnknownDataset or UnavailableDevice for what can't be trained here."""
    with fault_of("device"):
        choose_device(recipe.device)
    with fault_of("dataset"):
        given = find_dataset(recipe.dataset, folders)
        _insist_on_classes(given)
    if given.train_images is not None:
        _check_sizes(recipe, given.train_images)
    _insist_on_memory(recipe, given)


def _insist_on_classes(given: Dataset) -> None:
    if len(given.classes) > MOST_CLASSES:
        raise BadRecipe(
            f"{given.name} has {len(given.classes):,} classes; a network learns up to "
            f"{MOST_CLASSES:,} here. Import it with fewer."
        )
    if len(given.classes) < 2:
        raise BadRecipe(
            f"{given.name} has one class, {given.classes[0]!r}, so there is nothing to tell apart. "
            "Import it with another."
        )


def _check_sizes(recipe: Recipe, images: int) -> None:
    """Raise BadRecipe where so many images are too few for the parts or for one batch."""
    held_out = round(images * recipe.validation_share)
    left = images - held_out
    if not left or not held_out:
        said = "validation_share leaves no image to train on or none to validate with."
        raise BadRecipe(faults={"validation_share": said})
    if recipe.batch_size > left:
        said = (
            f"batch_size is {recipe.batch_size}, but {recipe.dataset} has {left} images to train "
            f"on, beside {held_out} for validation. Choose {left} or fewer."
        )
        raise BadRecipe(faults={"batch_size": said})


def _insist_on_memory(recipe: Recipe, given: Dataset) -> None:
    image_bytes = (given.train_images or 0) * math.prod(given.input_shape)
    need = memory_need(recipe, image_bytes, len(given.classes))
    wanted, there = need.of_batch(recipe.batch_size), device_memory(recipe.device)
    if wanted <= there:
        return
    said = (
        f"{recipe.network} on {recipe.dataset} with batches of {recipe.batch_size} needs at least "
        f"{wanted / GB:.1f} GB of memory, and there are {there / GB:.1f} GB."
    )
    if batch := need.largest_batch(there):
        raise BadRecipe(faults={"batch_size": f"{said} Choose {batch} or fewer."})
    raise BadRecipe(faults={"network": f"{said} Choose a smaller network."})


def load_parts(recipe: Recipe, folders: DatasetFolders) -> tuple[Split, Split]:
    """The images that the recipe trains on and those that it holds out for validation."""
    check_recipe(recipe, folders)
    training = load_split(recipe.dataset, "train", folders)
    training, validation = split_off(training, recipe.validation_share, recipe.seed)
    _check_sizes(recipe, len(training) + len(validation))
    return training, validation


def _train_epoch(
    learner: Learner, validation: Split, epoch: int, early: Sequence[float]
) -> Generator[Event, None, tuple[EpochDone, Snapshot]]:
    start = time.perf_counter()
    total = 0.0
    points = {math.ceil(share * learner.batches) for share in early} - {0, learner.batches}
    for batch, indices in enumerate(learner.shuffle(), 1):
        before = time.perf_counter()
        loss = learner.step(indices)
        _insist_on_a_number(loss, learner)
        total += loss * len(indices)
        rate = len(indices) / (time.perf_counter() - before)
        yield BatchDone(epoch, batch, learner.batches, learner.progress, loss, rate)
        if batch in points:
            place = round(epoch - 1 + batch / learner.batches, 4)
            yield _snapshot(learner, place, learner.validate(validation))
    evaluation = learner.validate(validation)
    _insist_on_a_number(evaluation.loss, learner)
    seconds = time.perf_counter() - start
    average = total / len(learner.labels)
    done = EpochDone(epoch, average, evaluation.loss, evaluation.accuracy, seconds)
    return done, _snapshot(learner, epoch, evaluation)


def _snapshot(learner: Learner, epoch: float, evaluation: Evaluation) -> Snapshot:
    confusion: list[list[int]] = evaluation.confusion.tolist()
    return Snapshot(epoch, learner.snapshot(), evaluation.loss, evaluation.accuracy, confusion)


def _insist_on_a_number(loss: float, learner: Learner) -> None:
    if not math.isfinite(loss):
        raise Diverged(
            f"The loss became {loss} after {learner.steps} batches. Start again with a lower "
            f"learning rate than {learner.recipe.learning_rate}."
        )


def _rank(done: EpochDone) -> tuple[float, float]:
    return done.validation_accuracy, -done.validation_loss


def _finish(state: State) -> Finished:
    best = state.epochs[state.best_epoch - 1]
    return Finished(
        epoch=best.epoch,
        validation_accuracy=best.validation_accuracy,
        validation_loss=best.validation_loss,
        seconds=state.seconds,
        weights=state.best_weights,
    )
