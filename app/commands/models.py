"""``convscope models``: which models there are, and how weights that others trained come in."""

import argparse

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.commands.saying import say
from app.core.devices import choose_device
from app.core.pretrained import PRETRAINED, fetch_model, find_pretrained
from app.services.model_library import ModelLibrary
from app.settings import read_settings
from models.registry import ModelCard


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``convscope models list`` and ``fetch``."""
    actions = parser.add_subparsers(title="actions", metavar="action", required=True)
    actions.add_parser("list", help="say which models there are").set_defaults(act=_list)
    fetch = actions.add_parser("fetch", help="download a network's weights, trained on ImageNet")
    fetch.add_argument("network", help=f"one of {', '.join(PRETRAINED)}")
    fetch.add_argument("--name", help="what to call the model; as the network unless given")
    fetch.set_defaults(act=_fetch)


def run(options: argparse.Namespace) -> None:
    """Do what was asked for."""
    options.act(options, Console())


def _list(options: argparse.Namespace, console: Console) -> None:
    settings = read_settings()
    library = ModelLibrary(choose_device(settings.device), settings.data_dir / "models")
    table = Table("name", "title", "input", "parameters", "data set", "test accuracy")
    for card in library.cards():
        shape = " × ".join(str(size) for size in card.input_shape)
        parameters = f"{card.parameters:,}"
        row = card.name, card.title, shape, parameters, card.dataset, _measured(card)
        table.add_row(*map(Text, row))
    console.print(table)


def _measured(card: ModelCard) -> str:
    accuracy = card.metrics.get("test_accuracy")
    if accuracy is not None:
        return f"{accuracy:.2%}"
    return "not measured" if card.weights else "untrained: random weights"


def _fetch(options: argparse.Namespace, console: Console) -> None:
    folder = read_settings().data_dir / "models"
    pretrained = find_pretrained(options.network)
    path = fetch_model(pretrained, folder, options.name or options.network)
    say(
        console,
        f"{path.stem}: torchvision's weights {pretrained.version}, trained on ImageNet, "
        f"{len(pretrained.classes):,} classes. Wrote {path}",
    )
