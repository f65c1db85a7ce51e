"""What was measured as Markdown, and its place in a document."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from app.benchmarks.beside_training import BesideTraining
from app.benchmarks.drawing import StrokeTimes
from app.benchmarks.http_load import Load, percentile
from app.benchmarks.predicting import PredictionLoad
from app.core.errors import ConvScopeError

UNKNOWN = "not told"

_RATES = ("picture", "clients", "predictions per second", "p50", "p95", "p99", "server's p50")
_SHARES = (
    "picture",
    "preparing",
    "network",
    "all of the server",
    "client waits",
    "outside the network, of the server's time",
    "of the client's",
)
_BESIDE = ("picture", "runs under way", "p50", "p95", "p99", "p95 moved by", "p99 of the idle one")
_STROKES = ("strokes", "p50", "p95", "longest", "maps", "requests", "most in flight")


class NoPlace(ConvScopeError):
    """A document without the lines between which a table is to be written."""


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all but the first column are aligned to the right."""
    rule = ["---", *["---:"] * (len(heading) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (heading, rule, *rows))


def facts_table(facts: Mapping[str, str]) -> str:
    """Names and what they stand for."""
    return table(("", ""), list(facts.items())).replace("---:", "---")


def rates_table(measured: Sequence[PredictionLoad]) -> str:
    """How many predictions per second, and how long each took: a row per form and clients."""
    return table(_RATES, [_rate_row(one.form, one.load) for one in measured])


def _rate_row(form: str, load: Load) -> list[str]:
    times = [ms(load.percentile(share)) for share in (0.5, 0.95, 0.99)]
    server = _told(load, "total")
    told = ms(percentile(server, 0.5)) if server else UNKNOWN
    return [form, str(load.clients), f"{load.rate:,.0f}", *times, told]


def shares_table(measured: Sequence[PredictionLoad]) -> str:
    """Where the time of a lone client's request goes: a row per form, means of all requests."""
    alone = [one for one in measured if one.load.clients == 1]
    return table(_SHARES, [_share_row(one.form, one.load) for one in alone])


def _share_row(form: str, load: Load) -> list[str]:
    prepare, network, total = (_told(load, name) for name in ("prepare", "network", "total"))
    client = [answer.milliseconds for answer in load.answers]
    times = [ms(fmean(times)) if times else UNKNOWN for times in (prepare, network, total, client)]
    return [form, *times, _outside(network, total), _outside(network, client)]


def _told(load: Load, name: str) -> list[float]:
    """What the server told under this name; nothing if any answer lacks it."""
    times = [answer.server_timing.get(name) for answer in load.answers]
    known = [time for time in times if time is not None]
    return known if len(known) == len(times) else []


def _outside(part: Sequence[float], whole: Sequence[float]) -> str:
    return f"{1 - sum(part) / sum(whole):.0%}" if part and whole else UNKNOWN


def beside_table(measured: Sequence[BesideTraining]) -> str:
    """What a run under way does to one client's requests: two rows per form."""
    return table(_BESIDE, [row for one in measured for row in _beside_rows(one)])


def _beside_rows(one: BesideTraining) -> list[list[str]]:
    def times(load: Load) -> list[str]:
        return [ms(load.percentile(share)) for share in (0.5, 0.95, 0.99)]

    before, now = (load.percentile(0.95) for load in (one.alone, one.beside))
    moved = f"{now - before:+.2f} ms, {now / before - 1:+.0%}"
    share = one.beside.percentile(0.99) / one.alone.percentile(0.99)
    return [
        [one.form, "none", *times(one.alone), "", ""],
        [one.form, "one", *times(one.beside), moved, f"{share:.2f} times"],
    ]


def strokes_table(times: StrokeTimes) -> str:
    """One row."""
    row = [
        str(len(times.milliseconds)),
        *(ms(times.percentile(share)) for share in (0.5, 0.95, 1)),
        str(times.maps),
        str(times.requests),
        str(times.most_in_flight),
    ]
    return table(_STROKES, [row])


def ms(value: float) -> str:
    """A time in words."""
    return f"{value:.2f} ms" if value < 10 else f"{value:.1f} ms"


def write_between(path: Path, name: str, text: str) -> None:
    """Put the text between the marks of that name; the rest stays. Raises NoPlace."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    before, found, rest = path.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise NoPlace(f"{path} lacks the lines {begin.strip()!r} and {end.strip()!r}.")
    path.write_text(f"{before}{begin}\n{text.strip()}\n\n{end}{after}")
