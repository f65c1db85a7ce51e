"""What the model of a training is called, so that it can be found by that name."""

import os
from pathlib import Path

from app.core.recipes import Recipe
from app.services.model_library import NAME, BadName
from models.registry import WEIGHTS

# What the library takes, in letters.
MOST_LETTERS = 40
# What file systems take, in bytes, and the longest ending of what a training writes.
MOST_BYTES = 255
LONGEST_ENDING = ".unfinished.safetensors"


def name_model(given: str | None, recipe: Recipe, folder: Path, library: Path) -> str:
    """The name that is given, else the network's; where that is a shipped model's, the network's
    and the data set's, as much of it as the library takes.

    In the folder of the library only what the library would find is a name; elsewhere whatever can
    be a file's is. Raises BadName.
    """
    kept = folder.resolve() == library.resolve()
    network = recipe.network
    name = given or (_name_both(recipe) if kept and _is_shipped(network) else network)
    if kept:
        _check_findable(name)
    else:
        _check_writable(name)
    return name


def _name_both(recipe: Recipe) -> str:
    return f"{recipe.network}-{recipe.dataset}"[:MOST_LETTERS].rstrip("-")


def _check_findable(name: str) -> None:
    if not NAME.fullmatch(name):
        raise BadName(
            f"{name!r} can't be a model's name. Choose one with --name: up to 40 small letters, "
            "digits and hyphens, a letter or digit first."
        )
    if _is_shipped(name):
        raise BadName(
            f"The model {name} came with ConvScope and can't be replaced. Choose another name with "
            "--name, or another folder with --out."
        )


def _check_writable(name: str) -> None:
    if Path(name).name != name:
        raise BadName(
            f"{name!r} can't be the name of a file. Choose another with --name, and the folder "
            "with --out."
        )
    if (size := len(os.fsencode(name + LONGEST_ENDING))) > MOST_BYTES:
        raise BadName(
            f"The name {name[:40]!r}... is too long: a file's name has at most {MOST_BYTES} bytes, "
            f"and with {LONGEST_ENDING!r} behind it this has {size}. Choose a shorter one with "
            "--name."
        )


def _is_shipped(name: str) -> bool:
    return (WEIGHTS / f"{name}.json").exists()
