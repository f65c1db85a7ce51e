"""How the cost of a prediction and of a trace grows: with a network's channels and layers, with the
picture's size, and with the number of clients."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from time import perf_counter

import torch
from torch import nn

from app.benchmarks.http_load import Limits, Load, drive
from app.benchmarks.predicting import FORMS, PICTURES
from app.benchmarks.strokes import make_strokes, paint
from app.core.model import Model
from models.registry import blank_card

CHANNELS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
LAYERS = (1, 2, 4, 8, 16, 32, 64)
SIDES = (14, 28, 56, 112, 224, 448)
CLIENTS = (1, 2, 4, 8, 16, 32, 64, 128)

# What is held while another grows.
USUAL_CHANNELS, USUAL_LAYERS, USUAL_SIDE = 16, 4, 28

# Each is run at least so often, and until so many seconds have gone by.
LEAST, SECONDS = 5, 0.4

PIXELS = "JSON pixels, 28 × 28"


@dataclass(frozen=True)
class Cost:
    """The median milliseconds of a prediction by torch and as it is served, and of a trace, of a
    network of this size."""

    size: int
    torch: float
    served: float
    trace: float


@dataclass(frozen=True)
class Growth:
    """What grew, as a name and in words, what was held, and the costs from the smallest on."""

    name: str
    what: str
    held: str
    costs: Sequence[Cost]


def measure_growth(quick: bool = False) -> Iterator[Growth]:
    """Costs in this process, with one thread, as the server has it."""
    cut = 2 if quick else None
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield Growth(
            "channels",
            "channels of each layer",
            f"{USUAL_LAYERS} convolutions, {USUAL_SIDE} × {USUAL_SIDE} pixels",
            [_cost(one, _model(channels=one)) for one in CHANNELS[:cut]],
        )
        yield Growth(
            "layers",
            "convolutions",
            f"{USUAL_CHANNELS} channels, {USUAL_SIDE} × {USUAL_SIDE} pixels",
            [_cost(one, _model(layers=one)) for one in LAYERS[:cut]],
        )
        yield Growth(
            "size",
            "pixels along a side",
            f"{USUAL_LAYERS} convolutions of {USUAL_CHANNELS} channels",
            [_cost(one, _model(side=one)) for one in SIDES[:cut]],
        )
    finally:
        torch.set_num_threads(threads)


def measure_clients(
    address: tuple[str, int], limits: Limits, clients: Sequence[int] = CLIENTS
) -> list[Load]:
    """Predictions of JSON pixels by more and more clients at a time."""
    requests = [FORMS[PIXELS](paint(stroke)) for stroke in make_strokes(PICTURES)]
    drive(address, requests, clients[-1], limits)
    return [drive(address, requests, count, limits) for count in clients]


def _model(
    channels: int = USUAL_CHANNELS, layers: int = USUAL_LAYERS, side: int = USUAL_SIDE
) -> Model:
    """3 × 3 convolutions, each with a ReLU, then the mean of each channel and a linear layer."""
    steps: OrderedDict[str, nn.Module] = OrderedDict()
    before = 1
    for number in range(1, layers + 1):
        steps[f"conv{number}"] = nn.Conv2d(before, channels, 3, padding=1)
        steps[f"relu{number}"] = nn.ReLU()
        before = channels
    steps["pool"], steps["flatten"] = nn.AdaptiveAvgPool2d(1), nn.Flatten()
    steps["fc"] = nn.Linear(channels, 10)
    card = replace(blank_card("digits"), input_shape=(1, side, side))
    return Model.of(card, nn.Sequential(steps).eval(), torch.device("cpu"), lasting=True)


def _cost(size: int, model: Model) -> Cost:
    picture = torch.rand(model.card.input_shape)
    served, plain = model.predict, replace(model, lasting=False).predict
    return Cost(
        size,
        _milliseconds(lambda: plain(picture[None])),
        _milliseconds(lambda: served(picture[None])),
        _milliseconds(lambda: model.trace(picture)),
    )


def _milliseconds(work: Callable[[], object]) -> float:
    work()
    times: list[float] = []
    while len(times) < LEAST or sum(times) < SECONDS:
        begun = perf_counter()
        work()
        times.append(perf_counter() - begun)
    return 1000 * median(times)
