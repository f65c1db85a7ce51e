"""What the model of a training is called, and that it is found by that name."""

from pathlib import Path

import pytest
import torch

from app.cli import main
from app.commands.model_names import name_model
from app.core.recipes import Recipe
from app.services.model_library import BadName, ModelLibrary

QUICK = ["--network", "simple-cnn", "--dataset", "optdigits", "--epochs", "1"]
RECIPE = Recipe("simple-cnn", "optdigits")


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the server looks for models."""
    monkeypatch.setenv("CONVSCOPE_DATA_DIR", str(tmp_path))
    return tmp_path / "models"


def test_what_is_trained_without_a_name_is_listed_and_measured_and_trained_again(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *QUICK, "--no-test"]) == 0
    assert f"Wrote {models / 'simple-cnn-optdigits.json'}\n" in capsys.readouterr().out
    library = ModelLibrary(torch.device("cpu"), models)
    assert library.get("simple-cnn-optdigits").card.dataset == "optdigits"
    assert main(["evaluate", "simple-cnn-optdigits"]) == 0
    assert "of 360 images recognised" in capsys.readouterr().out

    before = (models / "simple-cnn-optdigits.safetensors").read_bytes()
    assert main(["train", *QUICK, "--no-test", "--seed", "1"]) == 0
    said = capsys.readouterr().out.splitlines()[0]
    assert said.startswith(
        f"The finished model {models / 'simple-cnn-optdigits.json'} is replaced when this training "
        "ends."
    )
    assert (models / "simple-cnn-optdigits.safetensors").read_bytes() != before


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("digits", "The model digits came with ConvScope and can't be replaced."),
        ("a/b", "'a/b' can't be a model's name."),
        ("../mine", "'../mine' can't be a model's name."),
        ("Mine", "up to 40 small letters, digits and hyphens, a letter or digit first."),
    ],
)
def test_a_name_that_the_library_would_not_find_is_refused_before_training(
    name: str, answer: str, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *QUICK, "--name", name, "--out", str(models)]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("convscope: ")
    assert answer in said.err
    assert "--name" in said.err
    assert said.out == ""
    assert not models.exists()


def test_an_unknown_data_set_is_said_before_a_name_made_of_it(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--network", "digits", "--dataset", "My Pets"]) == 1
    assert "There is no data set called 'My Pets'" in capsys.readouterr().err


def test_only_a_shipped_model_s_name_gets_the_data_set_s(models: Path) -> None:
    assert name_model(None, RECIPE, models, models) == "simple-cnn-optdigits"
    # Of these only the network is shipped, and gives way to weights.
    assert name_model(None, Recipe("vgg11", "optdigits"), models, models) == "vgg11"
    assert name_model("mine", RECIPE, models, models) == "mine"


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("a" * 29, "simple-cnn-" + "a" * 29),
        ("a" * 40, "simple-cnn-" + "a" * 29),
        ("a" * 28 + "--b", "simple-cnn-" + "a" * 28),
    ],
)
def test_a_name_of_a_long_data_set_s_is_cut_to_what_the_library_takes(
    dataset: str, name: str, models: Path
) -> None:
    assert name_model(None, Recipe("simple-cnn", dataset), models, models) == name


@pytest.mark.parametrize("name", ["x" * 233, "é" * 117])
def test_a_name_that_is_too_long_for_a_file_is_refused_before_training(
    name: str, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = tmp_path / "again"
    assert main(["train", *QUICK, "--name", name, "--out", str(again)]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("convscope: ")
    assert "too long" in said.err
    assert "--name" in said.err
    assert said.out == ""
    assert not again.exists()


@pytest.mark.parametrize("name", ["x" * 232, "é" * 116])
def test_with_the_longest_name_a_model_is_trained_and_written(
    name: str, models: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    assert main(["train", *QUICK, "--no-test", "--name", name, "--out", str(again)]) == 0
    assert (again / f"{name}.json").exists()


def test_any_file_s_name_will_do_in_another_folder(models: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    assert name_model(None, RECIPE, again, models) == "simple-cnn"
    for name in ("simple-cnn", "Mine", "my net_2.0", "x" * 50):
        assert name_model(name, RECIPE, again, models) == name
    for name in ("a/b", "../mine", "/mine", "mine/"):
        with pytest.raises(BadName, match=r"can't be the name of a file.*--name.*--out"):
            name_model(name, RECIPE, again, models)


def test_the_library_s_folder_is_known_by_any_path(models: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(models)
    for folder in (tmp_path / "link", models / "deeper" / ".."):
        assert name_model(None, RECIPE, folder, models) == "simple-cnn-optdigits"
