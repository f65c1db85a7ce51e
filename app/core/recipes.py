"""How to train a network, as data: everything that decides which weights come out."""

import json
import math
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from torch import nn, optim

from app.core.augmenting import create_augmentation
from app.core.errors import ConvScopeError
from app.core.muon import Muon
from models.registry import list_networks

Schedule = Callable[[float], float]
# More than any machine has: whoever asks for that means something else.
MOST_CPUS, MOST_GPUS = 1024, 64
MOST_AUGMENTATIONS = 20
# Of unknown keys so many are named, by so many letters.
MOST_FAULTS, MOST_LETTERS = 20, 60


class BadRecipe(ConvScopeError):
    """A recipe's keys are unknown or their values make no sense; ``faults`` says which."""

    def __init__(self, message: str = "", faults: Mapping[str, str] | None = None) -> None:
        self.faults = faults or {}
        super().__init__(message or " ".join(self.faults.values()))


@contextmanager
def fault_of(key: str) -> Iterator[None]:
    """Say of what is raised in here that it is about this key of the recipe."""
    try:
        yield
    except ConvScopeError as error:
        error.faults = error.faults or {key: str(error)}
        raise


@dataclass(frozen=True)
class Recipe:
    """How to train; all keys but the first two have defaults. Bad values raise BadRecipe.

    ``learning_rate`` is the highest of the ``schedule``. ``augmentation`` lists entries such as
    {"name": "affine", "rotation": 10.0, "share": 0.5}, or names alone, for augmenting.py.
    ``validation_share`` of the training images are held out, picked by ``seed``. ``resources`` are
    "cpus", the number of threads, and "gpus"; the engine decides about those that aren't named.
    """

    network: str
    dataset: str
    epochs: int = 10
    batch_size: int = 128
    optimizer: str = "adamw"
    learning_rate: float = 0.002
    schedule: str = "one-cycle"
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    augmentation: tuple[dict[str, Any], ...] = ()
    validation_share: float = 0.1
    seed: int = 0
    device: str = "auto"
    resources: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        faults = dict(
            (*_faults_of_names(self), *_faults_of_numbers(self), *_faults_of_resources(self))
        )
        try:
            with fault_of("augmentation"):
                object.__setattr__(self, "augmentation", _as_entries(self.augmentation))
                create_augmentation(self.augmentation)
        except ConvScopeError as error:
            if not faults:
                raise
            faults |= error.faults
        if faults:
            raise BadRecipe(faults=faults)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain lists and dictionaries."""
        return {**asdict(self), "augmentation": [dict(entry) for entry in self.augmentation]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Recipe":
        """The opposite of ``to_dict``. Raises BadRecipe for unknown or missing keys."""
        known = [field.name for field in fields(cls)]
        keys = ", ".join(known)
        unknown = [key for key in values if key not in known]
        faults = {
            key[:MOST_LETTERS]: f"A recipe has no key {_shown(key)}. Its keys are {keys}."
            for key in unknown[:MOST_FAULTS]
        }
        missing = [key for key in known[:2] if key not in values]
        faults |= {key: f"The recipe lacks the key {key!r}." for key in missing}
        if faults:
            many = f"The recipe has {len(unknown):,} unknown keys, the first of which are told. "
            told = (many if len(unknown) > MOST_FAULTS else "") + " ".join(faults.values())
            raise BadRecipe(told, faults)
        return cls(**values)

    def to_json(self) -> str:
        """The recipe as indented JSON."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """Read a recipe, or the recipe in a model card. Raises BadRecipe."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise BadRecipe(f"The recipe is not JSON: {error}.") from error
        recipe = values.get("recipe", values) if isinstance(values, dict) else None
        if not isinstance(recipe, dict):
            raise BadRecipe('A recipe is a JSON object such as {"network": ..., "dataset": ...}.')
        return cls.from_dict(recipe)


def list_optimizers() -> list[str]:
    """The names that a recipe's ``optimizer`` may have."""
    return list(_OPTIMIZERS)


def create_optimizer(recipe: Recipe, network: nn.Module) -> optim.Optimizer:
    """The recipe's optimizer over all parameters of ``network``."""
    create = _OPTIMIZERS[recipe.optimizer]
    return create(network.parameters(), recipe.learning_rate, recipe.weight_decay)


def list_schedules() -> list[str]:
    """The names that a recipe's ``schedule`` may have."""
    return list(_SCHEDULES)


def find_schedule(name: str) -> Schedule:
    """The share of the highest learning rate, as a function of the progress in 0..1."""
    return _SCHEDULES[name]


def _sgd(parameters: Iterable[nn.Parameter], rate: float, decay: float) -> optim.Optimizer:
    return optim.SGD(
        parameters, lr=rate, momentum=0.9, nesterov=True, weight_decay=decay, fused=True
    )


