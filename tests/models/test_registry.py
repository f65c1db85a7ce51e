"""The networks that are registered, and the cards that are shipped."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from app.core.checkpoints import load_network
from models.registry import (
    WEIGHTS,
    ModelCard,
    blank_card,
    create_hollow_network,
    create_network,
    list_cards,
    list_networks,
    register,
)

NAMES = list_networks()


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_seed_is_there_to_the_last_parameter() -> None:
    assert count(create_network("convnet-revisited")) == 28_938


def test_the_default_is_small() -> None:
    (default,) = [card for card in list_cards() if card.default]
    assert default.name == "digits"
    assert count(create_network(default.network)) <= 200_000


@pytest.mark.parametrize("name", NAMES)
def test_a_network_gives_logits_of_its_classes(name: str) -> None:
    card = blank_card(name)
    network = create_network(name).eval()
    with torch.no_grad():
        logits = network(torch.rand(3, *card.input_shape))
    assert logits.shape == (3, len(card.classes))
    assert not torch.allclose(logits.sum(dim=1), torch.ones(3))
    assert card.parameters == count(network)
    assert card.weights is None


SHIPPED = [card for card in list_cards() if card.weights]


@pytest.mark.parametrize("card", SHIPPED, ids=lambda card: card.name)
def test_a_shipped_card_tells_of_the_network_beside_it(card: ModelCard) -> None:
    assert card.weights
    network = load_network(card, WEIGHTS)
    assert card.parameters == count(network)
    assert all(parameter.isfinite().all() for parameter in network.parameters())
    assert card.recipe["network"] == card.network
    assert card.recipe["dataset"] == card.dataset
    blank = blank_card(card.network)
    kept = ("name", "title", "classes", "input_shape", "preprocessing", "default")
    assert all(getattr(card, key) == getattr(blank, key) for key in kept)


@pytest.mark.parametrize("name", NAMES)
def test_a_card_survives_json(name: str) -> None:
    card = replace(blank_card(name), recipe={"epochs": 3}, metrics={"a": 0.5}, weights="x")
    assert ModelCard.from_json(card.to_json()) == card


@pytest.mark.parametrize("name", NAMES)
def test_counting_takes_no_memory_and_no_chance(name: str) -> None:
    before = torch.get_rng_state()
    network = create_hollow_network(name)
    assert all(parameter.is_meta for parameter in network.parameters())
    assert torch.equal(torch.get_rng_state(), before)


def test_listing_imports_neither_torchvision_nor_the_compiler() -> None:
    code = (
        "import sys; import models.registry, models; models.registry.list_cards();"
        "assert not sys.modules.keys() & {'torchvision', 'torch._dynamo'}"
    )
    subprocess.run([sys.executable, "-c", code], cwd=WEIGHTS.parent.parent, check=True)


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="registered already"):
        register(blank_card("digits"))(nn.Identity)
    assert list_networks() == NAMES


def test_an_unknown_network_is_no_network() -> None:
    with pytest.raises(KeyError):
        create_network("digit")
