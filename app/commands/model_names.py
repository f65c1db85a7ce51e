"""What the model of a training is called, so that it can be found by that name."""

from pathlib import Path

from app.core.recipes import Recipe
from app.services.model_library import NAME, BadName
from models.registry import WEIGHTS


def name_model(given: str | None, recipe: Recipe, folder: Path, library: Path) -> str:
    """The name that is given, else the network's; where that is a shipped model's, the network's
    and the data set's.

    In the folder of the library only what the library would find is a name. Raises BadName.
    """
    kept = folder.resolve() == library.resolve()
    network = recipe.network
    name = given or (f"{network}-{recipe.dataset}" if kept and _is_shipped(network) else network)
    if kept:
        _check_findable(name)
    elif Path(name).name != name:
        raise BadName(
            f"{name!r} can't be the name of a file. Choose another with --name, and the folder "
            "with --out."
        )
    return name


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


def _is_shipped(name: str) -> bool:
    return (WEIGHTS / f"{name}.json").exists()
