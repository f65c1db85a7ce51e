import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from app.core.reordering import pool_first
from models.registry import blank_card, create_network, list_networks


def outcome(run: nn.Module, network: nn.Module, images: Tensor) -> list[Tensor]:
    """The logits, and the gradient of each of the network's parameters."""
    torch.manual_seed(1)
    logits = run(images)
    functional.cross_entropy(logits, torch.arange(len(images))).backward()  # type: ignore[no-untyped-call]
    return [logits, *(value.grad for value in network.parameters() if value.grad is not None)]


@pytest.mark.parametrize("name", list_networks())
def test_outputs_and_gradients_are_the_same_bits(name: str) -> None:
    torch.manual_seed(0)
    network = create_network(name)
    images = torch.rand(3, *blank_card(name).input_shape)
    images[0] = 0  # every window of it holds four equal numbers
    other = copy.deepcopy(network)
    expected = outcome(network, network, images)
    found = outcome(pool_first(other), other, images)
    assert len(found) == 1 + sum(value.requires_grad for value in network.parameters())
    assert all(one.equal(two) for one, two in zip(found, expected, strict=True))


def test_every_pool_comes_before_its_relu() -> None:
    reordered = pool_first(create_network("convnet-revisited"))
    layers = [type(layer).__name__ for _, layer in reordered.named_children()]
    stage = ["Conv2d", "MaxPool2d", "ReLU"]
    assert layers == [*stage, *stage, "Flatten", "Linear"]


def test_layers_are_shared_even_if_one_comes_twice() -> None:
    relu = nn.ReLU()
    network = nn.Sequential(nn.Conv2d(1, 1, 3), relu, nn.MaxPool2d(2), nn.Flatten(), relu)
    reordered = pool_first(network)
    assert isinstance(reordered, nn.Sequential)
    assert [id(layer) for layer in reordered] == [id(network[place]) for place in (0, 2, 1, 3, 4)]


def test_a_network_with_a_forward_of_its_own_stays_as_it_is() -> None:
    class Doubled(nn.Sequential):
        def forward(self, images: Tensor) -> Tensor:
            return 2 * images

    for network in (Doubled(nn.ReLU(), nn.MaxPool2d(2)), nn.Linear(2, 2)):
        assert pool_first(network) is network
