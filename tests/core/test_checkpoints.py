from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.core.checkpoints import (
    decode_weights,
    encode_weights,
    load_network,
    read_card,
    save_model,
)
from app.core.errors import StorageUnavailable, UnreadableWeights
from app.core.whole_files import write_atomically
from models.registry import ModelCard, blank_card, create_network


def trained_card() -> ModelCard:
    return replace(blank_card("convnet-revisited"), name="mine", weights="mine.safetensors")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return save_model(tmp_path, trained_card(), create_network("convnet-revisited").state_dict())


def test_a_model_comes_back_bit_for_bit(tmp_path: Path) -> None:
    network = create_network("convnet-revisited").eval()
    path = save_model(tmp_path, trained_card(), network.state_dict())
    card = read_card(path)
    assert card == trained_card()
    images = torch.rand(2, 1, 28, 28)
    assert load_network(card, tmp_path)(images).equal(network(images))


def test_weights_are_plain_safetensors(saved: Path) -> None:
    content = saved.with_suffix(".safetensors").read_bytes()
    header = content[8 : 8 + int.from_bytes(content[:8], "little")]
    assert header.startswith(b'{"')
    assert b'"conv1.weight"' in header


def test_any_memory_format_can_be_written() -> None:
    channels_last = torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last)
    back = decode_weights(encode_weights({"weight": channels_last}))
    assert back["weight"].equal(channels_last)


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_truncated_weights_are_refused_in_words(saved: Path, kept: int) -> None:
    file = saved.with_suffix(".safetensors")
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(UnreadableWeights, match="damaged or cut short"):
        load_network(read_card(saved), saved.parent)


def test_weights_of_another_network_are_refused(saved: Path) -> None:
    other = replace(read_card(saved), network="digits")
    with pytest.raises(UnreadableWeights, match="doesn't fit the network 'digits'"):
        load_network(other, saved.parent)


def test_a_network_that_is_not_there_is_named(saved: Path) -> None:
    with pytest.raises(UnreadableWeights, match="'lenet'"):
        load_network(replace(read_card(saved), network="lenet"), saved.parent)


def test_missing_weights_are_named(saved: Path) -> None:
    saved.with_suffix(".safetensors").unlink()
    with pytest.raises(UnreadableWeights, match=r"mine\.safetensors can't be read"):
        load_network(read_card(saved), saved.parent)


def test_a_card_cannot_point_out_of_its_folder(saved: Path, tmp_path: Path) -> None:
    escaping = replace(read_card(saved), weights="../../mine.safetensors")
    load_network(escaping, saved.parent)  # the name alone counts


def test_an_untrained_card_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnreadableWeights, match="untrained"):
        load_network(blank_card("digits"), tmp_path)
    with pytest.raises(ValueError, match="names no file"):
        save_model(tmp_path, blank_card("digits"), {})


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", '{"name": "x"}', "\xff"])
def test_what_is_no_card_is_refused_in_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "card.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(UnreadableWeights, match="is not a model card"):
        read_card(path)


def test_a_model_without_room_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def full(descriptor: int) -> None:
        written.append(descriptor)
        if len(written) > 1:  # The weights still found room, the card doesn't.
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageUnavailable, match=r"mine can't be .* No space left.*Make room"):
        save_model(tmp_path, trained_card(), create_network("convnet-revisited").state_dict())
    assert len(written) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "weights"
    write_atomically(file, b"old")

    def full(descriptor: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]
