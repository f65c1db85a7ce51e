from pathlib import Path

import pytest

from app.cli import main
from tests.web import samples


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVSCOPE_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def seven(tmp_path: Path) -> str:
    path = tmp_path / "seven.png"
    path.write_bytes(samples.encode(samples.draw_seven()))
    return str(path)


def test_it_prints_the_label_and_probabilities(
    seven: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", seven, "--top", "10"]) == 0
    path, _, words = capsys.readouterr().out.strip().partition(": ")
    assert path == seven
    pairs = [word.split() for word in words.split(", ")]
    assert pairs[0][0] == "7"
    assert sorted(label for label, _ in pairs) == list("0123456789")
    shares = [float(share.removesuffix("%")) for _, share in pairs]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.1)


def test_any_model_and_as_many_classes_as_wanted(
    seven: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", seven, seven, "--model", "convnet-revisited", "--top", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"{seven}: 7 ")
    assert "," not in lines[0]


def test_what_cannot_be_predicted_does_not_stop_the_rest(
    seven: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "page.png").write_bytes(samples.HTML)
    bad = [str(tmp_path / "none.png"), str(tmp_path / "page.png"), str(tmp_path)]
    assert main(["predict", *bad, seven]) == 1
    said = capsys.readouterr()
    assert said.out.startswith(f"{seven}: 7 ")
    missing, page, folder = said.err.splitlines()
    assert missing == f"convscope: {bad[0]}: The file can't be read: No such file or directory."
    assert "an HTML page" in page
    assert "can't be read: Is a directory" in folder


def test_an_unknown_model_is_told_which_there_are(
    seven: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", seven, "--model", "digit"]) == 1
    error = capsys.readouterr().err
    assert all(name in error for name in ("The models are", "convnet-revisited", "digits,"))


def test_an_untrained_network_says_so_whenever_it_predicts(
    seven: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", seven, "--model", "resnet18"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{seven}: class ")
    assert "its weights are random" in said.err
    assert "`convscope models fetch resnet18`" in said.err


@pytest.mark.parametrize("top", ["0", "-1", "two", "1.5"])
def test_top_is_a_whole_number(seven: str, top: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["predict", seven, "--top", top])
    assert "--top" in capsys.readouterr().err
