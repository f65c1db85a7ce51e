"""What ``convscope evaluate`` prints in little room and of odd names, and what it refuses."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console

from app.cli import main
from app.commands.evaluation_report import matrix_width, show_evaluation
from app.core.checkpoints import load_network, read_card, save_model
from app.core.dataset_files import Dataset, Split, save_dataset
from app.core.evaluating import Bin, Evaluation, evaluate
from models.registry import blank_card, create_network

ODD = ("dog [old]", "[red]stop", "[/]", "a [link=x]b", ":cat:", "猫", "l" * 90, "cat", "[0]", "x")


def create_split(classes: int) -> Split:
    chance = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (60, 1, 28, 28), dtype=torch.uint8, generator=chance)
    return Split(images, torch.arange(60) % classes)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with the data set ``odd``, two of other classes, and a model of the first."""
    monkeypatch.setenv("CONVSCOPE_DATA_DIR", str(tmp_path))
    parts = create_split(10), create_split(10)
    kinds = {"odd": ODD, "backwards": ODD[::-1], "letters": tuple("abcdefghij")}
    for name, classes in kinds.items():
        dataset = Dataset(name, f"[b]{name}[/b]", classes, (1, 28, 28))
        save_dataset(tmp_path / "datasets", dataset, *parts)
    torch.manual_seed(0)
    blank = replace(blank_card("simple-cnn"), name="mine", title="[i]Mine", recipe={"seed": 0})
    card = replace(blank, dataset="odd", classes=ODD, weights="mine.safetensors")
    save_model(tmp_path / "models", card, create_network("simple-cnn").state_dict())
    return tmp_path


def measure(data: Path) -> Evaluation:
    card = read_card(data / "models" / "mine.json")
    return evaluate(load_network(card, data / "models"), create_split(10), card)


@pytest.mark.parametrize("dataset", ["letters", "backwards", "mnist"])
@pytest.mark.parametrize("more", [[], ["--drawings", "2"], ["--split", "validation"]])
def test_a_data_set_of_other_classes_is_refused(
    dataset: str, more: list[str], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "mine", "--dataset", dataset, *more]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        f"convscope: mine can't be measured: its classes are not those of {dataset}. Take a data "
        "set that has the same ones in the same order.\n"
    )


def test_a_data_set_that_has_become_another_is_not_noted_on_the_card(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "datasets" / "letters.safetensors").replace(data / "datasets" / "odd.safetensors")
    before = (data / "models" / "mine.json").read_bytes()
    assert main(["evaluate", "mine", "--note"]) == 1
    assert "its classes are not those of odd" in capsys.readouterr().err
    assert (data / "models" / "mine.json").read_bytes() == before


@pytest.mark.parametrize("columns", ["20", "80", "1000"])
def test_no_figure_and_no_name_is_cut_or_read_as_markup(
    columns: str, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["evaluate", "mine"]) == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    evaluation = measure(data)
    for name, share in zip(ODD, evaluation.class_accuracy, strict=True):
        assert f"{share:>7.2%} of 6 recognised: {name}" in lines
    for pair in evaluation.most_confused(5):
        assert f"{ODD[pair.true]} taken for {ODD[pair.predicted]}: {pair.count}" in lines
    assert "…" not in printed


def test_the_confusion_matrix_is_whole_or_told_where_it_would_be(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluation = measure(data)
    needed = matrix_width(evaluation, ODD)
    monkeypatch.setenv("COLUMNS", str(needed))
    assert main(["evaluate", "mine"]) == 0
    lines = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in line.split("│")] for line in lines if line.startswith("│")]
    assert cells == [
        ["", name, *(str(count or "") for count in row), ""]
        for name, row in zip(ODD, evaluation.confusion.tolist(), strict=True)
    ]
    (heading,) = [line for line in lines if line.startswith("┃")]
    assert [cell.strip() for cell in heading.split("┃")] == ["", "", *ODD, ""]

    monkeypatch.setenv("COLUMNS", str(needed - 1))
    assert main(["evaluate", "mine"]) == 0
    printed = capsys.readouterr().out
    assert "│" not in printed
    said = f"needs a terminal {needed} columns wide, and this one has {needed - 1}"
    (line,) = [line for line in printed.splitlines() if said in line]
    assert "the model's page and `GET /api/v1/models/mine/evaluation` show that of odd's" in line


def test_a_class_without_images_has_no_accuracy_and_a_thousand_classes_a_line_each() -> None:
    counts = torch.zeros(1000, 1000, dtype=torch.int64)
    counts[1:, 0] = 1
    card = replace(blank_card("vgg11"), name="mine")
    output = StringIO()
    console = Console(file=output, width=80)
    show_evaluation(Evaluation(counts, 0.5, (Bin(999, 0.5, 0.0),)), card, console)
    lines = output.getvalue().splitlines()
    assert lines[1] == "   none of 0 recognised: class 0"
    assert lines[2] == "  0.00% of 1 recognised: class 1"
    assert lines[1000] == "  0.00% of 1 recognised: class 999"


def test_titles_and_paths_are_not_read_as_markup(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["data", "list"]) == 0
    assert "[b]odd[/b]" in capsys.readouterr().out
    assert main(["models", "list"]) == 0
    assert "[i]Mine" in capsys.readouterr().out
    folder = data / "[red]again :cat:"
    words = ["--network", "simple-cnn", "--dataset", "optdigits", "--epochs", "1", "--no-test"]
    assert main(["train", *words, "--name", "[b]mine", "--out", str(folder)]) == 0
    assert f"Wrote {folder / '[b]mine.json'}\n" in capsys.readouterr().out
