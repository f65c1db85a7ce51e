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
from models.registry import WEIGHTS, ModelCard, blank_card, list_networks


@pytest.fixture
def card() -> dict[str, Any]:
    return dict(json.loads((WEIGHTS / "digits.json").read_text()))


def written(folder: Path, text: str) -> Path:
    path = folder / "own.json"
    path.write_text(text)
    return path


def wrong(key: str, *values: object) -> list[dict[str, object]]:
    return [{key: value} for value in values]


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
        {"preprocessing": {"method": "digit", "mean": [0.0], "std": [0]}},
        {"preprocessing": {"method": "digit", "mean": [0.0], "std": [-1]}},
        {"preprocessing": {"method": "digit", "mean": [0.0], "std": [1e-300]}},
        {"preprocessing": {"method": "digit", "mean": [1e300], "std": [1.0]}},
        {"preprocessing": {"method": "digit", "mean": [True], "std": [1.0]}},
        {"preprocessing": {"method": "other", "mean": [0.0], "std": [1.0]}},
        {"preprocessing": {"method": ["digit"], "mean": [0.0], "std": [1.0]}},
        *wrong("title", 5, None, [], {}, "\ud800", "\0"),
        *wrong("description", 5, None, ["x"]),
        *wrong("dataset", 5, None, ["x"]),
        *wrong("origin", 5, [], "\udfff"),
        *wrong("weights", 5, [], "own\0.safetensors"),
        *wrong("recipe", 5, None, [], {"\ud800": 1}, {"network": ["\ud800"]}),
        *({"recipe": one} for one in wrong("seed", float("nan"), float("inf"), 10**400, 2**64)),
        *wrong("parameters", "x", 1.5, None, True, 10**400),
        *wrong("default", "x", 1, None),
        *wrong("metrics", 5, None, [], {"\ud800": 1}),
        *wrong("classes", [], [1, 2], [["a"]], ["\ud800"], ["a"] * 20_000),
        {"weights": None, "classes": ["a", "b"]},
    ],
)
def test_a_card_of_other_shapes(
    tmp_path: Path, card: dict[str, Any], changed: dict[str, Any]
) -> None:
    with pytest.raises(UnreadableWeights, match=r"own\.json is not a model card"):
        read_card(written(tmp_path, json.dumps(card | changed)))


@pytest.mark.parametrize("value", ["x", None, [], {}, True, float("nan"), 10**400, [[1]]])
@pytest.mark.parametrize(
    "name", ["test_accuracy", "test_loss", "validation_accuracy", "seconds", "of my own"]
)
def test_a_measure_that_is_no_number(
    tmp_path: Path, card: dict[str, Any], name: str, value: object
) -> None:
    metrics = card["metrics"] | {name: value}
    with pytest.raises(UnreadableWeights, match="is not a model card"):
        read_card(written(tmp_path, json.dumps(card | {"metrics": metrics})))


BIN = {"count": 2, "confidence": 0.5, "accuracy": 0.5}


@pytest.mark.parametrize(
    "changed",
    [
        *wrong("drawings", 5, [], {"thin": "x"}, {"\ud800": 0.5}),
        *wrong("test_confusion", 5, None, [], [5] * 10, [[]] * 10, [["1"]]),
        {"test_confusion": [[1] * 10] * 9},
        {"test_confusion": [[1] * 9] * 10},
        {"test_confusion": [[0] * 10] * 10},
        {"test_confusion": [[-1] * 10] * 10},
        {"test_confusion": [[0.5] * 10] * 10},
        {"test_confusion": [[2**62] * 10] * 10},
        *wrong("test_calibration", 5, None, [], {}, [5], [[]], [{}]),
        {"test_calibration": [BIN | {"count": 0}]},
        {"test_calibration": [BIN | {"count": 1.5}]},
        {"test_calibration": [BIN | {"accuracy": "x"}]},
        {"test_calibration": [BIN | {"more": 1}]},
    ],
)
def test_an_evaluation_that_is_none(
    tmp_path: Path, card: dict[str, Any], changed: dict[str, Any]
) -> None:
    metrics = card["metrics"] | changed
    with pytest.raises(UnreadableWeights, match="is not a model card"):
        read_card(written(tmp_path, json.dumps(card | {"metrics": metrics})))


