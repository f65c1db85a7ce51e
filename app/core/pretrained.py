"""Weights that others have trained: torchvision's, of ImageNet, as models of ours."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

import torch
from torch import Tensor

from app.core.checkpoints import save_model
from app.core.errors import ConvScopeError
from app.core.torchvision_operators import declare_torchvision_operators
from app.core.whole_files import unfinished_folder
from models.registry import ModelCard, blank_card, create_hollow_network

# The networks whose parameters have torchvision's names.
PRETRAINED = ("alexnet", "resnet18", "vgg11")


class WeightsUnavailable(ConvScopeError):
    """Weights of others that can't be had; the message says why and what to do."""


@dataclass(frozen=True)
class Pretrained:
    """Published weights of a network: where they are, and what torchvision says of them.

    ``checksum`` is the beginning of the file's SHA-256, as much of it as its name holds.
    ``accuracy`` is the share of ImageNet's validation pictures that torchvision got right.
    """

    network: str
    version: str
    url: str
    checksum: str
    classes: tuple[str, ...]
    accuracy: float


def find_pretrained(network: str) -> Pretrained:
    """What torchvision publishes for a network. Raises WeightsUnavailable."""
    if network not in PRETRAINED:
        raise WeightsUnavailable(
            f"There are no weights to fetch for {network!r}, only for {', '.join(PRETRAINED)}."
        )
    declare_torchvision_operators()
    from torchvision.models import get_model_weights

    weights = get_model_weights(network).DEFAULT
    checksum = re.search(r"-([0-9a-f]{8,})\.pth$", weights.url)
    assert checksum, weights.url
    return Pretrained(
        network,
        weights.name,
        weights.url,
        checksum[1],
        tuple(weights.meta["categories"]),
        weights.meta["_metrics"]["ImageNet-1K"]["acc@1"] / 100,
    )


def fetch_model(pretrained: Pretrained, folder: Path, name: str) -> Path:
    """Download weights and write them with a card into ``folder``; returns the card's path.

    The progress is shown on stderr. Raises WeightsUnavailable, and then leaves nothing behind.
    """
    if (folder / f"{name}.json").exists():
        raise WeightsUnavailable(
            f"There is a model {name} in {folder} already. Take another name (--name), or remove "
            f"{name}.json and {name}.safetensors first."
        )
    folder.mkdir(parents=True, exist_ok=True)
    with unfinished_folder(folder) as downloads:
        file = downloads / "weights.pth"
        _download(pretrained, file)
        weights = _read(pretrained, file)
    return save_model(folder, card_of(pretrained, name), weights)


def card_of(pretrained: Pretrained, name: str) -> ModelCard:
    """The card of a model with these weights. It tells whose they are, and measures nothing."""
    blank = blank_card(pretrained.network)
    return replace(
        blank,
        name=name,
        title=blank.title if name == pretrained.network else name,
        classes=pretrained.classes,
        weights=f"{name}.safetensors",
        origin=f"torchvision's weights {pretrained.version}, trained on ImageNet "
        f"({pretrained.url}). torchvision reports that they get {pretrained.accuracy:.1%} of its "
        "validation pictures right, prepared in torchvision's own way; ConvScope has not "
        "measured them.",
    )


def _download(pretrained: Pretrained, file: Path) -> None:
    try:
        torch.hub.download_url_to_file(pretrained.url, str(file), pretrained.checksum)
    except RuntimeError as error:  # torch's word for another checksum
        raise WeightsUnavailable(
            f"What came from {pretrained.url} is not the file that torchvision published: its "
            f"SHA-256 doesn't begin with {pretrained.checksum}. It was cut short or changed on its "
            "way; nothing of it is kept. Try again."
        ) from error
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPError):
            error.close()  # It is an answer too, and holds the connection.
        raise WeightsUnavailable(
            f"{pretrained.url} could not be downloaded: {error}. Connect this machine to the "
            f"internet and try again; until then {pretrained.network} has random weights."
        ) from error


def _read(pretrained: Pretrained, file: Path) -> Mapping[str, Tensor]:
    """The file's tensors, in the network's own order and of its shapes.

    torchvision publishes nothing but pickles; ``weights_only`` reads tensors from one and refuses
    everything else.
    """
    network = create_hollow_network(pretrained.network)
    try:
        network.load_state_dict(torch.load(file, "cpu", weights_only=True), assign=True)
    except Exception as error:  # torch doesn't say what it raises.
        raise WeightsUnavailable(
            f"{pretrained.url} doesn't hold the weights of {pretrained.network}: {error}"
        ) from error
    return network.state_dict()
