"""``convscope data``: which data sets there are, and how more come in."""

import argparse
import re
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from app.commands.saying import say
from app.core.dataset_files import PARTS
from app.core.datasets import list_datasets, load_split
from app.core.importing import LARGEST_SIDE, USUAL_SIDE, import_dataset
from app.settings import read_settings


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``convscope data list``, ``fetch`` and ``import``."""
    actions = parser.add_subparsers(title="actions", metavar="action", required=True)
    actions.add_parser("list", help="say which data sets there are").set_defaults(act=_list)
    fetch = actions.add_parser("fetch", help="download a data set, unless it is here")
    fetch.add_argument("name", help="mnist, fashion-mnist or cifar10")
    fetch.set_defaults(act=_fetch)
    bring = actions.add_parser("import", help="make a data set of a folder or zip of pictures")
    bring.add_argument(
        "source", type=Path, help="it holds train/<class>/<picture> and test/<class>/<picture>"
    )
    bring.add_argument("--name", help="what to call it; after the folder or file unless given")
    bring.add_argument(
        "--size",
        type=int,
        help=f"pixels of a side, up to {LARGEST_SIDE}; unless given the pictures' own if all have "
        f"the same, else {USUAL_SIDE}",
    )
    bring.set_defaults(act=_import)


def run(options: argparse.Namespace) -> None:
    """Do what was asked for."""
    options.act(options, Console())


def _list(options: argparse.Namespace, console: Console) -> None:
    table = Table("name", "title", "classes", "shape", "train", "test")
    for dataset in list_datasets(read_settings().dataset_folders):
        shape = " × ".join(str(size) for size in dataset.input_shape)
        counts = (dataset.train_images, dataset.test_images)
        shown = [f"{count:,}" if count else "not here yet" for count in counts]
        named = Text(dataset.name), Text(dataset.title)
        table.add_row(*named, str(len(dataset.classes)), shape, *shown)
    console.print(table)


def _fetch(options: argparse.Namespace, console: Console) -> None:
    folders = read_settings().dataset_folders
    counts = [len(load_split(options.name, part, folders)) for part in PARTS]
    say(console, f"{options.name}: {counts[0]:,} images to train on, {counts[1]:,} to test with")


def _import(options: argparse.Namespace, console: Console) -> None:
    name = options.name or re.sub(r"[^a-z0-9]+", "-", options.source.stem.lower()).strip("-")
    folders = read_settings().dataset_folders
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("reading")

        def show(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        dataset = import_dataset(options.source, name, folders, options.size, show)
    say(
        console,
        f"{name}: {len(dataset.classes)} classes, {dataset.train_images:,} images to train on, "
        f"{dataset.test_images:,} to test with, {' × '.join(map(str, dataset.input_shape))}",
    )
