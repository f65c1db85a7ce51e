"""Sweeps: many recipes made of one, on a grid or at random, as data."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from random import Random
from typing import Any

from app.core.dataset_files import DatasetFolders
from app.core.datasets import check_within_reach
from app.core.errors import ConvScopeError
from app.core.recipes import Recipe, fault_of
from app.core.training import check_recipe

MOST_RUNS = 100
SEARCHES = ("grid", "random")
SCALES = ("linear", "log")
# So often per run a sample may be one that is there already, before there seem to be no others.
_TRIES = 200
_DIGITS = 4

RECIPE_FIELDS = tuple(field.name for field in fields(Recipe))
NUMBER_FIELDS = tuple(field.name for field in fields(Recipe) if type(field.default) in (int, float))
WHOLE_FIELDS = tuple(field.name for field in fields(Recipe) if type(field.default) is int)


class BadPlan(ConvScopeError):
    """A plan of a sweep that can't be carried out; the message names the field."""


@dataclass(frozen=True)
class Range:
    """Numbers between ``low`` and ``high``, both included; on the scale "log" equal ratios are
    equally likely, else equal differences."""

    low: float
    high: float
    scale: str = "linear"

    @classmethod
    def from_dict(cls, field: str, values: dict[str, Any]) -> "Range":
        """The range of a recipe's field. Raises BadPlan."""
        if unknown := [key for key in values if key not in ("low", "high", "scale")]:
            raise BadPlan(f"{field} has a range with the key {unknown[0]!r}: low, high, scale.")
        if missing := [key for key in ("low", "high") if key not in values]:
            raise BadPlan(f"{field} has a range without {missing[0]!r}.")
        return cls(**values)

    def check(self, field: str, base: Recipe) -> None:
        """Raise BadPlan or BadRecipe where ``field`` of ``base`` can't have such a range."""
        if field not in NUMBER_FIELDS:
            raise BadPlan(f"{field} is no number: it takes a list of values, not a range.")
        for end in (self.low, self.high):
            ends: dict[str, Any] = {field: end}
            replace(base, **ends)  # which checks it
        if self.scale not in SCALES:
            raise BadPlan(f"{field} has the scale {self.scale!r}: it may be linear or log.")
        if self.low >= self.high:
            raise BadPlan(f"{field} goes from {self.low} to {self.high}: low must be below high.")
        if self.scale == "log" and self.low <= 0:
            raise BadPlan(f"{field} has a log scale, so low must be above 0, not {self.low}.")

    def sample(self, whole: bool, chance: Random) -> float:
        """A number of the range: whole, or with as many digits as one can compare at sight."""
        share = chance.random()  # the one method that gives the same in every version of Python
        if self.scale == "log":
            value = math.exp(_between(math.log(self.low), math.log(self.high), share))
        elif whole:
            return int(self.low) + int(share * (self.high - self.low + 1))
        else:
            value = _between(self.low, self.high, share)
        rounded = round(value) if whole else float(f"{value:.{_DIGITS}g}")
        return min(max(rounded, self.low), self.high)


