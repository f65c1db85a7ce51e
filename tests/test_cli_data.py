import zipfile
from pathlib import Path

import pytest

from app.cli import main
from app.core.checkpoints import read_card
from tests.core.test_importing import files


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONVSCOPE_DATA_DIR", str(tmp_path / "data"))
    path = tmp_path / "My Pets.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files().items():
            archive.writestr(name, data)
    return path


def test_what_is_imported_is_listed_and_can_be_trained_on(
    pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "import", str(pets), "--size", "32"]) == 0
    assert "my-pets: 3 classes, 9 images to train on" in capsys.readouterr().out
    assert main(["data", "list"]) == 0
    listed = capsys.readouterr().out
    assert "my-pets" in listed
    assert "optdigits" in listed
    assert main(["data", "import", str(pets)]) == 1
    assert "already" in capsys.readouterr().err


def test_a_network_learns_the_classes_of_one_s_own_pictures(
    pets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "import", str(pets)]) == 0
    recipe = ["--network", "lenet5", "--dataset", "my-pets", "--epochs", "1", "--batch-size", "3"]
    assert main(["train", *recipe, "--name", "pets"]) == 0
    card = read_card(tmp_path / "data" / "models" / "pets.json")
    assert card.classes == ("ants", "cats", "dogs")
    assert sum(map(sum, card.metrics["test_confusion"])) == 6
    capsys.readouterr()
    assert main(["evaluate", "pets"]) == 0
    assert "dogs" in capsys.readouterr().out


def test_an_unknown_data_set_is_answered_with_those_that_there_are(
    pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--network", "digits", "--dataset", "nist"]) == 1
    assert "optdigits" in capsys.readouterr().err
    assert main(["data", "fetch", "../secret"]) == 1
    assert "There is no data set called" in capsys.readouterr().err
