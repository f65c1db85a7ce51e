"""Cards, weights and data sets that declare what they shouldn't: refused before memory is taken."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from app.core.checkpoints import load_network, read_card
from app.core.dataset_files import read_dataset, read_split
from app.core.errors import DatasetUnavailable, UnreadableWeights
from models.registry import WEIGHTS, ModelCard


@pytest.fixture
def card() -> dict[str, Any]:
    return dict(json.loads((WEIGHTS / "digits.json").read_text()))


def written(folder: Path, text: str) -> Path:
    path = folder / "own.json"
    path.write_text(text)
    return path


def test_a_true_card_is_read(tmp_path: Path, card: dict[str, Any]) -> None:
    assert read_card(written(tmp_path, json.dumps(card))).network == "digits"


@pytest.mark.parametrize(
    "changed",
    [
        {"input_shape": [1, 1_000_000, 1_000_000]},
        {"input_shape": [2**40, 28, 28]},
        {"input_shape": [1, 28]},
        {"input_shape": []},
        {"input_shape": ["1", "28", "28"]},
        {"input_shape": 28},
        {"input_shape": [-1, 28, 28]},
        {"network": "nothing"},
        {"network": ["digits"]},
        {"preprocessing": {"method": "digit", "mean": [0.0] * 1000, "std": [1.0]}},
        {"preprocessing": {"method": "digit", "mean": ["0"], "std": [1.0]}},
        {"preprocessing": {"method": "digit", "mean": [0.0], "std": [float("nan")]}},
        {"preprocessing": []},
        {"classes": 10},
        {"unknown": 1},
    ],
)
def test_a_card_of_other_shapes(
    tmp_path: Path, card: dict[str, Any], changed: dict[str, Any]
) -> None:
    with pytest.raises(UnreadableWeights, match=r"own\.json is not a model card"):
        read_card(written(tmp_path, json.dumps(card | changed)))


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"parameters": ' + "1" * 5000 + "}", "", "[]", "null", "{}", '"text"']
)
def test_a_card_that_is_none(tmp_path: Path, text: str) -> None:
    with pytest.raises(UnreadableWeights, match="is not a model card"):
        read_card(written(tmp_path, text))


def sparse(path: Path, size: int) -> None:
    """A file of so many bytes that takes no room on the disk."""
    with path.open("wb") as file:
        file.truncate(size)


def test_files_that_are_too_large_are_not_read(tmp_path: Path, card: dict[str, Any]) -> None:
    sparse(tmp_path / "own.json", 2**40)
    with pytest.raises(UnreadableWeights, match="more than the"):
        read_card(tmp_path / "own.json")
    own = ModelCard.from_json(json.dumps(card | {"weights": "own.safetensors"}))
    sparse(tmp_path / "own.safetensors", 2**40)
    with pytest.raises(UnreadableWeights, match="more than the"):
        load_network(own, tmp_path)
    assert asdict(own)["network"] == "digits"


IMAGES = torch.zeros(4, 1, 5, 6, dtype=torch.uint8)
LABELS = torch.tensor([0, 1, 0, 1])


def dataset(folder: Path, classes: str = '["a", "b"]', **changed: torch.Tensor) -> Path:
    tensors = {
        "train.images": IMAGES,
        "train.labels": LABELS,
        "test.images": IMAGES.clone(),
        "test.labels": LABELS.clone(),
    }
    tensors |= {name.replace("_", "."): tensor for name, tensor in changed.items()}
    path = folder / "own.safetensors"
    save_file(tensors, path, {"title": "Own", "classes": classes})
    return path


def test_a_true_data_set_is_read(tmp_path: Path) -> None:
    path = dataset(tmp_path)
    assert read_dataset(path).input_shape == (1, 5, 6)
    assert torch.equal(read_split(path, "test").labels, LABELS)


@pytest.mark.parametrize(
    "changed",
    [
        {"train_images": IMAGES.float()},
        {"train_images": IMAGES[0].clone()},
        {"train_images": torch.zeros(2**40, 0, 5, 6, dtype=torch.uint8)},
        {"train_images": torch.zeros(4, 1, 0, 2**40, dtype=torch.uint8)},
        {"train_images": IMAGES[:3].clone()},
        {"train_labels": LABELS.float()},
        {"train_labels": LABELS[:, None].clone()},
        {"train_labels": torch.zeros(0, 2**40, dtype=torch.long)},
        {"classes": "[" * 100_000},
        {"classes": "1" * 5000},
        {"classes": "no JSON"},
        {"classes": "7"},
    ],
)
def test_a_data_set_of_other_shapes(tmp_path: Path, changed: dict[str, Any]) -> None:
    path = dataset(tmp_path, **changed)
    for read in (read_dataset, lambda path: read_split(path, "train")):
        with pytest.raises(DatasetUnavailable, match="no data set of ConvScope's"):
            read(path)


@pytest.mark.parametrize("wrong", [-1, 2, 2**62])
def test_a_label_of_no_class(tmp_path: Path, wrong: int) -> None:
    path = dataset(tmp_path, train_labels=torch.tensor([0, 1, 0, wrong]))
    with pytest.raises(DatasetUnavailable, match="its 2 classes"):
        read_split(path, "train")


def test_parts_of_two_sizes(tmp_path: Path) -> None:
    path = dataset(tmp_path, test_images=torch.zeros(4, 1, 6, 6, dtype=torch.uint8))
    with pytest.raises(DatasetUnavailable, match="different sizes"):
        read_dataset(path)


def test_a_data_set_that_may_not_be_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pets.safetensors"
    path.write_bytes(b"what root would see")
    # Root, who may run this, may read any file.
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(DatasetUnavailable, match="chmod u\\+r") as caught:
        read_dataset(path)
    assert "Remove" not in str(caught.value)
