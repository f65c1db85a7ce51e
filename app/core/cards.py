"""The card of a model that a run has made: what it was trained on, how, and how good it is."""

from collections.abc import Mapping
from dataclasses import asdict, replace

import torch

from app.core.dataset_files import Dataset
from app.core.errors import NotEvaluated
from app.core.evaluating import Bin, Evaluation
from app.core.events import Finished
from app.core.pretrained import PRETRAINED
from app.core.recipes import Recipe
from models.registry import ModelCard, Preprocessing, blank_card, count_parameters

# Their digits are as large, and lie where MNIST's do.
_AS_MNIST = ("mnist", "optdigits")


def card_to_train(network: str, dataset: Dataset) -> ModelCard:
    """The card of an untrained network that is to learn a data set: it tells that one's classes,
    and takes pictures as that one has them."""
    blank = blank_card(network)
    return replace(
        blank,
        dataset=dataset.name,
        classes=dataset.classes,
        parameters=count_parameters(network, len(dataset.classes)),
        preprocessing=_as_learned(blank, dataset),
    )


def _as_learned(blank: ModelCard, dataset: Dataset) -> Preprocessing:
    if dataset.name in _AS_MNIST:
        return replace(blank.preprocessing, method="digit", size=None)
    _, height, width = dataset.input_shape
    other = (height, width) != blank.input_shape[1:]
    return replace(blank.preprocessing, method="picture", size=(height, width) if other else None)


def card_of_weights(recipe: Recipe, name: str, dataset: Dataset) -> ModelCard:
    """The card of weights that were trained as the recipe says, before anything is measured.

    A model that isn't named as its network is the user's own: its name is its title, and it isn't
    the default.
    """
    blank = card_to_train(recipe.network, dataset)
    own = name != recipe.network
    return replace(
        blank,
        name=name,
        title=name if own else blank.title,
        default=blank.default and not own,
        weights=f"{name}.safetensors",
        recipe=recipe.to_dict(),
    )


def card_of_run(recipe: Recipe, finished: Finished, name: str, dataset: Dataset) -> ModelCard:
    """The card of a finished run's model, with what was measured on the validation images."""
    metrics = {
        "validation_accuracy": finished.validation_accuracy,
        "validation_loss": finished.validation_loss,
        "epoch": finished.epoch,
        "epochs": recipe.epochs,
        "seconds": round(finished.seconds, 1),
    }
    return replace(card_of_weights(recipe, name, dataset), metrics=metrics)


def notice_of(card: ModelCard) -> str | None:
    """What must be said of a network without weights, and how it gets some; None of any other."""
    if card.weights:
        return None
    trained = (
        f"`convscope models fetch {card.network}` downloads weights that were trained on ImageNet."
        if card.network in PRETRAINED
        else f"`convscope train --network {card.network} --dataset {card.dataset}` trains it."
    )
    return f"This network is untrained: its weights are random, and so is what it says. {trained}"


def unmeasured_notice(card: ModelCard) -> str | None:
    """That a model has not been measured on the test split, and how it is; None of one that has."""
    if "test_confusion" in card.metrics:
        return None
    return (
        f"{card.name} has not been measured on the test split of {card.dataset} yet: "
        f"`convscope evaluate {card.name} --note` does it."
    )


def with_test(card: ModelCard, evaluation: Evaluation) -> ModelCard:
    """The card with what was measured on the test split."""
    measured = {
        "test_accuracy": evaluation.accuracy,
        "test_loss": evaluation.loss,
        "test_calibration_error": evaluation.calibration_error,
        "test_confusion": evaluation.confusion.tolist(),
        "test_calibration": [asdict(one) for one in evaluation.calibration],
    }
    return replace(card, metrics={**card.metrics, **measured})


def evaluation_of(card: ModelCard) -> Evaluation:
    """What the card tells of the test split. Raises NotEvaluated where it tells nothing."""
    metrics = card.metrics
    if notice := notice_of(card):
        raise NotEvaluated(f"There is nothing to measure. {notice}")
    if unmeasured := unmeasured_notice(card):
        raise NotEvaluated(unmeasured)
    bins = tuple(Bin(**one) for one in metrics["test_calibration"])
    return Evaluation(torch.tensor(metrics["test_confusion"]), metrics["test_loss"], bins)


def with_drawings(card: ModelCard, accuracies: Mapping[str, float]) -> ModelCard:
    """The card with the accuracy on each kind of drawing."""
    return replace(card, metrics={**card.metrics, "drawings": dict(accuracies)})