@pytest.mark.parametrize("missing", ["test_loss", "test_calibration"])
def test_an_evaluation_that_lacks_something(
    tmp_path: Path, card: dict[str, Any], missing: str
) -> None:
    del card["metrics"][missing]
    with pytest.raises(UnreadableWeights, match=f"is not a model card.*{missing}"):
        read_card(written(tmp_path, json.dumps(card)))


def test_a_recipe_that_is_nested_without_end(tmp_path: Path, card: dict[str, Any]) -> None:
    nested: dict[str, Any] = {}
    for _ in range(300):
        nested = {"recipe": nested}
    with pytest.raises(UnreadableWeights, match="its recipe"):
        read_card(written(tmp_path, json.dumps(card | nested)))


def test_a_card_whose_name_is_no_text(tmp_path: Path, card: dict[str, Any]) -> None:
    path = tmp_path / "\udcff.json"
    path.write_text(json.dumps(card))
    with pytest.raises(UnreadableWeights, match="its name is no text"):
        read_card(path)


@pytest.mark.parametrize("path", sorted(WEIGHTS.glob("*.json")), ids=lambda path: path.stem)
def test_shipped_cards_are_read(path: Path) -> None:
    assert read_card(path) == ModelCard.from_json(path.read_text())


@pytest.mark.parametrize("name", list_networks())
def test_a_blank_card_is_read(tmp_path: Path, name: str) -> None:
    assert read_card(written(tmp_path, blank_card(name).to_json())) == blank_card(name)


@pytest.mark.parametrize("count", [9, 11])
def test_weights_of_other_classes_than_the_card_has(
    tmp_path: Path, card: dict[str, Any], count: int
) -> None:
    own = read_card(
        written(
            tmp_path, json.dumps(card | {"classes": list(map(str, range(count))), "metrics": {}})
        )
    )
    with pytest.raises(UnreadableWeights, match="doesn't fit the network"):
        load_network(own, WEIGHTS)


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
        {"classes": "[1, 2]"},
        {"classes": '["a", null]'},
        {"classes": '{"a": 1, "b": 2}'},
        {"classes": '"ab"'},
        {"classes": '["\\ud800", "b"]'},
    ],
)
def test_a_data_set_of_other_shapes(tmp_path: Path, changed: dict[str, Any]) -> None:
    path = dataset(tmp_path, **changed)
    for read in (read_dataset, lambda path: read_split(path, "train")):
        with pytest.raises(DatasetUnavailable, match="no data set of ConvScope's"):
            read(path)


@pytest.mark.parametrize("channels", [2, 4, 7])
def test_a_data_set_that_is_neither_grey_nor_in_colour(tmp_path: Path, channels: int) -> None:
    images = torch.zeros(4, channels, 5, 6, dtype=torch.uint8)
    path = dataset(tmp_path, train_images=images, test_images=images.clone())
    said = f"its train images have {channels} channels; grey ones have 1 and coloured ones 3"
    for read in (read_dataset, lambda path: read_split(path, "train")):
        with pytest.raises(DatasetUnavailable, match=said):
            read(path)


@pytest.mark.parametrize("wrong", [-1, 2, 2**62])
def test_a_label_of_no_class(tmp_path: Path, wrong: int) -> None:
    path = dataset(tmp_path, train_labels=torch.tensor([0, 1, 0, wrong]))
    with pytest.raises(DatasetUnavailable, match="its 2 classes"):
        read_split(path, "train")


def test_a_data_set_whose_name_is_no_text(tmp_path: Path) -> None:
    path = dataset(tmp_path).rename(tmp_path / "\udcff.safetensors")
    with pytest.raises(DatasetUnavailable, match="no data set of ConvScope's"):
        read_dataset(path)


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
