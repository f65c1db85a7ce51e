import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from app.cli import COMMANDS, main
from app.core.cards import evaluation_of
from app.core.checkpoints import load_network, read_card
from app.core.dataset_files import DatasetFolders
from app.core.datasets import load_split
from app.core.evaluating import evaluate
from app.core.events import State
from app.core.recipes import Recipe
from app.core.states import decode_state, encode_state
from app.core.training import train

UNFINISHED = "mine.unfinished.safetensors"
TINY = ["--network", "convnet-revisited", "--dataset", "optdigits", "--epochs", "1"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    words = ["train", *TINY, "--learning-rate", "0.01", "--augmentation", "blur"]
    assert main([*words, '{"name": "affine", "share": 0.5}', "--out", str(folder)]) == 0
    return folder / "convnet-revisited.json"


def test_training_writes_a_card_that_tells_how_and_how_good(trained: Path) -> None:
    card = read_card(trained)
    test = evaluate(
        load_network(card, trained.parent),
        load_split("optdigits", "test", DatasetFolders(Path(), Path())),
        card,
    )
    assert card.dataset == "optdigits"
    assert card.metrics["test_accuracy"] == test.accuracy
    assert card.metrics["test_loss"] == pytest.approx(test.loss)
    assert card.metrics["epochs"] == 1
    assert {"validation_accuracy", "validation_loss", "seconds"} <= card.metrics.keys()
    recipe = Recipe.from_dict(card.recipe)
    assert recipe.augmentation == ({"name": "blur"}, {"name": "affine", "share": 0.5})
    assert sorted(path.suffix for path in trained.parent.iterdir()) == [".json", ".safetensors"]


def test_a_card_s_recipe_makes_the_same_weights_again(trained: Path, tmp_path: Path) -> None:
    assert (
        main(["train", str(trained), "--name", "again", "--no-test", "--out", str(tmp_path)]) == 0
    )
    weights = trained.with_suffix(".safetensors").read_bytes()
    assert (tmp_path / "again.safetensors").read_bytes() == weights
    card = read_card(tmp_path / "again.json")
    assert "test_accuracy" not in card.metrics
    assert (card.name, card.title, card.default) == ("again", "again", False)


def test_training_shows_a_line_per_epoch(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    main(["train", *TINY, "--epochs", "2", "--no-test", "--out", str(tmp_path)])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert len(lines) == 2
    assert all("validation accuracy" in line and "%" in line for line in lines)


def test_evaluating_prints_accuracy_and_the_confusion_matrix(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(trained)]) == 0
    printed = capsys.readouterr().out
    assert f"{read_card(trained).metrics['test_accuracy']:.2%} of 360 images" in printed
    assert len([line for line in printed.splitlines() if line.startswith("│")]) == 10
    told = evaluation_of(read_card(trained))
    worst = told.most_confused(1)[0]
    assert f"{worst.true} taken for {worst.predicted}: {worst.count}" in printed
    assert f"Expected calibration error {told.calibration_error:.2%}" in printed
    assert len([line for line in printed.splitlines() if " sure, " in line]) == len(
        told.calibration
    )


def test_evaluating_on_validation_uses_the_images_that_training_held_out(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(trained), "--split", "validation"]) == 0
    expected = read_card(trained).metrics["validation_accuracy"]
    assert f"{expected:.2%} of 144 images" in capsys.readouterr().out


def test_drawings_are_noted_on_the_card(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(trained), "--drawings", "2", "--note"]) == 0
    drawings = read_card(trained).metrics["drawings"]
    assert {"thin", "thick", "photographed", "off-centre"} <= drawings.keys()
    assert all(0 <= accuracy <= 1 for accuracy in drawings.values())
    assert "photographed" in capsys.readouterr().out


