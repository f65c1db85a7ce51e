"""How cost grows, as a table and as a plot each."""

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from app.benchmarks.growth import Cost, Growth
from app.benchmarks.http_load import Load
from app.benchmarks.tables import ms, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which those who see colours otherwise tell apart, too.
_BLUE, _ORANGE, _GREEN = "#0072b2", "#d55e00", "#009e73"
_SERIES = (
    ("prediction by torch alone", "torch", _ORANGE, "s--"),
    ("prediction as served", "served", _BLUE, "o-"),
    ("trace of every layer", "trace", _GREEN, "^:"),
)


def growth_table(growth: Growth) -> str:
    """A row per size."""
    heading = (growth.what, *(name for name, *_ in _SERIES))
    rows = [
        [str(cost.size), *(ms(_cost(cost, key)) for _, key, *_ in _SERIES)] for cost in growth.costs
    ]
    return table(heading, rows)


def clients_table(loads: Sequence[Load]) -> str:
    """A row per number of clients."""
    heading = ("clients", "predictions per second", "p50", "p95", "p99")
    rows = [
        [
            str(load.clients),
            f"{load.rate:,.0f}",
            *(ms(load.percentile(share)) for share in (0.5, 0.95, 0.99)),
        ]
        for load in loads
    ]
    return table(heading, rows)


def plot_growth(growth: Growth) -> bytes:
    """An SVG: cost by size, both logarithmic, so that a straight line is a power of the size."""
    figure, (axes,) = _figure(1)
    sizes = [cost.size for cost in growth.costs]
    for name, key, colour, style in _SERIES:
        times = [_cost(cost, key) for cost in growth.costs]
        axes.plot(sizes, times, style, color=colour, label=name)
    axes.set(ylabel="milliseconds", title=growth.held, yscale="log")
    return _drawn(figure, growth.what, sizes)


def plot_clients(loads: Sequence[Load]) -> bytes:
    """An SVG: predictions per second, and what one takes, by the number of clients."""
    figure, (rates, times) = _figure(2)
    clients = [load.clients for load in loads]
    rates.plot(clients, [load.rate for load in loads], "o-", color=_BLUE, label="all clients")
    rates.set(ylabel="predictions per second", ylim=(0, None))
    for name, share, colour, style in (("p50", 0.5, _BLUE, "o-"), ("p99", 0.99, _ORANGE, "s--")):
        values = [load.percentile(share) for load in loads]
        times.plot(clients, values, style, color=colour, label=name)
    times.set(ylabel="milliseconds", yscale="log")
    return _drawn(figure, "clients", clients)


def _cost(cost: Cost, key: str) -> float:
    return float(getattr(cost, key))


def _figure(panels: int) -> "tuple[Figure, Sequence[Axes]]":
    # No other command needs what takes a second to import.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    return figure, figure.subplots(1, panels, squeeze=False)[0]


def _drawn(figure: "Figure", what: str, sizes: Sequence[int]) -> bytes:
    import matplotlib

    for axes in figure.axes:
        axes.set(xlabel=what, xscale="log")
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.set_xticks([], minor=True)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    file = BytesIO()
    # The same numbers are the same file, with words that can be selected and read aloud.
    with matplotlib.rc_context({"svg.hashsalt": "convscope", "svg.fonttype": "none"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
