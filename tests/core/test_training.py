import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from app.core.averaging import Average
from app.core.cards import card_to_train
from app.core.dataset_files import DatasetFolders, Split
from app.core.datasets import BUNDLED, load_split
from app.core.devices import UnavailableDevice, choose_device
from app.core.evaluating import evaluate, to_input
from app.core.events import BatchDone, EpochDone, Event, Finished, Snapshot, Started, State
from app.core.learner import Learner
from app.core.recipes import Recipe, create_optimizer, find_schedule, list_optimizers
from app.core.training import Diverged, load_parts, train
from models.registry import blank_card, create_network
from models.whitening import SMALLEST, WhiteningConv2d

NOWHERE = DatasetFolders(Path("/nonexistent"), Path("/nonexistent"))
TINY = Recipe(
    network="convnet-revisited",
    dataset="optdigits",
    epochs=2,
    learning_rate=0.004,
    validation_share=0.2,
    augmentation=({"name": "affine", "share": 0.5}, {"name": "specks"}),
)


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return list(train(TINY, NOWHERE))


def finished(events: list[Event]) -> Finished:
    (event,) = [event for event in events if isinstance(event, Finished)]
    return event


def test_events_come_in_the_order_of_the_work(events: list[Event]) -> None:
    batches = math.ceil((1437 - round(0.2 * 1437)) / TINY.batch_size)
    epoch = [BatchDone] * batches + [EpochDone, Snapshot, State]
    assert [type(event) for event in events] == [Started, Snapshot, *epoch, *epoch, Finished]


def test_the_start_tells_what_will_be_trained(events: list[Event]) -> None:
    started = events[0]
    assert isinstance(started, Started)
    assert started.parameters == 28_938
    assert started.training_images + started.validation_images == 1437
    assert started.validation_images == round(0.2 * 1437)


def test_progress_grows_evenly_to_one(events: list[Event]) -> None:
    progress = [event.progress for event in events if isinstance(event, BatchDone)]
    assert progress == pytest.approx([(i + 1) / len(progress) for i in range(len(progress))])


def test_a_short_training_learns(events: list[Event]) -> None:
    first, last = (event for event in events if isinstance(event, EpochDone))
    assert last.validation_accuracy > max(0.7, first.validation_accuracy)
    assert last.train_loss < first.train_loss


def test_the_weights_are_those_that_were_validated(events: list[Event]) -> None:
    end = finished(events)
    network = create_network(TINY.network)
    network.load_state_dict(end.weights)
    validation = load_parts(TINY, NOWHERE)[1]
    again = evaluate(network, validation, blank_card(TINY.network))
    assert again.accuracy == end.validation_accuracy
    assert again.loss == pytest.approx(end.validation_loss, rel=1e-5)


def test_the_best_epoch_is_kept(events: list[Event]) -> None:
    end = finished(events)
    epochs = [event for event in events if isinstance(event, EpochDone)]
    assert end.validation_accuracy == max(epoch.validation_accuracy for epoch in epochs)
    (kept,) = [e for e in events if isinstance(e, Snapshot) and e.epoch == end.epoch]
    assert all(kept.weights[name].equal(value) for name, value in end.weights.items())


def test_the_same_recipe_gives_the_same_weights_bit_for_bit(events: list[Event]) -> None:
    torch.manual_seed(12345)  # nothing outside may matter
    again = finished(list(train(TINY, NOWHERE)))
    assert all(again.weights[name].equal(value) for name, value in finished(events).weights.items())


def test_training_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run = train(TINY, NOWHERE)
    for _ in range(4):
        next(run)
    assert torch.rand(3).equal(expected)


def test_another_seed_gives_other_weights(events: list[Event]) -> None:
    other = snapshots(train(replace(TINY, seed=1), NOWHERE))
    first = snapshots(iter(events))
    assert not next(other).weights["conv1.weight"].equal(next(first).weights["conv1.weight"])


def snapshots(events: Iterator[Event]) -> Iterator[Snapshot]:
    return (event for event in events if isinstance(event, Snapshot))


