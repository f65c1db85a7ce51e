from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.core.dataset_files import DatasetFolders, Split
from app.core.events import Event, Finished, Snapshot, State
from app.core.learner import Learner
from app.core.recipes import Recipe, list_optimizers
from app.core.states import UnusableState, decode_state, encode_state
from app.core.training import load_parts, train
from app.core.tuning import CANDIDATES, DEFAULT, Tuning

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
    first, second = Learner(recipe, colour), Learner(recipe, colour)
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
