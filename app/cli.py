"""The command line, ``convscope <command>``: a module of app/commands and a line here for each.

A command's module has ``add_options(parser)`` and ``run(options)``, which returns nothing or the
exit status. Only the wanted command is imported, so that ``--help`` doesn't wait for torch.
"""

import argparse
import gc
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from app.core.errors import ConvScopeError

COMMANDS = {
    "serve": "Serve ConvScope to browsers and programs.",
    "train": "Train a network as a recipe says, and write the model.",
    "models": "List models, and fetch weights that others have trained.",
    "data": "List, fetch and import data sets.",
    "evaluate": "Measure a model on a data set, or on drawings.",
    "predict": "Say what picture files show.",
    "bench": "Measure how fast it is, and print a table.",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, or 1 after saying on stderr what is wrong with the input."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = create_parser(words).parse_args(words)
    try:
        return options.run(options) or 0
    except ConvScopeError as error:
        print(f"convscope: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130  # what shells report of a process that Ctrl-C ended


def create_parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of all commands, with the options of the one that ``words`` begins with."""
    parser = argparse.ArgumentParser(
        prog="convscope", description="See every number that a convolutional network computes."
    )
    commands = parser.add_subparsers(title="commands", metavar="command", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if words[:1] == [name]:
            module = _import(f"app.commands.{name}")
            module.add_options(command)
            command.set_defaults(run=module.run)
    return parser


def _import(name: str) -> ModuleType:
    # What is imported stays. To look through it for garbage, again and again as it grows, takes a
    # fifth of the time.
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.enable()


if __name__ == "__main__":
    sys.exit(main())
