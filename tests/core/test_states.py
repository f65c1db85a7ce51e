from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from app.core.dataset_files import Dataset, DatasetFolders, Split, save_dataset
from app.core.events import Event, Finished, Snapshot, State
from app.core.learner import Learner
from app.core.recipes import Recipe, list_optimizers
from app.core.states import UnusableState, decode_state, encode_state
from app.core.training import load_parts, train
from app.core.tuning import CANDIDATES, DEFAULT, Tuning
from models.registry import blank_card

NOWHERE = DatasetFolders(Path("/nonexistent"), Path("/nonexistent"))
RECIPE = Recipe(
    network="simple-cnn",
    dataset="optdigits",
    epochs=3,
    learning_rate=0.01,
    validation_share=0.5,
    augmentation=({"name": "affine", "share": 0.5}, {"name": "specks"}),
)


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return list(train(RECIPE, NOWHERE))


@pytest.fixture(scope="module")
def states(events: list[Event]) -> list[State]:
    return [event for event in events if isinstance(event, State)]


def without_times(events: Iterator[Event]) -> Iterator[object]:
    """The weights of each snapshot, and the end."""
    for event in events:
        if isinstance(event, (Snapshot, Finished)):
            yield type(event), event.epoch, {k: v.tolist() for k, v in event.weights.items()}


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_training_goes_on_from_its_file_as_if_it_had_never_stopped(
    epoch: int, events: list[Event], states: list[State]
) -> None:
    state = decode_state(encode_state(states[epoch - 1]))
    torch.manual_seed(99)  # nothing outside may matter
    rest = list(without_times(train(RECIPE, NOWHERE, state)))
    assert rest == list(without_times(iter(events)))[epoch + 1 :]


def test_the_last_state_after_going_on_is_the_same(states: list[State]) -> None:
    resumed = train(RECIPE, NOWHERE, decode_state(encode_state(states[0])))
    *_, last = (event for event in resumed if isinstance(event, State))
    assert last.seconds > states[0].seconds
    assert [epoch.train_loss for epoch in last.epochs] == [
        epoch.train_loss for epoch in states[-1].epochs
    ]
    assert last.learner.keys() == states[-1].learner.keys()
    assert all(value.equal(states[-1].learner[name]) for name, value in last.learner.items())


@pytest.mark.parametrize("optimizer", list_optimizers())
@pytest.mark.parametrize("tuning", [DEFAULT, Tuning("float32", "contiguous_format")])
def test_a_restored_learner_steps_like_the_first(optimizer: str, tuning: Tuning) -> None:
    # Batch norm changes more than its parameters.
    recipe = replace(RECIPE, network="cifar-3conv", optimizer=optimizer)
    grey = load_parts(RECIPE, NOWHERE)[0]
    colour = Split(grey.images.repeat(1, 3, 1, 1), grey.labels)
    first, second = (Learner(recipe, colour, blank_card(recipe.network)) for _ in range(2))
    for learner in (first, second):
        learner.tune(tuning)
    early, late = torch.split(torch.arange(64), 32)
    for batch in torch.split(early, 16):
        first.step(batch)
    second.restore(first.state())
    for batch in torch.split(late, 16):
        assert first.step(batch) == second.step(batch)
    assert all(second.state()[name].equal(value) for name, value in first.state().items())


def test_a_state_does_not_change_later(states: list[State]) -> None:
    assert [len(state.epochs) for state in states] == [1, 2, 3]
    weights = [state.learner["network.fc.weight"] for state in states]
    assert not weights[0].equal(weights[1])


def test_the_tuning_goes_on_too(states: list[State], monkeypatch: pytest.MonkeyPatch) -> None:
    def never(learner: object, folder: object) -> Tuning:
        raise AssertionError

    monkeypatch.setattr(Learner, "find_tuning", never)
    other = CANDIDATES[1]
    run = train(RECIPE, NOWHERE, replace(states[0], tuning=other))
    started = next(run)
    assert (started.precision, started.layout) == (other.precision, other.layout)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"recipe": replace(RECIPE, seed=1)}, "another recipe"),
        ({"version": "convscope 0.0.1, torch 1.0"}, "made by convscope 0.0.1"),
        ({"training_images": 7}, "not 7"),
        ({"learner": {}}, "doesn't fit simple-cnn"),
    ],
)
def test_a_state_that_does_not_belong_is_refused(
    change: dict[str, object], words: str, states: list[State]
) -> None:
    with pytest.raises(UnusableState, match=words):
        next(train(RECIPE, NOWHERE, replace(states[0], **change)))  # type: ignore[arg-type]