LONGER = [*TINY, "--epochs", "3", "--augmentation", "affine"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model whose training nobody interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    assert main(["train", *LONGER, "--name", "mine", "--out", str(folder)]) == 0
    return folder


def start_and_end(folder: Path, ending: signal.Signals, *words: str) -> tuple[int, str]:
    """Start that training as a process, and end it in the middle of its second epoch."""
    command = [sys.executable, "-m", "app.cli", "train", *LONGER, "--name", "mine", *words]
    root = Path(__file__).parent.parent
    process = subprocess.Popen(
        [*command, "--out", str(folder)],
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
        # What runs in the background of a shell inherits that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (folder / UNFINISHED).exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(ending)
    printed, _ = process.communicate()
    assert not (folder / "mine.json").exists()
    return process.returncode, printed


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_training_goes_on_to_the_same_file(
    ending: signal.Signals, whole: Path, tmp_path: Path
) -> None:
    start_and_end(tmp_path, ending)
    assert main(["train", "--resume", "mine", "--out", str(tmp_path)]) == 0
    weights = [(folder / "mine.safetensors").read_bytes() for folder in (whole, tmp_path)]
    assert weights[0] == weights[1]
    cards = [read_card(folder / "mine.json") for folder in (whole, tmp_path)]
    times = [card.metrics.pop("seconds") for card in cards]
    assert all(seconds > 0 for seconds in times)
    assert cards[0] == cards[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.json", "mine.safetensors"]


def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    status, printed = start_and_end(tmp_path, signal.SIGINT, "--no-test")
    assert status == 130
    assert f"convscope train --resume mine --out {tmp_path} --no-test goes on" in printed


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    """The folder of a training that has done one of its three epochs."""
    recipe = Recipe("convnet-revisited", "optdigits", epochs=3)
    events = train(recipe, DatasetFolders(Path("/nonexistent"), Path("/nonexistent")))
    state = next(event for event in events if isinstance(event, State))
    (tmp_path / UNFINISHED).write_bytes(encode_state(state))
    return tmp_path


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--resume", "yours"], "There is no interrupted training called 'yours'"),
        (["--resume", "mine", "--seed", "3"], "'mine' was interrupted with another recipe"),
        (["--resume", "mine", "models/weights/digits.json"], "with another recipe"),
    ],
)
def test_what_can_not_go_on_is_refused_in_one_sentence(
    words: list[str], answer: str, interrupted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = (interrupted / UNFINISHED).read_bytes()
    assert main(["train", *words, "--out", str(interrupted)]) == 1
    assert answer in capsys.readouterr().err
    assert (interrupted / UNFINISHED).read_bytes() == kept


@pytest.mark.fault
@pytest.mark.parametrize("kept", [0, 1])
def test_a_full_disk_is_said_and_nothing_that_was_kept_is_lost(
    kept: int, interrupted: Path, tmp_path: Path
) -> None:
    path = interrupted / UNFINISHED
    before = path.read_bytes()
    words = ["--resume", "mine"] if kept else ["--network", "convnet-revisited"]
    words += [] if kept else ["--dataset", "optdigits", "--name", "mine"]
    if not kept:
        path.unlink()
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "train", *words, "--out", str(interrupted)],
        cwd=Path(__file__).parent.parent,
        env={**os.environ, "CONVSCOPE_DATA_DIR": str(tmp_path / "data"), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        # No file may be larger: what a disk says that has no more room.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)),
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"convscope: What was trained up to epoch {kept + 1} can't be")
    assert "Make room there" in done.stderr
    assert "Traceback" not in done.stderr
    assert ("Broken off: convscope train --resume mine" in done.stdout) == bool(kept)
    names = [one.name for one in interrupted.iterdir() if one.name != "data"]
    assert names == [UNFINISHED] * kept
    assert not kept or path.read_bytes() == before


def test_a_state_of_another_version_is_refused(
    interrupted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = interrupted / UNFINISHED
    state = decode_state(path.read_bytes())
    path.write_bytes(encode_state(replace(state, version="convscope 0.0.1, torch 2.0")))
    assert main(["train", "--resume", "mine", "--out", str(interrupted)]) == 1
    assert "made by convscope 0.0.1, torch 2.0" in capsys.readouterr().err


def test_a_state_from_before_digests_is_refused_in_one_sentence(
    interrupted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = interrupted / UNFINISHED
    old = path.read_bytes().replace(b"digest", b"former")
    path.write_bytes(old)
    assert main(["train", "--resume", "mine", "--out", str(interrupted)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("convscope: This state was made by an earlier build of convscope")
    assert said.endswith("Start the training anew.\n")
    assert said.count("\n") == 1
    assert path.read_bytes() == old


def test_starting_anew_says_what_will_be_lost(
    interrupted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["train", *TINY, "--name", "mine", "--no-test", "--out", str(interrupted)])
    said = capsys.readouterr().out
    assert f"{UNFINISHED} is replaced after the first epoch" in said
    assert f"convscope train --resume mine --out {interrupted} --no-test" in said


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["train", "none.json"], "none.json can't be read"),
        (["train", "--network", "digits"], "lacks the key 'dataset'"),
        (["train", *TINY, "--epochs", "0"], "epochs lies between"),
        (["train", *TINY, "--augmentation", "mirror"], "No augmentation is called 'mirror'"),
        (["train", *TINY, "--augmentation", "{name}"], "is not JSON"),
        (["evaluate", "nobody"], "There is no model 'nobody'"),
        (["evaluate", "digits", "--split", "validation", "--note"], "Only the test split"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    words: list[str], answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 1
    said = capsys.readouterr().err
    assert said.startswith("convscope: ")
    assert answer in said
    assert "Traceback" not in said


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert COMMANDS[command].split()[0] in capsys.readouterr().out


def test_the_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    printed = capsys.readouterr().out
    assert all(name in printed for name in COMMANDS)


def test_a_shipped_card_is_a_recipe() -> None:
    weights = Path(__file__).parents[1] / "models" / "weights"
    for path in weights.glob("*.json"):
        recipe = Recipe.from_json(path.read_text())
        # Cards from before a recipe could ask for resources ask for none.
        assert recipe.to_dict() == {"resources": {}} | json.loads(path.read_text())["recipe"]
