"""``convscope evaluate``: how good a model is, in numbers that a person can read."""

import argparse
from pathlib import Path

from rich.console import Console
from torch import nn

from app.commands.evaluation_report import show_evaluation
from app.core.cards import with_drawings, with_test
from app.core.checkpoints import load_network, read_card
from app.core.dataset_files import DatasetFolders, Split
from app.core.datasets import find_dataset, load_split
from app.core.errors import ConvScopeError, UnknownModel
from app.core.evaluating import evaluate
from app.core.evaluating_drawings import DrawingsRead, evaluate_drawings
from app.core.recipes import Recipe
from app.core.training import load_parts
from app.core.whole_files import write_atomically
from app.services.evaluator import check_classes
from app.settings import read_settings
from models.registry import WEIGHTS, ModelCard


class NotForTheCard(ConvScopeError):
    """A card tells of the test split of the data set that its model was trained on."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``convscope evaluate``."""
    parser.add_argument("model", help="a model's name, or the JSON file of a card")
    parser.add_argument("--dataset", help="the data set; else the one it was trained on")
    parser.add_argument(
        "--split",
        choices=("test", "validation"),
        default="test",
        help="the test part, or the images that the model's recipe held out (default: %(default)s)",
    )
    parser.add_argument(
        "--drawings",
        type=_count,
        nargs="?",
        const=1000,
        metavar="COUNT",
        help="draw that many of the split's digits anew, in every kind, instead (%(const)s)",
    )
    parser.add_argument(
        "--note", action="store_true", help="write what was measured on the test split on the card"
    )


def run(options: argparse.Namespace) -> None:
    """Print what was measured, or each kind of drawing's accuracy, and note it where asked to."""
    settings, console = read_settings(), Console()
    path = find_card(options.model, settings.data_dir / "models")
    card = read_card(path)
    if options.note and (options.split != "test" or options.dataset not in (None, card.dataset)):
        raise NotForTheCard("Only the test split of the model's own data set is noted on its card.")
    folders, dataset = settings.dataset_folders, options.dataset or card.dataset
    check_classes(card, find_dataset(dataset, folders))
    network = load_network(card, path.parent)
    split = _load(card, dataset, options.split, folders)
    if options.drawings:
        results = _watch_drawings(network, card, split.first(options.drawings), console)
        card = with_drawings(card, {result.kind: result.accuracy for result in results})
    else:
        evaluation = evaluate(network, split, card)
        show_evaluation(evaluation, card, console)
        card = with_test(card, evaluation)
    if options.note:
        write_atomically(path, card.to_json().encode())


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError
    return count


def _watch_drawings(
    network: nn.Module, card: ModelCard, digits: Split, console: Console
) -> list[DrawingsRead]:
    results = []
    for result in evaluate_drawings(network, card, digits):
        console.print(
            f"{result.kind:14} {result.accuracy:7.2%} of {result.count:,} recognised, "
            f"{result.refused:,} refused"
        )
        results.append(result)
    return results


def find_card(model: str, own: Path) -> Path:
    """The path of a card, given as such or as the name of a shipped model, or of one in the folder
    of one's own. Raises UnknownModel."""
    for path in (WEIGHTS / f"{model}.json", own / f"{model}.json", Path(model)):
        if path.is_file():
            return path
    paths = [*sorted(WEIGHTS.glob("*.json")), *sorted(own.glob("*.json"))]
    names = ", ".join(dict.fromkeys(path.stem for path in paths))
    raise UnknownModel(
        f"There is no model {model!r}. Give the path of a model's JSON file, or one of: {names}."
    )


def _load(card: ModelCard, dataset: str, part: str, folders: DatasetFolders) -> Split:
    if part == "test":
        return load_split(dataset, "test", folders)
    recipe = Recipe.from_dict({**card.recipe, "dataset": dataset})
    return load_parts(recipe, folders)[1]
