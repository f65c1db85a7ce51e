import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.core.checkpoints import load_network, read_card, save_model
from app.core.errors import ShippedModel, StorageUnavailable, UnknownModel, UnreadableWeights
from app.core.model import Model
from app.core.whole_files import write_atomically
from app.services import model_library
from app.services.model_library import ModelLibrary
from models.registry import WEIGHTS, blank_card, create_network, list_cards, list_networks

CPU = torch.device("cpu")


@pytest.fixture
def library(tmp_path: Path) -> ModelLibrary:
    return ModelLibrary(CPU, tmp_path)


def save(folder: Path, name: str) -> dict[str, torch.Tensor]:
    """Write a model of the user's own and return its weights."""
    weights = create_network("convnet-revisited").state_dict()
    card = replace(blank_card("convnet-revisited"), name=name, weights=f"{name}.safetensors")
    save_model(folder, card, weights)
    return dict(weights)


def test_the_default_model_is_the_one_whose_card_says_so(library: ModelLibrary) -> None:
    first, *others = library.cards()
    assert first.default
    assert not any(card.default for card in others)
    assert library.get().card == first
    assert {card.name for card in library.cards()} == set(list_networks())


def test_a_model_has_the_weights_of_its_file(library: ModelLibrary) -> None:
    shipped = [card for card in list_cards() if card.weights]
    assert {"digits", "convnet-revisited"} <= {card.name for card in shipped}
    for card in shipped:
        expected = load_network(card, WEIGHTS).state_dict()
        model = library.get(card.name)
        assert not model.network.training
        for name, weight in model.network.state_dict().items():
            assert torch.equal(weight, expected[name])