def test_snapshots_do_not_change_later(events: list[Event]) -> None:
    kept = list(snapshots(iter(events)))
    assert [snapshot.epoch for snapshot in kept] == [0, 1, 2]
    weights = [snapshot.weights["fc1.weight"] for snapshot in kept]
    assert not weights[0].equal(weights[1])
    assert not weights[1].equal(weights[2])
    assert all(weight.is_contiguous() for weight in kept[2].weights.values())


def test_early_snapshots_lie_within_the_first_epoch_and_change_nothing(events: list[Event]) -> None:
    early = list(train(TINY, NOWHERE, early=(0, 1 / 16, 1 / 4, 1)))
    batches = next(event.batches for event in early if isinstance(event, BatchDone))
    first, second = (math.ceil(batches / part) for part in (16, 4))
    places = [snapshot.epoch for snapshot in snapshots(iter(early))]
    assert places == [0, round(first / batches, 4), round(second / batches, 4), 1, 2]
    behind = [early[place - 1] for place, one in enumerate(early) if isinstance(one, Snapshot)]
    assert [one.batch for one in behind if isinstance(one, BatchDone)] == [first, second]
    ends = finished(events), finished(early)
    assert all(ends[0].weights[name].equal(value) for name, value in ends[1].weights.items())


def test_a_snapshot_tells_what_its_weights_make_of_the_validation_images() -> None:
    validation = load_parts(TINY, NOWHERE)[1]
    for snapshot in snapshots(train(replace(TINY, epochs=1), NOWHERE, early=(0, 0.5))):
        network = create_network(TINY.network)
        network.load_state_dict(snapshot.weights)
        again = evaluate(network, validation, blank_card(TINY.network))
        assert snapshot.confusion == again.confusion.tolist()
        assert snapshot.validation_accuracy == again.accuracy
        assert snapshot.validation_loss == pytest.approx(again.loss, rel=1e-5)


def test_only_the_train_part_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read = []

    def noted(name: str, part: str, folders: DatasetFolders) -> object:
        read.append(part)
        return load_split("optdigits", "train", folders)

    monkeypatch.setattr("app.core.training.load_split", noted)
    list(train(replace(TINY, epochs=1), NOWHERE))
    assert read == ["train"]


def test_who_stops_listening_stops_the_training() -> None:
    run = train(TINY, NOWHERE)
    assert isinstance(next(run), Started)
    run.close()  # type: ignore[attr-defined]
    with pytest.raises(StopIteration):
        next(run)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_diverged_training_says_what_to_do(loss: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Learner, "step", lambda learner, indices: loss)
    with pytest.raises(Diverged, match="lower learning rate"):
        list(train(TINY, NOWHERE))


@pytest.mark.parametrize("optimizer", list_optimizers())
def test_one_step_is_torch_s_step(optimizer: str) -> None:
    recipe = replace(TINY, optimizer=optimizer, schedule="constant", augmentation=())
    training = load_parts(recipe, NOWHERE)[0]
    learner = Learner(recipe, training, blank_card(recipe.network))
    network = create_network(recipe.network)
    network.load_state_dict(learner.network.state_dict())
    indices = next(learner.shuffle())
    loss = nn.functional.cross_entropy(
        network(training.images[indices] / 255), training.labels[indices]
    )
    loss.backward()  # type: ignore[no-untyped-call]
    create_optimizer(recipe, network).step()
    assert learner.step(indices) == pytest.approx(loss.item(), rel=1e-4)
    for trained, expected in zip(learner.network.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(trained, expected, rtol=1e-3, atol=2e-3)


def test_a_whitening_convolution_is_fitted_to_the_images_and_stays() -> None:
    chance = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (64, 3, 32, 32), generator=chance, dtype=torch.uint8)
    labels = torch.arange(64) % 10
    learner = Learner(
        Recipe(network="cifar", dataset="cifar10"), Split(images, labels), blank_card("cifar")
    )
    layer = learner.network.get_submodule("conv1")
    assert isinstance(layer, WhiteningConv2d)
    fitted, bias = layer.weight.clone(), layer.get_parameter("bias").clone()
    inputs = to_input(images / 255, learner.card)
    patches = nn.functional.unfold(inputs, 2).transpose(1, 2).flatten(0, 1)
    variances = torch.linalg.eigvalsh(patches.T @ patches / len(patches))
    expected = (variances / (variances + SMALLEST)).mean()
    outputs = (layer(inputs) - bias[:, None, None])[:, :12]
    torch.testing.assert_close(outputs.square().mean(), expected, rtol=0.001, atol=0)
    learner.step(torch.arange(64))
    assert layer.weight.equal(fitted)
    assert not layer.get_parameter("bias").equal(bias)


