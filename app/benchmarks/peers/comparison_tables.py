"""What was measured side by side as Markdown, and how it compares with the aims."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.benchmarks.http_load import Load
from app.benchmarks.peers.comparing import CLIENTS, PIXELS, PNG, ServerLoad, Trial
from app.benchmarks.tables import UNKNOWN, ms, table

OURS = "ConvScope"
BARE = "Bare uvicorn"
# LitServe's batches may be the better way for one client, too.
LITSERVE = ("LitServe", "LitServe, fast queue", "LitServe, batched")
BATCHED = ("LitServe, batched",)
GRADIO = ("Gradio",)
DIRECT_GRADIO = ("Gradio, past its queue",)

_LOADS = (
    "server",
    "picture",
    "clients",
    "predictions per second",
    "p50",
    "p99",
    "processor time of each",
    "memory",
    "farthest from torch",
)
_AIMS = ("what", "against", "aim", "reached", "", "bare uvicorn's")


@dataclass(frozen=True)
class Aim:
    """At least so many times as good as the best of others: in rate, or in ``p99`` where less is
    better. An aim of None is told without being aimed at."""

    what: str
    form: str
    clients: int
    others: tuple[str, ...]
    least: float | None
    p99: bool = False


_ONE, _MANY = CLIENTS
AIMS = (
    Aim("rate", PNG, _ONE, LITSERVE, 2.5),
    Aim("rate", PNG, _ONE, BATCHED, None),
    Aim("rate", PNG, _ONE, GRADIO, 8),
    Aim("rate", PNG, _ONE, DIRECT_GRADIO, None),
    Aim("rate", PIXELS, _ONE, LITSERVE, 7),
    Aim("rate", PIXELS, _ONE, BATCHED, None),
    Aim("rate", PNG, _MANY, BATCHED, 1.5),
    Aim("rate", PIXELS, _MANY, BATCHED, 1.5),
    Aim("p99", PNG, _MANY, BATCHED, 1, p99=True),
    Aim("p99", PIXELS, _MANY, BATCHED, 1, p99=True),
)


def loads_table(measured: Sequence[ServerLoad]) -> str:
    """A row per server, form and number of clients."""
    return table(_LOADS, [_load_row(one) for one in measured])


def _load_row(one: ServerLoad) -> list[str]:
    load = one.load
    return [
        one.server,
        one.form,
        str(load.clients),
        f"{load.rate:,.0f}",
        *(ms(load.percentile(share)) for share in (0.5, 0.99)),
        ms(one.seconds * 1000 / len(load.answers)) if one.seconds else UNKNOWN,
        f"{one.memory / 2**20:,.0f} MiB" if one.memory else UNKNOWN,
        f"{one.difference:.0e}",
    ]


def trials_table(trials: Sequence[Trial]) -> str:
    """A row per way of making batches; the best of each form is bold."""
    forms = list(trials[0].rates)
    best = {form: max(one.rates[form] for one in trials) for form in forms}

    def rate(one: Trial, form: str) -> str:
        text = f"{one.rates[form]:,.0f}"
        return f"**{text}**" if one.rates[form] == best[form] else text

    rows = [
        [
            str(one.batching.workers),
            str(one.batching.pictures),
            f"{one.batching.seconds * 1000:g} ms",
            one.batching.queue,
            *(rate(one, form) for form in forms),
        ]
        for one in trials
    ]
    return table(("workers", "max_batch_size", "batch_timeout", "queue", *forms), rows)


def aims_table(measured: Sequence[ServerLoad]) -> str:
    """A row per aim: ConvScope's ratio to the best of the others, whether that is enough, and the
    ratio of the bare subject."""
    return table(_AIMS, [_aim_row(aim, measured) for aim in AIMS])


def _aim_row(aim: Aim, measured: Sequence[ServerLoad]) -> list[str]:
    clients = "1 client" if aim.clients == 1 else f"{aim.clients} clients"
    aimed = "" if aim.least is None else f"at least {aim.least:g}"
    ratio, bare = (ratio_of(aim, measured, server) for server in (OURS, BARE))
    verdict = ""
    if ratio is not None and aim.least is not None:
        verdict = "yes" if ratio >= aim.least else "no"
    what = f"{aim.what}, {aim.form}, {clients}"
    return [what, _named(aim.others), aimed, _ratio(ratio), verdict, _ratio(bare)]


def _ratio(ratio: float | None) -> str:
    return "not measured" if ratio is None else f"{ratio:.2f}"


def _named(others: tuple[str, ...]) -> str:
    return others[0] if len(others) == 1 else f"the best of {others[0]}"


def ratio_of(aim: Aim, measured: Sequence[ServerLoad], server: str = OURS) -> float | None:
    """How many times as good a server is as the best of the others; None without both."""
    better: Callable[[Load], float] = (lambda load: 1 / load.percentile(0.99)) if aim.p99 else _rate
    ours = _best((server,), aim, measured, better)
    theirs = _best(aim.others, aim, measured, better)
    return ours / theirs if ours and theirs else None


def _rate(load: Load) -> float:
    return load.rate


def _best(
    servers: tuple[str, ...],
    aim: Aim,
    measured: Sequence[ServerLoad],
    better: Callable[[Load], float],
) -> float | None:
    found = [
        better(one.load)
        for one in measured
        if one.server in servers and one.form == aim.form and one.load.clients == aim.clients
    ]
    return max(found, default=None)