def test_a_model_is_loaded_once(library: ModelLibrary) -> None:
    assert library.loaded() is None
    found: list[Model] = []
    threads = [threading.Thread(target=lambda: found.append(library.get())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    assert library.loaded() is found[0]
    assert library.loaded(found[0].card.name) is found[0]


def test_an_unknown_model_is_told_which_there_are(library: ModelLibrary) -> None:
    with pytest.raises(UnknownModel, match=r"'digit'. The models are .*convnet-revisited, digits"):
        library.get("digit")
    assert library.loaded("digit") is None


def test_models_of_ones_own_come_and_are_used_like_any(
    library: ModelLibrary, tmp_path: Path
) -> None:
    library.cards()
    weights = save(tmp_path, "mine")
    model = library.get("mine")
    assert model.card.name == "mine"
    assert torch.equal(model.weights["conv1"], weights["conv1.weight"])
    assert [card.name for card in library.cards()][-1] == "mine"
    assert library.get().card.default


def test_a_shipped_name_stays_its_own(library: ModelLibrary, tmp_path: Path) -> None:
    save(tmp_path, "digits")
    assert len(library.cards()) == len(list_cards())
    assert library.get("digits").card.network == "digits"


def test_a_damaged_card_does_not_hide_the_others(
    library: ModelLibrary, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "broken.json").write_text("{")
    save(tmp_path, "mine")
    assert "mine" in [card.name for card in library.cards()]
    assert "broken.json is not a model card" in caplog.text
    with pytest.raises(UnknownModel):
        library.get("broken")


def test_damaged_weights_are_said(library: ModelLibrary, tmp_path: Path) -> None:
    save(tmp_path, "mine")
    (tmp_path / "mine.safetensors").write_bytes(b"damaged")
    for _ in range(2):
        with pytest.raises(UnreadableWeights):
            library.get("mine")


def test_an_untrained_network_is_the_same_at_every_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        model_library, "list_cards", lambda: [replace(blank_card("digits"), default=True)]
    )
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, other = (ModelLibrary(CPU).get() for _ in range(2))
    assert torch.equal(one.weights["conv1"], other.weights["conv1"])
    assert torch.equal(torch.get_rng_state(), before)


def test_an_untrained_network_gives_way_to_weights_of_its_name(
    library: ModelLibrary, tmp_path: Path
) -> None:
    before = library.get("resnet18")
    assert before.card.weights is None
    assert library.get("resnet18") is before
    assert library.loaded("resnet18") is None  # Its weights may have come meanwhile.
    weights = create_network("resnet18").state_dict()
    card = replace(blank_card("resnet18"), weights="resnet18.safetensors", origin="theirs")
    save_model(tmp_path, card, weights)
    after = library.get("resnet18")
    assert after.card == card
    assert torch.equal(after.weights["conv1"], weights["conv1.weight"])
    assert library.loaded("resnet18") is after
    assert [one.name for one in library.cards()].count("resnet18") == 1


def test_a_library_of_large_networks_takes_no_memory_for_them(library: ModelLibrary) -> None:
    assert {"alexnet", "vgg11", "resnet18"} <= {card.name for card in library.cards()}
    assert library._models == {}


def test_any_model_can_be_the_default_and_stays_it(library: ModelLibrary, tmp_path: Path) -> None:
    shipped = library.get()
    save(tmp_path, "mine")
    assert library.make_default("mine").default
    assert library.get() is library.get("mine")
    assert library.loaded() is library.get("mine")
    assert [card.name for card in library.cards() if card.default] == ["mine"]
    assert library.cards()[0].name == "mine"
    assert ModelLibrary(CPU, tmp_path).get().card.name == "mine"
    assert not library.get(shipped.card.name).card.default
    library.make_default("vgg11")
    assert library.get().card.name == "vgg11"


def test_what_cannot_be_loaded_does_not_become_the_default(
    library: ModelLibrary, tmp_path: Path
) -> None:
    save(tmp_path, "mine")
    (tmp_path / "mine.safetensors").write_bytes(b"damaged")
    with pytest.raises(UnreadableWeights):
        library.make_default("mine")
    with pytest.raises(UnknownModel):
        library.make_default("yours")
    (tmp_path / ".default").mkdir()  # in the way of the file
    with pytest.raises(StorageUnavailable, match="Make room there"):
        library.make_default("lenet5")
    assert library.get().card == library.shipped_default


def test_a_default_that_has_gone_gives_way_to_the_shipped_one(
    library: ModelLibrary, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save(tmp_path, "mine")
    library.make_default("mine")
    (tmp_path / "mine.json").unlink()
    assert library.get().card == library.shipped_default
    assert "The default model mine is no longer" in caplog.text
    caplog.clear()
    assert ModelLibrary(CPU, tmp_path).get().card == library.shipped_default
    assert "The default model mine is no longer" in caplog.text


def test_a_deleted_model_leaves_nothing(library: ModelLibrary, tmp_path: Path) -> None:
    save(tmp_path, "mine")
    library.make_default("mine")
    model = library.get()
    library.remove("mine")
    assert list(tmp_path.iterdir()) == []
    assert "mine" not in library._models
    assert library.loaded("mine") is None
    with pytest.raises(UnknownModel):
        library.get("mine")
    assert library.get().card == library.shipped_default
    assert len(model.predict(torch.zeros(1, 1, 28, 28))) == 1


def test_a_deletion_that_is_broken_off_leaves_no_card_without_weights(
    library: ModelLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, "mine")
    seen: list[list[str]] = []
    unlink = Path.unlink

    def look(path: Path, missing_ok: bool = False) -> None:
        seen.append(sorted(one.name for one in tmp_path.iterdir()))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", look)
    library.remove("mine")
    assert seen == [["mine.json", "mine.safetensors"], ["mine.safetensors"]]


def test_weights_that_another_card_names_stay(library: ModelLibrary, tmp_path: Path) -> None:
    save(tmp_path, "mine")
    (tmp_path / "copy.json").write_bytes((tmp_path / "mine.json").read_bytes())
    library.remove("copy")
    assert library.get("mine").card.name == "mine"


@pytest.mark.parametrize("name", ["digits", "vgg11"])
def test_what_was_shipped_can_not_be_deleted(library: ModelLibrary, name: str) -> None:
    with pytest.raises(ShippedModel, match=f"{name} came with ConvScope"):
        library.remove(name)
    with pytest.raises(UnknownModel):
        library.remove("nothing")


def test_an_untrained_network_comes_back_when_its_weights_are_deleted(
    library: ModelLibrary, tmp_path: Path
) -> None:
    card = replace(blank_card("alexnet"), weights="alexnet.safetensors")
    library.add(card, create_network("alexnet").state_dict())
    assert library.get("alexnet").card.weights
    library.remove("alexnet")
    assert library.get("alexnet").card.weights is None


def test_a_card_that_is_written_again_is_read_again(library: ModelLibrary, tmp_path: Path) -> None:
    save(tmp_path, "mine")
    assert library.get("mine").card.metrics == {}
    path = tmp_path / "mine.json"
    card = replace(read_card(path), metrics={"test_accuracy": 0.5})
    write_atomically(path, card.to_json().encode())
    assert library.loaded("mine") is None
    assert library.get("mine").card.metrics == {"test_accuracy": 0.5}
    assert library.loaded("mine") is library.get("mine")