def test_dropout_is_seeded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_dropout(name: str, classes: int) -> nn.Module:
        return nn.Sequential(nn.Dropout(), nn.Flatten(), nn.Linear(784, 10))

    monkeypatch.setattr("app.core.learner.create_network", with_dropout)
    training = load_parts(TINY, NOWHERE)[0]
    losses = []
    for noise in (1, 2):
        learner = Learner(TINY, training, blank_card(TINY.network))
        torch.manual_seed(noise)
        losses.append([learner.step(indices) for indices in learner.shuffle()])
    assert losses[0] == losses[1]


def test_batch_norms_expect_what_the_averaged_weights_make_of_the_training_images() -> None:
    recipe = Recipe("cifar-3conv", BUNDLED.name, batch_size=100, learning_rate=0.01)
    training, validation = load_parts(recipe, NOWHERE)
    learner = Learner(recipe, training, card_to_train("cifar-3conv", BUNDLED))
    for indices in learner.shuffle():
        learner.step(indices)
    before = torch.get_rng_state()
    learner.validate(validation)
    assert torch.get_rng_state().equal(before)
    weights = learner.snapshot()
    inputs = functional.interpolate(training.images / 255, size=(32, 32), mode="bilinear")
    inputs = to_input(inputs.expand(-1, 3, -1, -1), learner.card)
    maps = functional.conv2d(inputs, weights["conv1.weight"], weights["conv1.bias"], padding=3)
    batches = torch.tensor_split(maps, math.ceil(len(maps) / 100))
    mean = torch.stack([one.mean(dim=(0, 2, 3)) for one in batches]).mean(dim=0)
    variance = torch.stack([one.var(dim=(0, 2, 3)) for one in batches]).mean(dim=0)
    torch.testing.assert_close(weights["bn1.running_mean"], mean, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(weights["bn1.running_var"], variance, rtol=1e-4, atol=1e-5)


def test_an_epoch_visits_every_image_once() -> None:
    learner = Learner(TINY, load_parts(TINY, NOWHERE)[0], blank_card(TINY.network))
    first, second = (torch.cat(list(learner.shuffle())) for _ in range(2))
    assert first.sort().values.equal(torch.arange(len(learner.labels)))
    assert not first.equal(second)


def test_the_average_follows_its_formula() -> None:
    network = nn.Linear(1, 1, bias=False)
    values = [2.0, -1.0, 4.0, 0.5]
    nn.init.constant_(network.weight, 1.0)
    average, expected = Average(network, decay=0.2), 1.0
    for n, value in enumerate(values):
        nn.init.constant_(network.weight, value)
        average.update()
        decay = min(0.2, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * value
    assert average.network.get_parameter("weight").item() == pytest.approx(expected)


def test_the_average_copies_what_is_not_trained() -> None:
    network = nn.BatchNorm1d(2)
    average = Average(network, decay=0.9)
    network(torch.randn(8, 2))
    average.update()
    assert average.network.get_buffer("running_mean").equal(network.get_buffer("running_mean"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("constant", [1, 1, 1]), ("cosine", [1, 0.5, 0]), ("one-cycle", [0.1, None, 0])],
)
def test_schedules_begin_and_end_where_they_should(name: str, expected: list[float]) -> None:
    for progress, value in zip((0, 0.5, 1), expected, strict=True):
        if value is not None:
            assert find_schedule(name)(progress) == pytest.approx(value)


def test_one_cycle_rises_to_the_top_and_falls() -> None:
    shares = [find_schedule("one-cycle")(step / 1000) for step in range(1001)]
    top = shares.index(max(shares))
    assert max(shares) == pytest.approx(1)
    assert shares[: top + 1] == sorted(shares[: top + 1])
    assert shares[top:] == sorted(shares[top:], reverse=True)


def test_a_device_that_is_not_there_is_refused_in_words() -> None:
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(UnavailableDevice, match="Use auto or"):
        choose_device("abacus")
