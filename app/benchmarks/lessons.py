"""The lessons that the project grew from: what they say of their networks, beside what ours do."""

from dataclasses import dataclass

from app.benchmarks.tables import table
from app.core.pretrained import PRETRAINED
from models.registry import ModelCard, list_cards

_HEADING = (
    *("model", "lesson", "the lesson's", "ours, on the test split"),
    *("parameters", "epochs", "seconds"),
)


@dataclass(frozen=True)
class Lesson:
    """Which lesson a network is from, and what it says of it; empty where it says nothing."""

    number: str
    figure: str = ""


LESSONS = {
    "convnet-revisited": Lesson("000", "98.59 % after 10 epochs"),
    "cnn-classifier": Lesson("001"),
    "cifar-3conv": Lesson("002", "63 % after 100 epochs"),
    "cifar-4conv": Lesson("002", "73 % after 100 epochs"),
    "simple-cnn": Lesson("003", "97.28 % after 1 epoch"),
    "lenet5": Lesson("003", "the ancestor"),
    "lesson-06": Lesson("004"),
    "cifar": Lesson("ours"),
    "alexnet": Lesson("003, 004"),
    "vgg11": Lesson("003, 004"),
    "resnet18": Lesson("003, 004"),
}


def lessons_table() -> str:
    """A row per network of the lessons, from the cards that are shipped."""
    cards = {card.name: card for card in list_cards()}
    return table(_HEADING, [_row(cards[name], lesson) for name, lesson in LESSONS.items()])


def _row(card: ModelCard, lesson: Lesson) -> list[str]:
    accuracy, metrics = card.metrics.get("test_accuracy"), card.metrics
    untrained = "torchvision's weights" if card.name in PRETRAINED else "untrained"
    untested = "not measured yet" if card.weights else untrained
    ours = untested if accuracy is None else f"{accuracy:.2%}".replace("%", " %")
    epochs, seconds = (str(metrics.get(key, "")) for key in ("epochs", "seconds"))
    parameters = f"{card.parameters:,}"
    return [f"`{card.name}`", lesson.number, lesson.figure, ours, parameters, epochs, seconds]
