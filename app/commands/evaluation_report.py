"""What was measured of a model, in lines that are never cut."""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.commands.saying import say
from app.core.evaluating import Evaluation
from models.registry import ModelCard

# Pairs of classes that are told by name.
MOST_CONFUSED = 5


def show_evaluation(evaluation: Evaluation, card: ModelCard, console: Console) -> None:
    """Print accuracy and loss, each class's accuracy, what is taken for what, and calibration."""
    images = int(evaluation.confusion.sum())
    said = f"{evaluation.accuracy:.2%} of {images:,} images recognised"
    say(console, f"{said}, average loss {evaluation.loss:.4f}")
    for line in _per_class(evaluation, card.classes):
        say(console, line)
    _show_confusion(evaluation, card, console)
    for pair in evaluation.most_confused(MOST_CONFUSED):
        true, predicted = card.classes[pair.true], card.classes[pair.predicted]
        say(console, f"{true} taken for {predicted}: {pair.count}")
    say(console, f"Expected calibration error {evaluation.calibration_error:.2%}")
    for part in evaluation.calibration:
        say(
            console,
            f"{part.confidence:7.1%} sure, {part.accuracy:7.1%} right, {part.count:,} images",
        )


def _per_class(evaluation: Evaluation, classes: Sequence[str]) -> Iterator[str]:
    """A line per class, its name last: however long it is, the figures stand below each other."""
    counts = [f"{count:,}" for count in evaluation.confusion.sum(dim=1).tolist()]
    width = max(map(len, counts))
    for name, share, count in zip(classes, evaluation.class_accuracy, counts, strict=True):
        figure = "none" if count == "0" else f"{share:.2%}"
        yield f"{figure:>7} of {count:>{width}} recognised: {name}"


def _show_confusion(evaluation: Evaluation, card: ModelCard, console: Console) -> None:
    """Print the confusion matrix, or where that would be cut, how it can be seen."""
    width = matrix_width(evaluation, card.classes)
    if width <= console.width:
        say(console, "Rows: the true class. Columns: the class it was taken for.")
        console.print(_matrix(evaluation, card.classes))
        return
    say(
        console,
        f"The confusion matrix needs a terminal {width} columns wide, and this one has "
        f"{console.width} (COLUMNS={width} makes a pipe so wide); the model's page and "
        f"`GET /api/v1/models/{card.name}/evaluation` show that of {card.dataset}'s test split.",
    )


def _matrix(evaluation: Evaluation, classes: Sequence[str]) -> Table:
    table = Table()
    for heading in ("", *classes):
        table.add_column(Text(heading), justify="right")
    for name, row in zip(classes, evaluation.confusion.tolist(), strict=True):
        table.add_row(Text(name), *(str(count or "") for count in row))
    return table


def matrix_width(evaluation: Evaluation, classes: Sequence[str]) -> int:
    """How many columns of a terminal the confusion matrix takes, with a space on either side of
    each of its columns and a line between them."""
    names = [cell_len(name) for name in classes]
    figures = [len(str(most)) for most in evaluation.confusion.amax(dim=0).tolist()]
    widths = [max(names), *map(max, names, figures)]
    return sum(width + 3 for width in widths) + 1
