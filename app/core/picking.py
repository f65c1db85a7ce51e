"""Some channels of a layer: the strongest, and any that are named."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from app.core.errors import UnknownChannel


@dataclass(frozen=True)
class Pick:
    """Which channels of a layer are wanted: so many of the strongest, and these."""

    strongest: int = 0
    channels: tuple[int, ...] = ()

    def __or__(self, other: "Pick") -> "Pick":
        return Pick(max(self.strongest, other.strongest), self.channels + other.channels)


@dataclass(frozen=True, eq=False)
class Picked:
    """Some channels of a layer, ``values[i]`` being channel ``channels[i]``.

    The numbers are those of the whole layer; ``zeros`` is the share of its activations that are 0.
    """

    values: Tensor
    channels: tuple[int, ...]
    smallest: float
    largest: float
    mean: float
    zeros: float


def pick(activation: Tensor, wanted: Pick) -> Picked:
    """Pick from a layer's output (channels, height, width), or (units,).

    A channel is as strong as its mean absolute activation; the strongest comes first, and all come
    in their own order where all are wanted.
    """
    channels = list(dict.fromkeys([*_strongest(activation, wanted.strongest), *wanted.channels]))
    return Picked(
        values=activation[channels],
        channels=tuple(channels),
        smallest=float(activation.min()),
        largest=float(activation.max()),
        mean=float(activation.mean()),
        zeros=float((activation == 0).float().mean()),
    )


def _strongest(activation: Tensor, count: int) -> Sequence[int]:
    if count >= len(activation):
        return range(len(activation))
    strength = activation.reshape(len(activation), -1).abs().sum(dim=1)
    order: list[int] = strength.argsort(descending=True, stable=True)[:count].tolist()
    return order


def check_channel(layer: str, count: int, channel: int) -> None:
    """Raise UnknownChannel for a channel that a layer of so many channels doesn't have."""
    if not 0 <= channel < count:
        raise UnknownChannel(
            f"{layer} has no channel {channel}. Its channels are 0 to {count - 1}."
        )
