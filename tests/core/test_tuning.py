import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from app.core.tuning import CANDIDATES, DEFAULT, Tuning, choose_tuning, find_tuning
from models.registry import create_network

IMAGES, LABELS = torch.rand(4, 1, 28, 28), torch.arange(4)
ALMOST = Tuning("float32", "contiguous_format")
HALF = Tuning("bfloat16", "channels_last")


class Stopwatch:
    """Tells the seconds that it was given, and counts how often it was asked for each."""

    def __init__(self, seconds: dict[Tuning, float]) -> None:
        self.seconds = seconds
        self.asked = dict.fromkeys(CANDIDATES, 0)

    def __call__(self, network: object, inputs: object, labels: object, tuning: Tuning) -> float:
        self.asked[tuning] += 1
        return self.seconds.get(tuning, 1.0)


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        ({}, DEFAULT),
        ({ALMOST: 0.9}, DEFAULT),
        ({ALMOST: 0.5}, ALMOST),
        ({HALF: 0.3, ALMOST: 0.5}, HALF),
        ({HALF: 11.0}, DEFAULT),
    ],
)
def test_what_is_clearly_faster_than_the_default_is_chosen(
    seconds: dict[Tuning, float], chosen: Tuning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.core.tuning._time_step", Stopwatch(seconds))
    assert choose_tuning(create_network("simple-cnn"), IMAGES, LABELS) == chosen


def test_what_is_hopelessly_slow_is_timed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Stopwatch({HALF: 11.0})
    monkeypatch.setattr("app.core.tuning._time_step", watch)
    choose_tuning(create_network("simple-cnn"), IMAGES, LABELS)
    assert watch.asked[HALF] == 1
    assert watch.asked[DEFAULT] > 1


def test_choosing_leaves_no_trace() -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), nn.Flatten(), nn.Linear(1352, 10)
    ).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    random, threads = torch.get_rng_state(), torch.get_num_threads()
    choose_tuning(network, IMAGES, LABELS)
    assert torch.get_rng_state().equal(random)
    assert torch.get_num_threads() == threads
    assert all(value.equal(before[name]) for name, value in network.state_dict().items())
    assert all(value.grad is None for value in network.parameters())
    assert not network.training
    assert network.get_parameter("0.weight").is_contiguous()


@pytest.mark.parametrize("tuning", CANDIDATES)
def test_every_tuning_computes_the_same_network(tuning: Tuning) -> None:
    network = create_network("convnet-revisited")
    expected: Tensor = network(IMAGES)
    moved = network.to(memory_format=tuning.memory_format)  # type: ignore[call-overload]
    logits = tuning.logits(moved, IMAGES)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, expected, rtol=0, atol=0.02)


@pytest.fixture
def choices(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if chance made another candidate the fastest whenever it is timed."""
    answers = iter(CANDIDATES[1:])
    monkeypatch.setattr("app.core.tuning.choose_tuning", lambda *given: next(answers))


def test_a_choice_is_remembered(tmp_path: Path, choices: None) -> None:
    def find(name: str, size: int = 28) -> Tuning:
        return find_tuning(name, nn.Identity(), torch.rand(2, 1, size, size), LABELS, tmp_path)

    assert find("simple-cnn") == find("simple-cnn") == CANDIDATES[1]
    assert find("lenet5") == CANDIDATES[2]
    assert find("simple-cnn", size=32) == CANDIDATES[3]
    assert find("simple-cnn") == CANDIDATES[1]


def test_another_machine_chooses_for_itself(
    tmp_path: Path, choices: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = find_tuning("simple-cnn", nn.Identity(), IMAGES, LABELS, tmp_path)
    monkeypatch.setattr("app.core.tuning.processor_name", lambda: "another")
    assert find_tuning("simple-cnn", nn.Identity(), IMAGES, LABELS, tmp_path) != first


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    find_tuning("simple-cnn", create_network("simple-cnn"), IMAGES, LABELS, tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


TRAIN = """
import sys
from pathlib import Path
from app.core.dataset_files import DatasetFolders
from app.core.events import Finished
from app.core.checkpoints import encode_weights
from app.core.recipes import Recipe
from app.core.training import train
here = Path(sys.argv[1])
recipe = Recipe("simple-cnn", "optdigits", epochs=1)
(end,) = [e for e in train(recipe, DatasetFolders(here, here)) if isinstance(e, Finished)]
Path(sys.argv[2]).write_bytes(encode_weights(end.weights))
"""


def test_two_processes_come_to_the_same_weights(tmp_path: Path) -> None:
    kept = tmp_path / "datasets"
    kept.mkdir()
    files = [tmp_path / "first", tmp_path / "second"]
    for file in files:
        command = [sys.executable, "-c", TRAIN, str(kept), str(file)]
        subprocess.run(command, cwd=Path(__file__).parents[2], check=True)
    assert files[0].read_bytes() == files[1].read_bytes()
    (remembered,) = kept.iterdir()
    assert Tuning(**json.loads(remembered.read_text())) in CANDIDATES
