from dataclasses import replace
from pathlib import Path

import pytest

from app.cli import main
from app.commands import models
from app.core.pretrained import find_pretrained
from tests.conftest import free_port


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONVSCOPE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "data"


def test_models_are_listed_and_untrained_ones_are_called_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["models", "list"]) == 0
    rows = {line.split()[1]: line for line in capsys.readouterr().out.splitlines() if "×" in line}
    assert "132,863,336" in rows["vgg11"]
    assert all("random weights" in rows[name] for name in ("vgg11", "alexnet", "resnet18"))
    assert "random weights" not in rows["digits"]


def test_without_a_network_it_says_so_and_leaves_nothing(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/weights.pth"
    monkeypatch.setattr(
        models, "find_pretrained", lambda network: replace(find_pretrained(network), url=nowhere)
    )
    assert main(["models", "fetch", "vgg11"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"convscope: {nowhere} could not be downloaded")
    assert "Connect this machine to the internet" in said
    assert list((data / "models").iterdir()) == []


def test_only_some_networks_have_weights_to_fetch(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "fetch", "digits"]) == 1
    assert "only for alexnet, resnet18, vgg11" in capsys.readouterr().err