@dataclass(frozen=True)
class SweepPlan:
    """Which recipes to try.

    Each of ``fields`` is a field of ``recipe`` that varies, with a list of its values or, in a
    "random" search, a Range. A "grid" tries every combination, the last field changing fastest; a
    random search ``samples`` so many different ones, by ``seed``. With ``stop_early`` a run that
    falls behind the others is ended by the median rule. Raises BadPlan and BadRecipe.
    """

    recipe: Recipe
    search: str
    fields: dict[str, tuple[Any, ...] | Range]
    samples: int | None = None
    seed: int = 0
    stop_early: bool = False

    def __post_init__(self) -> None:
        if self.search not in SEARCHES:
            raise BadPlan(f"search is grid or random, not {self.search!r}.")
        if not isinstance(self.stop_early, bool):
            raise BadPlan(f"stop_early is true or false, not {self.stop_early!r}.")
        with fault_of("seed"):
            _check_whole("seed of the sweep", self.seed, 0, 2**63 - 1)
        self._check_fields()
        self._check_size()

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "SweepPlan":
        """The opposite of ``to_dict``. Raises BadPlan and BadRecipe."""
        known = [field.name for field in fields(cls)]
        if unknown := [key for key in values if key not in known]:
            raise BadPlan(f"A sweep has no key {unknown[0]!r}. Its keys are {', '.join(known)}.")
        if missing := [key for key in known[:3] if key not in values]:
            raise BadPlan(f"The sweep lacks the key {missing[0]!r}.")
        for key in ("recipe", "fields"):
            if not isinstance(values[key], dict):
                raise BadPlan(f"{key} is an object, not {values[key]!r}.")
        varied = {name: _choices(name, one) for name, one in values["fields"].items()}
        with _named({}):
            recipe = Recipe.from_dict(values["recipe"])
        return cls(**{**values, "recipe": recipe, "fields": varied})

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain lists and dictionaries."""
        varied = {
            name: asdict(one) if isinstance(one, Range) else list(one)
            for name, one in self.fields.items()
        }
        return {**vars(self), "recipe": self.recipe.to_dict(), "fields": varied}

    def recipes(self) -> list[Recipe]:
        """The recipe of each run, in order: the same ones whenever it is asked. Raises BadPlan and
        BadRecipe for a combination that is no recipe, and names it."""
        return [_with(self.recipe, values) for values in self._combinations()]

    def check(self, folders: DatasetFolders) -> list[Recipe]:
        """The recipes, none of which ``check_recipe`` refuses, on data sets within reach. Raises
        what it raises, and names the combination."""
        recipes = self.recipes()
        for recipe in recipes:
            with _named({name: getattr(recipe, name) for name in self.fields}):
                check_recipe(recipe, folders)
        for name in dict.fromkeys(recipe.dataset for recipe in recipes):
            with _named({"dataset": name} if "dataset" in self.fields else {}), fault_of("dataset"):
                check_within_reach(name, folders)
        return recipes

    def _combinations(self) -> Iterator[dict[str, Any]]:
        if self.search == "random":
            yield from self._sample()
            return
        for values in product(*(one for one in self.fields.values() if isinstance(one, tuple))):
            yield dict(zip(self.fields, values, strict=True))

    def _sample(self) -> list[dict[str, Any]]:
        """``samples`` different combinations. Raises BadPlan where there aren't so many."""
        assert self.samples
        chance = Random(self.seed)
        found: list[dict[str, Any]] = []
        for _ in range(_TRIES * self.samples):
            one = {name: _pick(name, among, chance) for name, among in self.fields.items()}
            if one not in found:
                found.append(one)
            if len(found) == self.samples:
                return found
        with fault_of("samples"):
            raise BadPlan(
                f"samples asks for {self.samples} different runs, and the fields give "
                f"{len(found)}. Ask for fewer, or give more values."
            )

    def _check_fields(self) -> None:
        if not self.fields:
            raise BadPlan("fields is empty: name at least one field of the recipe, with values.")
        for name, among in self.fields.items():
            if name not in RECIPE_FIELDS:
                listed = ", ".join(RECIPE_FIELDS)
                raise BadPlan(f"A recipe has no key {name!r}. Its keys are {listed}.")
            with _fault_of_field(name):
                self._check_field(name, among)

    def _check_field(self, name: str, among: tuple[Any, ...] | Range) -> None:
        if not isinstance(among, Range):
            _check_list(name, among)
        elif self.search == "grid":
            raise BadPlan(f"{name} has a range, which only a random search samples.")
        else:
            among.check(name, self.recipe)

    def _check_size(self) -> None:
        if self.search == "random":
            with fault_of("samples"):
                _check_whole("number of samples", self.samples, 1, MOST_RUNS)
            return
        if self.samples is not None:
            raise BadPlan("samples is for a random search; a grid tries every combination.")
        runs = math.prod(len(one) for one in self.fields.values() if isinstance(one, tuple))
        if runs > MOST_RUNS:
            raise BadPlan(
                f"This grid has {runs} runs, and a sweep has {MOST_RUNS} at most. Give fewer "
                "values, or take a random search."
            )


def _choices(field: str, given: object) -> tuple[Any, ...] | Range:
    with _fault_of_field(field):
        if isinstance(given, dict):
            return Range.from_dict(field, given)
        if isinstance(given, list):
            return tuple(given)
        raise BadPlan(f"{field} takes a list of values or a range, not {given!r}.")


def _check_list(field: str, values: tuple[Any, ...]) -> None:
    if not values:
        raise BadPlan(f"{field} has no values to try.")
    for place, value in enumerate(values[: MOST_RUNS + 1]):
        if value in values[:place]:
            raise BadPlan(f"{field} lists {_brief(value)} twice.")


def _check_whole(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadPlan(f"The {name} is a whole number, not {value!r}.")
    if not low <= value <= high:
        raise BadPlan(f"The {name} lies between {low} and {high}, not at {value}.")


def _pick(field: str, among: tuple[Any, ...] | Range, chance: Random) -> object:
    if isinstance(among, Range):
        return among.sample(field in WHOLE_FIELDS, chance)
    return among[int(chance.random() * len(among))]


def _between(low: float, high: float, share: float) -> float:
    return low + share * (high - low)


def _with(base: Recipe, values: dict[str, Any]) -> Recipe:
    with _named(values):
        return replace(base, **values)


@contextmanager
def _fault_of_field(name: str) -> Iterator[None]:
    """Say of what is raised in here that it is about the values of this field, and no other."""
    try:
        yield
    except ConvScopeError as error:
        error.faults = {f"fields.{name}": str(error)}
        raise


@contextmanager
def _named(values: dict[str, Any]) -> Iterator[None]:
    """Let a refusal say of which run it speaks, if of one, and where in the plan its fields are."""
    try:
        yield
    except ConvScopeError as error:
        listed = ", ".join(f"{name} = {_brief(value)}" for name, value in values.items())
        told = f" That is the run with {listed}." if listed else ""
        again = type(error)(f"{error}{told}")
        again.faults = {
            f"{'fields' if key in values else 'recipe'}.{key}": f"{said}{told}"
            for key, said in error.faults.items()
        }
        raise again from error


def _brief(value: object) -> str:
    return json.dumps(value)[:60]
