"""Which networks there are, and the card that tells what is known of each model."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from torch import nn

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes a model's input.

    ``digit`` prepares as MNIST was made: crop to the ink, fit 20 x 20, centre of mass in 28 x 28.
    ``picture`` resizes and crops to the input's size. Both end with ``(value - mean) / std`` of
    values in 0..1, per channel.
    """

    method: Literal["digit", "picture"]
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model: a network with weights.

    ``input_shape`` is (channels, height, width). ``weights`` is a file beside the card's own, or
    None while the network is untrained; then ``recipe`` and ``metrics`` are empty.
    """

    name: str
    title: str
    description: str
    network: str
    dataset: str
    classes: tuple[str, ...]
    input_shape: tuple[int, int, int]
    preprocessing: Preprocessing
    default: bool = False
    parameters: int = 0
    recipe: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    weights: str | None = None

    def to_json(self) -> str:
        """The card as indented JSON, as it lies beside its weights."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """Read a card that ``to_json`` wrote. Raises TypeError for unknown or missing keys."""
        values = json.loads(text)
        preprocessing = values.pop("preprocessing")
        return cls(
            preprocessing=Preprocessing(
                preprocessing["method"], tuple(preprocessing["mean"]), tuple(preprocessing["std"])
            ),
            classes=tuple(values.pop("classes")),
            input_shape=tuple(values.pop("input_shape")),
            **values,
        )


DIGITS = tuple("0123456789")
AS_MNIST = Preprocessing("digit", mean=(0.0,), std=(1.0,))

# In the order of CIFAR-10's labels.
OBJECTS = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
# The means and deviations of CIFAR-10's training pictures.
AS_CIFAR10 = Preprocessing("picture", mean=(0.4914, 0.4822, 0.4465), std=(0.247, 0.2435, 0.2616))

Network = TypeVar("Network", bound=Callable[[], nn.Module])
_networks: dict[str, tuple[Callable[[], nn.Module], ModelCard]] = {}


def register(card: ModelCard) -> Callable[[Network], Network]:
    """Register the decorated network under its card's name; a name that is taken raises."""

    def keep(network: Network) -> Network:
        if card.network in _networks:
            raise ValueError(f"A network called {card.network!r} is registered already.")
        _networks[card.network] = (network, card)
        return network

    return keep


def create_network(name: str) -> nn.Module:
    """A new network with random weights. Raises KeyError for a name that is not registered."""
    return _networks[name][0]()


def blank_card(network: str) -> ModelCard:
    """The card of an untrained network, its parameters counted."""
    create, card = _networks[network]
    with torch.device("meta"):  # neither memory nor random numbers are spent on counting
        parameters = create().parameters()
    return replace(card, parameters=sum(p.numel() for p in parameters))


def list_networks() -> list[str]:
    """The names of all networks, in order of registration."""
    return list(_networks)


def list_cards() -> list[ModelCard]:
    """A card per network: the one shipped with its weights, else the blank one."""
    return [
        ModelCard.from_json(shipped.read_text())
        if (shipped := WEIGHTS / f"{name}.json").exists()
        else blank_card(name)
        for name in _networks
    ]
