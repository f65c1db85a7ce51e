"""All that fuzzing begins with, and all that it has found: what must hold, holds.

`make fuzz` looks for more. What it finds belongs into the corpus, under a name of its own.
"""

from pathlib import Path

import pytest

from app.core.checkpoints import decode_weights, read_card
from app.core.dataset_files import read_dataset
from app.core.images import read_picture
from tests.fuzz.seeding import CORPUS
from tests.fuzz.targets import TARGETS

FILES = sorted(path for path in CORPUS.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_must_hold_holds(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


def test_every_target_has_seeds() -> None:
    assert {path.parent.name for path in FILES} == TARGETS.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9])
def test_cut_short(path: Path, kept: float) -> None:
    data = path.read_bytes()
    TARGETS[path.parent.name](data[: int(kept * len(data))])


def test_the_seeds_are_whole() -> None:
    """Or nothing behind the first check would ever be reached."""
    assert read_picture((CORPUS / "pictures" / "RGBA.png").read_bytes(), 10**6).height == 7
    assert set(decode_weights((CORPUS / "weights" / "two").read_bytes())) == {
        "fc.weight",
        "fc.bias",
    }
    assert read_card(CORPUS / "cards" / "own").network == "simple-cnn"
    assert read_dataset(CORPUS / "datasets" / "two").train_images == 2
