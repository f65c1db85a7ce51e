"""Single predictions over HTTP, in turn while a run is paused and while it trains."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from app.benchmarks.http_load import Limits, Load, drive, joined
from app.benchmarks.predicting import FORMS, PICTURES, WARM_UP_SECONDS
from app.benchmarks.server_process import ServerFailed
from app.benchmarks.strokes import make_strokes, paint
from app.core.datasets import BUNDLED
from app.core.recipes import Recipe

FORMS_BESIDE = ("JSON pixels, 28 × 28", "grey bytes, 280 × 280")
# Longer than anybody measures.
RECIPE = Recipe("digits", BUNDLED.name, epochs=10_000)
START_SECONDS = 120
# A virtual machine is quicker at one moment than at another, so that both are measured in turns.
TURNS = 8


@dataclass(frozen=True)
class BesideTraining:
    """What one client's requests took while the only run was paused, and while it trained."""

    form: str
    alone: Load
    beside: Load


def measure_beside_training(address: tuple[str, int], limits: Limits) -> list[BesideTraining]:
    """Each form by one client, half of the time beside a run of the server's own.

    The limits hold for either half. Raises ServerFailed where the run doesn't begin or ends
    meanwhile.
    """
    with _training(address) as run:
        return [_measure(address, run, form, limits) for form in FORMS_BESIDE]


def _measure(address: tuple[str, int], run: str, form: str, limits: Limits) -> BesideTraining:
    requests = [FORMS[form](paint(stroke)) for stroke in make_strokes(PICTURES)]
    drive(address, requests, 1, Limits(min(WARM_UP_SECONDS, limits.seconds)))
    turn = Limits(limits.seconds / TURNS)
    alone, beside = list[Load](), list[Load]()
    for _ in range(TURNS):
        for action, state, loads in (("pause", "paused", alone), ("resume", "running", beside)):
            _ask(address, "POST", f"{run}/{action}")
            _wait_until(address, run, state=state)
            loads.append(drive(address, requests, 1, turn))
    return BesideTraining(form, joined(alone), joined(beside))


@contextmanager
def _training(address: tuple[str, int]) -> Iterator[str]:
    """The path of a run that has done an epoch; it is cancelled at the end, when it must still be
    training."""
    run = f"/api/v1/runs/{_ask(address, 'POST', '/api/v1/runs', RECIPE.to_dict())['id']}"
    try:
        _wait_until(address, run, epoch=1)
        yield run
        _insist_on_training(run, _ask(address, "GET", run))
    finally:
        _ask(address, "POST", f"{run}/cancel")


def _wait_until(address: tuple[str, int], run: str, state: str = "running", epoch: int = 0) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        found = _ask(address, "GET", run)
        if found["state"] == state and found["epoch"] >= epoch:
            return
        _insist_on_training(run, found)
        if time.monotonic() > deadline:
            raise ServerFailed(f"{run} is {found['state']} and doesn't change.")
        time.sleep(0.1)


def _insist_on_training(run: str, found: dict[str, Any]) -> None:
    if found["state"] not in ("queued", "running", "paused"):
        raise ServerFailed(f"{run}, which was to train, is {found['state']}: {found['error']}")


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
