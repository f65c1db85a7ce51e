"""A training that has stopped, in one file: what it needs to go on as if it never had.

The file is safetensors: the tensors, and what isn't one as JSON in the file's header.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import blake2b
from importlib.metadata import version
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from app.core.dataset_files import Split
from app.core.errors import ConvScopeError
from app.core.events import EpochDone, State
from app.core.recipes import BadRecipe, Recipe
from app.core.tuning import Tuning


class UnusableState(ConvScopeError):
    """The state of a training that can't be read, or doesn't belong to the training at hand."""


def current_version() -> str:
    """What has to be the same for a training to go on to the same bits."""
    return f"convscope {version('convscope')}, torch {torch.__version__}"


def digest_data(classes: Sequence[str], *parts: Split) -> str:
    """What tells data from any others: their classes, and each pixel and label of the parts.

    It takes a second for each GB.
    """
    digest = blake2b(json.dumps(classes).encode(), digest_size=16)
    for part in parts:
        for tensor in (part.images, part.labels):
            digest.update(json.dumps(tensor.shape).encode())
            digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


def encode_state(state: State) -> bytes:
    """The state as the bytes of a safetensors file."""
    tensors = {f"learner.{name}": value for name, value in state.learner.items()}
    tensors |= {f"best.{name}": value for name, value in state.best_weights.items()}
    facts = {
        "version": state.version,
        "recipe": state.recipe.to_dict(),
        "tuning": asdict(state.tuning),
        "training_images": state.training_images,
        "digest": state.digest,
        "epochs": [asdict(epoch) for epoch in state.epochs],
        "seconds": state.seconds,
        "best": state.best_epoch,
    }
    return save(tensors, {"state": json.dumps(facts)})


def decode_state(content: bytes) -> State:
    """The opposite of ``encode_state``. Raises UnusableState."""
    try:
        tensors, facts = load(content), _read_facts(content)
        _insist_on_a_digest(facts)
        return State(
            version=facts["version"],
            recipe=Recipe.from_dict(facts["recipe"]),
            tuning=Tuning(**facts["tuning"]),
            training_images=facts["training_images"],
            digest=facts["digest"],
            epochs=tuple(EpochDone(**epoch) for epoch in facts["epochs"]),
            seconds=facts["seconds"],
            best_epoch=facts["best"],
            best_weights=_part(tensors, "best."),
            learner=_part(tensors, "learner."),
        )
    except (SafetensorError, ValueError, KeyError, TypeError, BadRecipe) as error:
        raise UnusableState(
            f"This is no state of a training, or it is damaged ({error}). Start the training anew."
        ) from error


def _read_facts(content: bytes) -> dict[str, Any]:
    """What ``encode_state`` put into the header, which begins with its own length in 8 bytes."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    facts: dict[str, Any] = json.loads(header["__metadata__"]["state"])
    return facts


def _insist_on_a_digest(facts: dict[str, Any]) -> None:
    """Raise UnusableState for what was written before there were digests."""
    if "digest" not in facts and "training_images" in facts:
        raise UnusableState(
            f"This state was made by an earlier build of {facts['version']}, which didn't note "
            "what the data set held, so nothing tells whether that is still the same. Start the "
            "training anew."
        )


def _part(tensors: dict[str, Tensor], start: str) -> dict[str, Tensor]:
    return {name.removeprefix(start): v for name, v in tensors.items() if name.startswith(start)}
