import json
from typing import Any

import pytest

from app.core.augmenting import BadAugmentation
from app.core.recipes import BadRecipe, Recipe

FULL = Recipe(
    network="digits",
    dataset="mnist",
    epochs=3,
    optimizer="sgd",
    augmentation=({"name": "affine", "rotation": 5.0}, {"name": "blur"}),
    seed=7,
)


def test_a_recipe_comes_back_from_json() -> None:
    assert Recipe.from_json(FULL.to_json()) == FULL
    assert json.loads(FULL.to_json())["augmentation"][1] == {"name": "blur"}


def test_all_keys_but_two_have_defaults() -> None:
    recipe = Recipe.from_dict({"network": "digits", "dataset": "mnist"})
    assert recipe == Recipe("digits", "mnist")
    assert list(recipe.to_dict()) == [
        *("network", "dataset", "epochs", "batch_size", "optimizer", "learning_rate"),
        *("schedule", "weight_decay", "label_smoothing", "augmentation", "validation_share"),
        *("seed", "device", "resources"),
    ]


def test_the_recipe_in_a_model_card_is_found() -> None:
    assert Recipe.from_json(json.dumps({"name": "mine", "recipe": FULL.to_dict()})) == FULL


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network": "lenet"}, "convnet-revisited"),
        ({"dataset": 3}, "mnist"),
        ({"optimizer": "lion"}, "adamw"),
        ({"schedule": "sometimes"}, "one-cycle"),
        ({"epochs": 0}, "epochs"),
        ({"epochs": 1.5}, "whole number"),
        ({"epochs": True}, "whole number"),
        ({"batch_size": "all"}, "batch_size"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"weight_decay": None}, "weight_decay"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"validation_share": 0}, "validation_share"),
        ({"seed": -1}, "seed"),
        ({"device": 3}, "device"),
        ({"network": ["digits"]}, "network"),
        ({"augmentation": "affine"}, "augmentation"),
        ({"augmentation": [3]}, "augmentation"),
        ({"momentum": 0.9}, "momentum"),
        ({"resources": 3}, "resources is an object"),
        ({"resources": {"tpus": 1}}, "no key 'tpus'"),
        ({"resources": {"cpus": 0}}, "0 cpus; that is a whole number of 1 to"),
        ({"resources": {"cpus": 1.5}}, "1.5 cpus"),
        ({"resources": {"cpus": True}}, "True cpus"),
        ({"resources": {"cpus": "2"}}, "'2' cpus"),
        ({"resources": {"gpus": -1}}, "-1 gpus; that is a fraction below 1, or a whole number"),
        ({"resources": {"gpus": 1.5}}, "1.5 gpus"),
        ({"resources": {"gpus": float("nan")}}, "nan gpus"),
        ({"resources": {"gpus": None}}, "None gpus"),
    ],
)
def test_bad_values_are_refused_in_words(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRecipe, match=words):
        Recipe.from_dict({**FULL.to_dict(), **changes})


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(BadRecipe) as refusal:
        Recipe("digits", "mnist", epochs=0, seed=-1, augmentation=({"name": "mirror"},))
    assert list(refusal.value.faults) == ["epochs", "seed", "augmentation"]
    assert str(refusal.value) == " ".join(refusal.value.faults.values())


def test_a_bad_augmentation_is_refused_at_once() -> None:
    with pytest.raises(BadAugmentation, match="mirror"):
        Recipe("digits", "mnist", augmentation=({"name": "mirror"},))


def test_a_name_alone_is_an_entry() -> None:
    recipe = Recipe.from_dict({**FULL.to_dict(), "augmentation": ["affine", {"name": "blur"}]})
    assert recipe.augmentation == ({"name": "affine"}, {"name": "blur"})


@pytest.mark.parametrize("resources", [{}, {"cpus": 2}, {"gpus": 0.25}, {"cpus": 1, "gpus": 4}])
def test_a_recipe_may_ask_for_resources(resources: dict[str, float]) -> None:
    recipe = Recipe.from_dict({**FULL.to_dict(), "resources": resources})
    assert Recipe.from_json(recipe.to_json()).resources == resources


def test_a_recipe_from_before_resources_is_the_same_recipe() -> None:
    old = FULL.to_dict()
    del old["resources"]
    assert Recipe.from_dict(old) == FULL


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"network": "digits"}', '{"recipe": 3}'])
def test_what_is_no_recipe_is_refused_in_words(text: str) -> None:
    with pytest.raises(BadRecipe):
        Recipe.from_json(text)
