"""Plans of sweeps: which recipes they make, and what is no plan."""

import json
from typing import Any

import pytest

from app.core.errors import ConvScopeError
from app.core.recipes import Recipe
from app.core.sweeping import Range, SweepPlan

BASE = {"network": "simple-cnn", "dataset": "optdigits", "epochs": 2}


def plan(varied: dict[str, Any], **more: object) -> SweepPlan:
    search = "random" if "samples" in more else "grid"
    return SweepPlan.from_dict({"recipe": BASE, "search": search, "fields": varied} | more)


def test_a_grid_is_every_combination_with_the_last_field_changing_fastest() -> None:
    grid = plan({"optimizer": ["sgd", "adam"], "learning_rate": [0.1, 0.01, 0.001]})
    pairs = [(recipe.optimizer, recipe.learning_rate) for recipe in grid.recipes()]
    assert pairs == [
        ("sgd", 0.1),
        ("sgd", 0.01),
        ("sgd", 0.001),
        ("adam", 0.1),
        ("adam", 0.01),
        ("adam", 0.001),
    ]
    assert {recipe.epochs for recipe in grid.recipes()} == {2}


def test_any_field_may_vary() -> None:
    values: dict[str, list[Any]] = {
        "network": ["simple-cnn", "convnet-revisited"],
        "dataset": ["optdigits", "mnist"],
        "augmentation": [[], ["rotation"], [{"name": "crop", "padding": 2}]],
        "seed": [0, 1],
    }
    recipes = plan(values).recipes()
    assert len(recipes) == 24
    last = Recipe(
        network="convnet-revisited",
        dataset="mnist",
        epochs=2,
        augmentation=({"name": "crop", "padding": 2},),
        seed=1,
    )
    assert recipes[-1] == last


def test_a_plan_survives_json() -> None:
    varied = {"optimizer": ["sgd"], "learning_rate": {"low": 0.001, "high": 0.1, "scale": "log"}}
    one = plan(varied, samples=5, seed=3, stop_early=True)
    again = SweepPlan.from_dict(json.loads(json.dumps(one.to_dict())))
    assert again == one
    assert again.recipes() == one.recipes()
    assert one.fields["learning_rate"] == Range(0.001, 0.1, "log")


