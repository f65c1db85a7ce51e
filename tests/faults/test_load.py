"""Two hundred clients predict while a run trains and twenty watch it."""

import asyncio
import json
from collections.abc import Iterator

import pytest
import torch

from app.core.model import Model
from app.services.model_library import ModelLibrary
from tests.faults.faultless import faultless
from tests.faults.raw_clients import Question, ask_of, connect, get, launch, wait_for_epoch, watch

CLIENTS, WATCHERS, PICTURES = 200, 20, 50
EPOCHS = 3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with faultless(tmp_path_factory.mktemp("load")) as (address, _):
        yield address


@pytest.fixture(scope="module")
def models() -> list[Model]:
    library = ModelLibrary(torch.device("cpu"))
    return [library.get("digits"), library.get("convnet-revisited")]


async def test_all_are_right_and_all_see_everything(server: str, models: list[Model]) -> None:
    questions = [ask_of(model, seed) for model in models for seed in range(PICTURES // 2)]
    run = await launch(server, EPOCHS)
    told: list[list[tuple[int, str]]] = [[] for _ in range(WATCHERS)]
    path = f"/api/v1/runs/{run}/events"
    watching = asyncio.gather(*(watch(server, path, events) for events in told[: WATCHERS // 2]))
    predicting = [predict(server, questions, start, watching) for start in range(CLIENTS)]
    load = asyncio.gather(*predicting)
    await wait_for_epoch(server, run, 1)
    # Half of them come late, and read what they missed.
    await asyncio.gather(*(watch(server, path, events) for events in told[WATCHERS // 2 :]))
    await watching
    answered = await load
    assert all(answered), "somebody was never answered"
    assert all(right for outcomes in answered for right in outcomes), "nobody is refused by default"
    await check_history(server, run, told)


async def predict(
    address: str, questions: list[Question], start: int, until: "asyncio.Future[list[None]]"
) -> list[bool]:
    """Ask one question after the other while the watchers watch; returns which were answered
    rightly, and not refused."""
    outcomes: list[bool] = []
    async with connect(address) as connection:
        while not (until.done() and outcomes):
            question = questions[(start + len(outcomes)) % len(questions)]
            outcomes.append(question.check(await connection.ask(question.request)))
    return outcomes


async def check_history(address: str, run: str, told: list[list[tuple[int, str]]]) -> None:
    ended = (await get(address, f"/api/v1/runs/{run}")).json
    assert (ended["state"], ended["epoch"]) == ("finished", EPOCHS)
    first = told[0]
    assert [number for number, _ in first] == list(range(1, len(first) + 1))
    assert first[-1][1] == "finished"
    assert [kind for _, kind in first].count("epoch") == EPOCHS
    assert all(events == first for events in told)
    snapshots = json.loads((await get(address, f"/api/v1/runs/{run}/snapshots")).body)
    assert snapshots[-1]["epoch"] == EPOCHS
