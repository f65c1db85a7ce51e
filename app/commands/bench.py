"""``convscope bench``: how fast it is, as a table with the machine that it was measured on."""

import argparse
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from app.benchmarks.beside_training import measure_beside_training
from app.benchmarks.browser import NotMeasured
from app.benchmarks.drawing import measure_strokes
from app.benchmarks.http_load import Limits
from app.benchmarks.lessons import lessons_table
from app.benchmarks.machine import describe_machine
from app.benchmarks.predicting import PredictionLoad, measure_predictions
from app.benchmarks.server_process import HOST, serving
from app.benchmarks.tables import (
    beside_table,
    facts_table,
    rates_table,
    shares_table,
    strokes_table,
    write_between,
)
from app.settings import read_settings

_DOCS = Path(__file__).parent.parent.parent / "docs"
DOCUMENTS = {
    "serve": _DOCS / "benchmarks.md",
    "page": _DOCS / "benchmarks.md",
    "growth": _DOCS / "benchmarks.md",
    "train": _DOCS / "benchmarks.md",
    "peers": _DOCS / "benchmarks.md",
    "lessons": _DOCS / "seeds.md",
}


@dataclass(frozen=True)
class Report:
    """What was measured, in Markdown, and the files of the pictures that it shows."""

    text: str
    pictures: Mapping[str, bytes] = field(default_factory=dict)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``convscope bench``."""
    parser.add_argument(
        "subject",
        nargs="?",
        choices=list(SUBJECTS),
        default="serve",
        help="what to measure (default: %(default)s)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="a few seconds' run, to see that it works"
    )
    parser.add_argument(
        "--write",
        nargs="?",
        type=Path,
        const=True,
        metavar="FILE",
        help="put the result into this document too (docs/benchmarks.md or docs/seeds.md)",
    )


def run(options: argparse.Namespace) -> None:
    """Measure, print the tables, and write them where that is asked."""
    report = SUBJECTS[options.subject](options.quick)
    print(report.text)
    if options.write:
        document = DOCUMENTS[options.subject] if options.write is True else options.write
        write_between(document, f"convscope bench {options.subject}", report.text)
        for name, picture in report.pictures.items():
            document.with_name(name).write_bytes(picture)


def bench_serve(quick: bool) -> Report:
    """Predictions over HTTP, strokes in a browser, and predictions while a run trains, on a server
    of its own."""
    say("Starting a server.")
    with serving() as port:
        limits = Limits(seconds=0.2) if quick else Limits(seconds=8)
        predictions = list(_narrated(measure_predictions((HOST, port), limits)))
        strokes, browser = _strokes(f"http://{HOST}:{port}/", 3 if quick else 40)
        say("Predicting while a run trains.")
        beside = measure_beside_training((HOST, port), limits)
    facts = {"Command": f"`{_command()}`", **describe_machine()}
    facts |= {"Client": _client(predictions), "Browser": browser}
    parts = {
        "Machine": facts_table(facts),
        "Predictions over HTTP": rates_table(predictions),
        "Where the time of one request goes": shares_table(predictions),
        "From the end of a stroke to all maps painted": strokes,
        "While a run trains": beside_table(beside),
    }
    return _report(parts)


def bench_train(quick: bool) -> Report:
    """Epochs beside the lessons' own, and the time to 99 %."""
    # They import torchvision, which takes seconds that no other benchmark needs.
    from app.benchmarks.training import ROUNDS, SEEDS, SPRINT, compare_epochs, sprint
    from app.benchmarks.training_tables import epochs_table, sprint_table

    folders, dataset = read_settings().dataset_folders, "optdigits" if quick else "mnist"
    comparisons = []
    for one in compare_epochs(dataset, folders, 1 if quick else ROUNDS):
        say(f"{one.loop.network}: {one.lesson.seconds:.1f} s an epoch by the lesson's loop.")
        comparisons.append(one)
    say("Training to 99 %.")
    seeds = range(1 if quick else SEEDS)
    sprints = [sprint(replace(SPRINT, dataset=dataset, seed=seed), folders) for seed in seeds]
    facts = {"Command": f"`{_command()}`", "Data set": dataset, **describe_machine()}
    parts = {
        "Machine that trained": facts_table(facts),
        "An epoch": epochs_table(comparisons),
        "Time to 99 % of the validation images": sprint_table(sprints),
    }
    return _report(parts)


