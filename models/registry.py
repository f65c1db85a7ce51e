"""Which networks there are, and the card that tells what is known of each model."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

# ImageNet has a thousand.
MOST_CLASSES = 1000
# A list of JSON's without texts and lists in it: no text has the end of a line.
_ROW = re.compile(r'\[(\n[^][{}"]*)\]')

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes a model's input.

    ``digit`` prepares as MNIST was made: crop to the ink, fit 20 x 20, centre of mass in 28 x 28.
    ``picture`` crops and resizes to ``size``, the (height, width) of the pictures that it learned
    from, where that isn't the input's, and then to the input's. Both end with
    ``(value - mean) / std`` of values in 0..1, per channel.
    """

    method: Literal["digit", "picture"]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model: a network with weights.

    ``input_shape`` is (channels, height, width). ``weights`` is a file beside the card's own, or
    None while the network is untrained; then ``recipe`` and ``metrics`` are empty. ``origin`` says
    whose weights they are where others have trained them.
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
    origin: str | None = None

    def to_json(self) -> str:
        """The card as indented JSON, numbers in a row, as it lies beside its weights."""
        text = json.dumps(asdict(self), indent=2)
        return _ROW.sub(lambda row: f"[{' '.join(row[1].split())}]", text) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """Read a card that ``to_json`` wrote. Raises TypeError for unknown or missing keys."""
        values = json.loads(text)
        how = values.pop("preprocessing")
        size = how.get("size")
        return cls(
            preprocessing=Preprocessing(
                how["method"], tuple(how["mean"]), tuple(how["std"]), size and tuple(size)
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

# ImageNet's names come with weights that have learned them: until then a class is but a number.
UNNAMED_CLASSES = tuple(f"class {number}" for number in range(1000))
# The means and deviations of ImageNet's training pictures, as torchvision has them.
AS_IMAGENET = Preprocessing("picture", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))

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


def create_network(name: str, classes: int | None = None) -> nn.Module:
    """A new network with random weights. Raises KeyError for a name that is not registered.

    Where it is to tell so many ``classes`` and was made for others, its last linear layer, which
    gives the logits, is one of that many outputs.
    """
    network = _networks[name][0]()
    if classes is not None:
        _set_outputs(network, classes)
    return network


def _set_outputs(network: nn.Module, classes: int) -> None:
    linear = {n: layer for n, layer in network.named_modules() if isinstance(layer, nn.Linear)}
    name, last = linear.popitem()
    if last.out_features != classes:
        parent, _, own = name.rpartition(".")
        setattr(network.get_submodule(parent), own, nn.Linear(last.in_features, classes))


class _NotDrawn(TorchFunctionMode):
    """Leaves ``normal_`` out: on the meta device it draws nothing, and imports half of torch."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        return None if func.__name__ == "normal_" else func(*args, **(kwargs or {}))


def create_hollow_network(name: str, classes: int | None = None) -> nn.Module:
    """A network whose parameters have shapes but no numbers, and so take no memory.

    Raises KeyError for a name that is not registered.
    """
    with torch.device("meta"), _NotDrawn():
        return create_network(name, classes)


def blank_card(network: str) -> ModelCard:
    """The card of an untrained network, its parameters counted."""
    return replace(_networks[network][1], parameters=count_parameters(network))


def count_parameters(network: str, classes: int | None = None) -> int:
    """How many numbers a network of so many classes learns."""
    return sum(p.numel() for p in create_hollow_network(network, classes).parameters())


def input_shape_of(network: str) -> tuple[int, int, int]:
    """Channels, height and width of what a network takes. Raises KeyError for an unknown one."""
    return _networks[network][1].input_shape


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