def test_a_sample_is_the_same_for_the_same_seed_only() -> None:
    varied = {"learning_rate": {"low": 0.001, "high": 0.1}}
    first, again, other = (plan(varied, samples=8, seed=seed).recipes() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_log_range_is_sampled_evenly_by_ratio_within_its_bounds() -> None:
    varied = {"learning_rate": {"low": 1e-5, "high": 1e-1, "scale": "log"}}
    rates = [one.learning_rate for one in plan(varied, samples=100).recipes()]
    assert all(1e-5 <= rate <= 1e-1 for rate in rates)
    # Each of the four decades has a quarter: 25 of 100, with a standard deviation of 4.3.
    decades = [sum(10**at <= rate < 10 ** (at + 1) for rate in rates) for at in range(-5, -1)]
    assert all(12 <= count <= 38 for count in decades), decades
    assert all(rate == float(f"{rate:.4g}") for rate in rates)


def test_a_linear_range_is_sampled_evenly() -> None:
    varied = {"weight_decay": {"low": 0, "high": 0.5, "scale": "linear"}}
    values = [one.weight_decay for one in plan(varied, samples=100).recipes()]
    assert all(0 <= value <= 0.5 for value in values)
    counts = [sum(at <= value * 8 < at + 1 for value in values) for at in range(4)]
    assert all(12 <= count <= 38 for count in counts), counts


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_whole_fields_get_whole_numbers_with_both_ends(scale: str) -> None:
    varied = {"batch_size": {"low": 3, "high": 7, "scale": scale}}
    sizes = [one.batch_size for one in plan(varied, samples=5).recipes()]
    assert sorted(sizes) == [3, 4, 5, 6, 7]
    assert all(type(size) is int for size in sizes)


def test_a_sample_of_lists_has_no_duplicates() -> None:
    lists = {"optimizer": ["sgd", "adam"], "seed": [1, 2, 3]}
    recipes = plan(lists, samples=6).recipes()
    assert {(one.optimizer, one.seed) for one in recipes} == {
        (optimizer, seed) for optimizer in ("sgd", "adam") for seed in (1, 2, 3)
    }
    with pytest.raises(ConvScopeError, match="7 different runs, and the fields give 6"):
        plan(lists, samples=7).recipes()


def test_ends_that_no_number_lies_between_end_the_search() -> None:
    narrow = {"learning_rate": {"low": 0.1, "high": 0.1000000000000001}}
    with pytest.raises(ConvScopeError, match="samples asks for 50"):
        plan(narrow, samples=50).recipes()


RATE = {"learning_rate": {"low": 0.001, "high": 0.1}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"search": "spiral"}, "search is grid or random"),
        ({"stop": True}, "no key 'stop'"),
        ({"recipe": 3}, "recipe is an object"),
        ({"recipe": {**BASE, "epochs": 0}}, "epochs lies between 1"),
        ({"recipe": {"network": "simple-cnn"}}, "lacks the key 'dataset'"),
        ({"fields": []}, "fields is an object"),
        ({"fields": {}}, "fields is empty"),
        ({"fields": {"epoch": [1]}}, "no key 'epoch'"),
        ({"fields": {"epochs": []}}, "epochs has no values"),
        ({"fields": {"epochs": 3}}, "epochs takes a list"),
        ({"fields": {"epochs": [3, 4, 3]}}, "epochs lists 3 twice"),
        ({"fields": {"epochs": [3, 3.0]}}, "epochs lists 3.0 twice"),
        ({"fields": {"augmentation": [[], []]}}, "augmentation lists [] twice"),
        ({"fields": RATE}, "learning_rate has a range"),
        ({"fields": {"epochs": list(range(1, 102))}}, "101 runs"),
        ({"fields": {"epochs": list(range(1, 12)), "seed": list(range(10))}}, "110 runs"),
        ({"samples": 3}, "samples is for a random search"),
        ({"seed": -1}, "seed of the sweep lies between 0"),
        ({"seed": 0.5}, "seed of the sweep is a whole number"),
        ({"stop_early": 1}, "stop_early is true or false"),
    ],
)
def test_what_is_no_plan_is_said(change: dict[str, Any], said: str) -> None:
    values = {"recipe": BASE, "search": "grid", "fields": {"epochs": [1, 2]}}
    with pytest.raises(ConvScopeError) as refusal:
        SweepPlan.from_dict(values | change)
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("field", "among", "said"),
    [
        ("learning_rate", {"low": 0.1, "high": 0.1}, "low must be below high"),
        ("learning_rate", {"low": 0.1, "high": 0.01}, "low must be below high"),
        ("learning_rate", {"low": 0.1}, "learning_rate has a range without 'high'"),
        ("learning_rate", {"low": 0.1, "high": 1, "step": 2}, "the key 'step'"),
        ("learning_rate", {"low": "a", "high": 1}, "learning_rate is a number"),
        ("learning_rate", {"low": 0.1, "high": float("inf")}, "learning_rate lies between"),
        ("learning_rate", {"low": float("nan"), "high": 1}, "learning_rate lies between"),
        ("learning_rate", {"low": 0.1, "high": 10**400}, "learning_rate lies between"),
        ("learning_rate", {"low": 0.1, "high": 1, "scale": "cubic"}, "linear or log"),
        ("weight_decay", {"low": 0, "high": 1, "scale": "log"}, "low must be above 0"),
        ("batch_size", {"low": 1.5, "high": 8}, "batch_size is a whole number"),
        ("optimizer", {"low": 0, "high": 1}, "optimizer is no number"),
    ],
)
def test_what_is_no_range_is_said(field: str, among: dict[str, Any], said: str) -> None:
    with pytest.raises(ConvScopeError) as refusal:
        plan({field: among}, samples=3)
    assert said in str(refusal.value)


@pytest.mark.parametrize("samples", [None, 0, 101, 2.5, True, "3"])
def test_a_random_search_says_how_many(samples: object) -> None:
    with pytest.raises(ConvScopeError, match="samples"):
        plan({"epochs": [1, 2]}, search="random", samples=samples)


def test_a_refused_recipe_says_which_combination_it_is() -> None:
    grid = plan({"optimizer": ["sgd", "adam"], "learning_rate": [0.1, 500]})
    with pytest.raises(ConvScopeError) as refusal:
        grid.recipes()
    assert str(refusal.value) == (
        "learning_rate lies between 1e-09 and 100, not at 500. That is the run with "
        'optimizer = "sgd", learning_rate = 500.'
    )