def _adam(parameters: Iterable[nn.Parameter], rate: float, decay: float) -> optim.Optimizer:
    return optim.Adam(parameters, lr=rate, weight_decay=decay, fused=True)


def _adamw(parameters: Iterable[nn.Parameter], rate: float, decay: float) -> optim.Optimizer:
    return optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=True)


def _muon(parameters: Iterable[nn.Parameter], rate: float, decay: float) -> optim.Optimizer:
    return Muon(parameters, lr=rate, weight_decay=decay, fused=True)


def _cosine(progress: float) -> float:
    return (1 + math.cos(math.pi * progress)) / 2


def _one_cycle(progress: float, rise: float = 0.15) -> float:
    """Up in a line, down along a cosine; after Smith and Topin, "Super-convergence", 2018."""
    if progress < rise:
        return 0.1 + 0.9 * progress / rise
    return _cosine((progress - rise) / (1 - rise))


_OPTIMIZERS = {"sgd": _sgd, "adam": _adam, "adamw": _adamw, "muon": _muon}
_SCHEDULES: dict[str, Schedule] = {
    "constant": lambda progress: 1.0,
    "cosine": _cosine,
    "one-cycle": _one_cycle,
}


def _as_entries(augmentation: object) -> tuple[dict[str, Any], ...]:
    """Entries as dictionaries; a name alone is an entry without parameters."""
    if not isinstance(augmentation, (list, tuple)):
        raise BadRecipe(f"augmentation is a list, not {_shown(augmentation)}.")
    if len(augmentation) > MOST_AUGMENTATIONS:
        raise BadRecipe(
            f"augmentation lists {len(augmentation)} entries, and {MOST_AUGMENTATIONS} at most go."
        )
    entries = [{"name": entry} if isinstance(entry, str) else entry for entry in augmentation]
    for entry in entries:
        if not isinstance(entry, dict):
            raise BadRecipe(
                f"An entry of augmentation is an object or a name, not {_shown(entry)}."
            )
    return tuple(dict(entry) for entry in entries)


def _faults_of_names(recipe: Recipe) -> Iterator[tuple[str, str]]:
    choices = {
        "network": list_networks(),
        "optimizer": list_optimizers(),
        "schedule": list_schedules(),
    }
    for key, example in (("dataset", "mnist"), ("device", "auto or cpu")):
        if not isinstance(getattr(recipe, key), str):
            yield key, f"{key} is a name such as {example}, not {_shown(getattr(recipe, key))}."
    for key, names in choices.items():
        if getattr(recipe, key) not in names:
            said = f"There is no {key} called {_shown(getattr(recipe, key))}."
            yield key, f"{said} There are: {', '.join(names)}."


def _faults_of_numbers(recipe: Recipe) -> Iterator[tuple[str, str]]:
    for key, low, high in (
        ("epochs", 1, 10_000),
        ("batch_size", 1, 65_536),
        ("learning_rate", 1e-9, 100),
        ("weight_decay", 0, 100),
        ("label_smoothing", 0, 0.99),
        ("validation_share", 0.001, 0.9),
        ("seed", 0, 2**63 - 1),
    ):
        value = getattr(recipe, key)
        whole = key in ("epochs", "batch_size", "seed")
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            yield key, f"{key} is a {'whole ' if whole else ''}number, not {_shown(value)}."
        elif not low <= value <= high:
            yield key, f"{key} lies between {low} and {high}, not at {_shown(value)}."


def _faults_of_resources(recipe: Recipe) -> Iterator[tuple[str, str]]:
    if said := _fault_of_resources(recipe.resources):
        yield "resources", said


def _fault_of_resources(resources: object) -> str | None:
    if not isinstance(resources, dict):
        return (
            f'resources is an object such as {{"cpus": 2, "gpus": 0.5}}, not {_shown(resources)}.'
        )
    for key, value in resources.items():
        if key not in ("cpus", "gpus"):
            return f"resources has no key {_shown(key)}. Its keys are cpus and gpus."
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if key == "cpus" and not (number and value in range(1, MOST_CPUS + 1)):
            return (
                f"resources asks for {_shown(value)} cpus; that is a whole number of 1 to "
                f"{MOST_CPUS}."
            )
        if key == "gpus" and not (number and (0 <= value < 1 or value in range(MOST_GPUS + 1))):
            return (
                f"resources asks for {_shown(value)} gpus; that is a fraction below 1, or a whole "
                f"number of 0 to {MOST_GPUS}."
            )
    return None


def _shown(value: object) -> str:
    """A value as it was given, unless it is endless."""
    return reprlib.repr(value)