def create_split() -> Split:
    chance = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (60, 1, 28, 28), dtype=torch.uint8, generator=chance)
    return Split(images, torch.arange(60) % 10)


def kept(folder: Path, training: Split, classes: str = "abcdefghij") -> DatasetFolders:
    """A folder with these images as the data set ``mine``, in place of what it was."""
    height, width = training.images.shape[2:]
    dataset = Dataset("mine", "Mine", tuple(classes), (1, height, width))
    test = Split(torch.zeros(10, 1, height, width, dtype=torch.uint8), torch.arange(10))
    save_dataset(folder, dataset, training, test)
    return DatasetFolders(folder, folder)


PIXELS = 0, 1, 2, 30, 31, 58, 59


def one_pixel(split: Split, image: int) -> Split:
    images = split.images.clone()
    images[image, 0, 27, 27] ^= 1
    return Split(images, split.labels)


@pytest.fixture(scope="module")
def kept_state(tmp_path_factory: pytest.TempPathFactory) -> State:
    """The state after the first epoch of two on the data set ``mine``."""
    recipe = replace(RECIPE, dataset="mine", epochs=2, batch_size=16)
    events = train(recipe, kept(tmp_path_factory.mktemp("first"), create_split()))
    state = next(event for event in events if isinstance(event, State))
    return decode_state(encode_state(state))


def test_a_data_set_that_is_written_again_as_it_was_is_the_same(
    kept_state: State, tmp_path: Path
) -> None:
    rest = train(kept_state.recipe, kept(tmp_path, create_split()), kept_state)
    assert isinstance(list(rest)[-1], Finished)


@pytest.mark.parametrize(
    "change",
    [
        # With half of them held out, some of these are trained on and some are validated with.
        *(partial(one_pixel, image=number) for number in PIXELS),
        lambda split: Split(split.images, split.labels.roll(1)),
        lambda split: Split(split.images.roll(10, dims=0), split.labels),
        lambda split: Split(split.images.reshape(-1, 1, 14, 56), split.labels),
    ],
    ids=[*(f"pixel of {number}" for number in PIXELS), "labels", "order", "shape"],
)
def test_a_data_set_of_other_images_or_labels_is_refused(
    change: Callable[[Split], Split], kept_state: State, tmp_path: Path
) -> None:
    folders = kept(tmp_path, change(create_split()))
    said = "mine is no longer the data set that this training began with: its classes, pictures or"
    with pytest.raises(UnusableState, match=said):
        next(train(kept_state.recipe, folders, kept_state))


@pytest.mark.parametrize("classes", ["abcdefghik", "jihgfedcba"])
def test_a_data_set_of_other_classes_is_refused(
    classes: str, kept_state: State, tmp_path: Path
) -> None:
    folders = kept(tmp_path, create_split(), classes)
    with pytest.raises(UnusableState, match="no longer the data set that this training began with"):
        next(train(kept_state.recipe, folders, kept_state))


def test_a_file_from_before_digests_is_refused_in_a_sentence(states: list[State]) -> None:
    content = encode_state(states[0])
    assert content.count(b"digest") == 1
    with pytest.raises(UnusableState, match=r"an earlier build of convscope .* training anew\."):
        decode_state(content.replace(b"digest", b"former"))


def test_a_damaged_file_is_refused(states: list[State]) -> None:
    content = encode_state(states[0])
    for broken in (
        b"",
        b"no state",
        content[:200],
        content[:-5],
        content.replace(b"best", b"worst"),
    ):
        with pytest.raises(UnusableState, match="no state of a training, or it is damaged"):
            decode_state(broken)
