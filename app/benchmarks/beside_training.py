"""Single predictions over HTTP while nothing else is done, and while a run trains."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from app.benchmarks.http_load import Limits, Load, drive
from app.benchmarks.predicting import FORMS, PICTURES, WARM_UP_SECONDS
from app.benchmarks.server_process import ServerFailed
from app.benchmarks.strokes import make_strokes, paint
from app.core.datasets import BUNDLED
from app.core.recipes import Recipe

FORMS_BESIDE = ("JSON pixels, 28 × 28", "grey bytes, 280 × 280")
# Longer than anybody measures.
RECIPE = Recipe("digits", BUNDLED.name, epochs=10_000)
START_SECONDS = 120


@dataclass(frozen=True)
class BesideTraining:
    """What one client's requests took, without a run and with one under way."""

    form: str
    alone: Load
    beside: Load


def measure_beside_training(address: tuple[str, int], limits: Limits) -> list[BesideTraining]:
    """Each form by one client, first alone, then beside a run of the server's own.

    Raises ServerFailed where the run doesn't begin or ends meanwhile.
    """
    alone = [_measure(address, form, limits) for form in FORMS_BESIDE]
    with _training(address):
        beside = [_measure(address, form, limits) for form in FORMS_BESIDE]
    return [BesideTraining(*one) for one in zip(FORMS_BESIDE, alone, beside, strict=True)]


def _measure(address: tuple[str, int], form: str, limits: Limits) -> Load:
    requests = [FORMS[form](paint(stroke)) for stroke in make_strokes(PICTURES)]
    drive(address, requests, 1, Limits(min(WARM_UP_SECONDS, limits.seconds)))
    return drive(address, requests, 1, limits)


@contextmanager
def _training(address: tuple[str, int]) -> Iterator[None]:
    """A run that has done an epoch; it is cancelled at the end, when it must still be training."""
    run = f"/api/v1/runs/{_ask(address, 'POST', '/api/v1/runs', RECIPE.to_dict())['id']}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while _ask(address, "GET", run)["epoch"] < 1:
            _insist_on_training(address, run)
            if time.monotonic() > deadline:
                raise ServerFailed("The run that was to train meanwhile doesn't begin.")
            time.sleep(0.1)
        yield
        _insist_on_training(address, run)
    finally:
        _ask(address, "POST", f"{run}/cancel")


def _insist_on_training(address: tuple[str, int], run: str) -> None:
    found = _ask(address, "GET", run)
    if found["state"] not in ("queued", "running"):
        raise ServerFailed(f"The run that was to train is {found['state']}: {found['error']}")


def _ask(
    address: tuple[str, int], method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    connection = HTTPConnection(*address, timeout=30)
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        words: dict[str, Any] = json.loads(answer.read())
    finally:
        connection.close()
    if answer.status >= 400:
        raise ServerFailed(f"{method} {path} was refused: {words.get('detail')}")
    return words
