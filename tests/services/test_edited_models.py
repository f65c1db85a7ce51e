"""Edited models: kept as edits, found by name, never more than their base has room for."""

from pathlib import Path

import pytest
import torch

import app.services.edited_models as module
from app.core.checkpoints import encode_weights
from app.core.dataset_files import DatasetFolders
from app.core.edits import BadEdit, Edit, NewBias, Off
from app.core.errors import UnknownModel, UnreadableWeights
from app.core.event_log import Record
from app.core.model import Model
from app.core.recipes import Recipe
from app.services.edited_models import EditedModels, base_of, is_edited
from app.services.model_library import ModelLibrary
from app.services.run_store import RunStore
from app.services.snapshot_models import SnapshotModels, is_snapshot, name_of
from models.registry import WEIGHTS, create_network

CPU = torch.device("cpu")
RECIPE = Recipe(network="simple-cnn", dataset="optdigits", epochs=2)
OFF: list[Edit] = [Off("conv1", 3)]


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs.sqlite")


def open_models(tmp_path: Path, store: RunStore) -> EditedModels:
    """As a server has it when it starts."""
    snapshots = SnapshotModels(store, DatasetFolders(tmp_path, tmp_path), CPU)
    return EditedModels(tmp_path / "edits", ModelLibrary(CPU, tmp_path / "models"), snapshots)


@pytest.fixture
def edited(tmp_path: Path, store: RunStore) -> EditedModels:
    return open_models(tmp_path, store)


def logits(model: Model) -> torch.Tensor:
    """By torch, whoever predicts with this model: the same weights give the same bits."""
    picture = torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(1))
    return model.trace(picture).logits


def test_an_edited_model_is_there_after_a_restart(
    edited: EditedModels, tmp_path: Path, store: RunStore
) -> None:
    shipped = {path.name: path.read_bytes() for path in WEIGHTS.glob("digits.*")}
    before = logits(edited.get("digits"))
    made = edited.make("digits", OFF)
    name = made.model.card.name
    assert is_edited(name)
    assert base_of(name) == "digits"
    assert edited.make("digits", OFF).model.card.name == name
    assert edited.loaded(name) is edited.get(name)
    again = open_models(tmp_path, store)
    assert again.loaded(name) is None
    found = again.find(name)
    assert found.edits == tuple(OFF)
    assert found.model.card.title == "Digits, edited: conv1 channel 3 off"
    assert logits(found.model).equal(logits(made.model))
    assert not logits(found.model).equal(before)
    assert logits(again.get("digits")).equal(before)
    assert {path.name: path.read_bytes() for path in WEIGHTS.glob("digits.*")} == shipped


def test_edits_of_an_edited_model_come_after_its_own(edited: EditedModels) -> None:
    first = edited.make("digits", OFF).model.card.name
    both = edited.make(first, [NewBias("fc1", 0, 1)])
    assert both.edits == (*OFF, NewBias("fc1", 0, 1))
    assert both.model.card.name == edited.make("digits", list(both.edits)).model.card.name
    assert base_of(both.model.card.name) == "digits"
    assert edited.names_of("digits") == sorted({first, both.model.card.name})
    with pytest.raises(BadEdit, match="100 at most"):
        edited.make(first, OFF * 100)
    with pytest.raises(BadEdit) as refusal:
        edited.make(first, [Off("conv1", 99)])
    assert list(refusal.value.faults) == ["edits.0.channel"]


def test_a_snapshot_can_be_edited(edited: EditedModels, store: RunStore) -> None:
    run = store.create(RECIPE, "mine").id
    facts = {"epoch": 2, "validation_loss": 0.5, "validation_accuracy": 0.75, "confusion": [[1]]}
    weights = encode_weights(create_network("simple-cnn").state_dict())
    store.note(run, Record("snapshot", facts, weights))
    made = edited.make(f"{run}@2.0", OFF)
    name = made.model.card.name
    assert base_of(name) == name_of(run, 2)
    assert is_snapshot(base_of(name))
    assert not is_snapshot(name)
    with torch.no_grad():
        assert made.model.network.get_parameter("conv1.weight")[3].count_nonzero() == 0


def test_a_model_of_ones_own_takes_its_edits_along(edited: EditedModels, tmp_path: Path) -> None:
    first = edited.make("digits", OFF).model.card.name
    card = edited.keep(first, "mine", None)
    assert card.description == "Digits with weights edited by hand: conv1 channel 3 off."
    assert logits(edited.get("mine")).equal(logits(edited.get(first)))
    name = edited.make("mine", [NewBias("fc1", 0, 1)]).model.card.name
    library = ModelLibrary(CPU, tmp_path / "models")
    library.remove("mine")
    assert edited.loaded(name) is None
    with pytest.raises(UnknownModel, match="'mine' with edits, and that is no longer there"):
        edited.get(name)
    edited.forget("mine")
    assert edited.names_of("mine") == []
    with pytest.raises(BadEdit, match="digits has no edits"):
        edited.keep("digits", "other", None)


def test_another_model_of_the_same_name_is_edited_anew_or_not_at_all(
    edited: EditedModels, tmp_path: Path
) -> None:
    edited.keep(edited.make("digits", OFF).model.card.name, "mine", None)
    name = edited.make("mine", [Off("conv1", 15)]).model.card.name
    before = edited.get(name)
    ModelLibrary(CPU, tmp_path / "models").remove("mine")
    edited.keep(edited.make("digits", [Off("conv1", 2)]).model.card.name, "mine", None)
    after = edited.get(name)
    assert after is not before
    assert not logits(after).equal(logits(before))
    ModelLibrary(CPU, tmp_path / "models").remove("mine")
    edited.keep(edited.make("simple-cnn", OFF).model.card.name, "mine", None)
    with pytest.raises(UnknownModel, match="no longer fits mine"):
        edited.get(name)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("digits~000000000000", "nothing is kept of its edits"),
        ("digits~../../models", "nothing is kept of its edits"),
        ("digits~", "nothing is kept of its edits"),
        ("none~000000000000", "'none' with edits, and that is no longer there"),
        ("../none~000000000000", "no longer there"),
        ("none@1~000000000000", "no longer there"),
        ("~", "no longer there"),
    ],
)
def test_what_is_not_there_is_refused(edited: EditedModels, name: str, part: str) -> None:
    assert edited.loaded(name) is None
    with pytest.raises(UnknownModel) as refusal:
        edited.get(name)
    assert part in str(refusal.value)


def test_a_damaged_file_is_named(edited: EditedModels, tmp_path: Path, store: RunStore) -> None:
    name = edited.make("digits", OFF).model.card.name
    (tmp_path / "edits" / f"{name}.json").write_text("{")
    with pytest.raises(UnreadableWeights, match="remove the file"):
        open_models(tmp_path, store).get(name)


def test_those_that_were_asked_for_last_are_kept(
    edited: EditedModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    names = [edited.make("digits", [Off("conv1", one)]).model.card.name for one in range(3)]
    assert [edited.loaded(name) is not None for name in names] == [False, True, True]
    monkeypatch.setattr(module, "MOST_BYTES", 2 * 16 * 26 * 4 - 1)
    edited.get(names[0])
    assert [edited.loaded(name) is not None for name in names] == [True, False, False]