def bench_page(quick: bool) -> Report:
    """The first page, and a long visit to a large network."""
    from app.benchmarks.pages import first_page_table, measure_pages, visit_table

    say("Opening pages in a browser.")
    costs = measure_pages(3 if quick else None)
    facts = {"Command": f"`{_command()}`", **describe_machine(), "Browser": costs.browser}
    return _report(
        {
            "Machine that showed pages": facts_table(facts),
            "The first page": first_page_table(costs.first),
            "Every layer of a large network": visit_table(costs.visit),
        }
    )


def bench_growth(quick: bool) -> Report:
    """How cost grows, with a plot of each."""
    from app.benchmarks.growth import CLIENTS, measure_clients, measure_growth
    from app.benchmarks.growth_plots import clients_table, growth_table, plot_clients, plot_growth

    facts = {"Command": f"`{_command()}`", **describe_machine()}
    parts, pictures = {"Machine that grew": facts_table(facts)}, {}
    for growth in measure_growth(quick):
        say(f"Cost by {growth.what}.")
        name = f"cost-{growth.name}.svg"
        pictures[name] = plot_growth(growth)
        parts[f"By {growth.what}"] = f"![Cost by {growth.what}]({name})\n\n{growth_table(growth)}"
    say("Cost by clients.")
    with serving() as port:
        limits, clients = (Limits(0.2), CLIENTS[:2]) if quick else (Limits(4), CLIENTS)
        loads = measure_clients((HOST, port), limits, clients)
    pictures["cost-clients.svg"] = plot_clients(loads)
    parts["By clients"] = f"![Cost by clients](cost-clients.svg)\n\n{clients_table(loads)}"
    return _report(parts, pictures)


def bench_peers(quick: bool) -> Report:
    """The same network served by LitServe and by Gradio, where they are installed, and by us."""
    from app.benchmarks.peers.report import compare_peers

    facts, parts = compare_peers(quick, say)
    machine = {"Command": f"`{_command()}`", **describe_machine(), **facts}
    parts = {"Machine that compared": facts_table(machine), **parts}
    return _report(parts)


def list_lessons(quick: bool) -> Report:
    """What the lessons say of their networks, and what the shipped cards say."""
    return Report(lessons_table())


SUBJECTS: dict[str, Callable[[bool], Report]] = {
    "serve": bench_serve,
    "page": bench_page,
    "growth": bench_growth,
    "train": bench_train,
    "lessons": list_lessons,
    "peers": bench_peers,
}


def _report(parts: Mapping[str, str], pictures: Mapping[str, bytes] | None = None) -> Report:
    """Each part under its title."""
    sections = [f"### {title}\n\n{part}" for title, part in parts.items()]
    return Report("\n\n".join(sections), pictures or {})


def _strokes(address: str, count: int) -> tuple[str, str]:
    """The table of the strokes and the browser's name, or why there is none."""
    say(f"Drawing {count} strokes in a browser.")
    try:
        times = measure_strokes(address, count)
    except NotMeasured as reason:
        return f"Not measured. {reason}", "none"
    return strokes_table(times), times.browser


def _narrated(measured: Iterator[PredictionLoad]) -> Iterator[PredictionLoad]:
    say("Predicting.")
    for one in measured:
        say(f"{one.form}, clients: {one.load.clients}: {one.load.rate:.0f} a second.")
        yield one


def _client(measured: Sequence[PredictionLoad]) -> str:
    most = max(one.load.client_seconds / one.load.seconds for one in measured)
    return f"one asyncio process on the same cores; it took at most {most:.0%} of one of them"


def _command() -> str:
    return shlex.join(["convscope", *sys.argv[1:]])


def say(words: str) -> None:
    """Tell those who wait; what was measured alone goes to the standard output."""
    print(words, file=sys.stderr)
