import zipfile
from pathlib import Path

import pytest

from app.cli import main
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


def test_a_network_of_other_classes_says_so(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "import", str(pets)]) == 0
    capsys.readouterr()
    assert main(["train", "--network", "cifar-3conv", "--dataset", "my-pets"]) == 1
    assert "tells 10 classes; my-pets has 3 and 3" in capsys.readouterr().err


def test_an_unknown_data_set_is_answered_with_those_that_there_are(
    pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--network", "digits", "--dataset", "nist"]) == 1
    assert "optdigits" in capsys.readouterr().err
    assert main(["data", "fetch", "../secret"]) == 1
    assert "There is no data set called" in capsys.readouterr().err
