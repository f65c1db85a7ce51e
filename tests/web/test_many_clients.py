"""Many clients at once: each gets the answer to its own picture."""

import asyncio
import json

import httpx
import pytest
from safetensors.numpy import load

from tests.web import samples

MODELS = ["digits", "convnet-revisited"]
CLIENTS = 32


def right(api: httpx.Client) -> dict[tuple[int, str], list[float]]:
    """What each picture gives alone, by seed and model."""
    return {
        (seed, model): api.post(
            "/api/v1/predict",
            json={"pixels": samples.exact_pixels(seed).tolist()},
            params={"model": model},
        ).json()["logits"]
        for seed in range(CLIENTS)
        for model in MODELS
    }


async def test_each_gets_its_own_answer(api: httpx.Client, server: str) -> None:
    expected = right(api)
    limits = httpx.Limits(max_connections=2 * CLIENTS)
    async with httpx.AsyncClient(base_url=server, limits=limits, timeout=60) as client:

        async def predict(seed: int) -> None:
            for model in MODELS:
                body = {"pixels": samples.exact_pixels(seed).tolist()}
                answer = await client.post("/api/v1/predict", json=body, params={"model": model})
                assert answer.json()["model"] == model
                assert answer.json()["logits"] == near(expected[seed, model])

        async def trace(seed: int) -> None:
            for model in MODELS:
                body = {"pixels": samples.exact_pixels(seed).tolist()}
                answer = await client.post("/api/v1/trace", json=body, params={"model": model})
                assert load(answer.content)["fc1"].tolist() == near(expected[seed, model])

        seeds = range(CLIENTS)
        await asyncio.gather(*map(predict, seeds), *map(trace, seeds), bad(client))


async def bad(client: httpx.AsyncClient) -> None:
    for _ in range(8):
        answer = await client.post("/api/v1/predict", json={"pixels": [[0] * 28] * 28})
        assert answer.status_code == 422


async def test_those_who_go_away_do_not_disturb_the_others(api: httpx.Client, server: str) -> None:
    expected = right(api)
    async with httpx.AsyncClient(base_url=server, timeout=60) as client:

        async def predict(seed: int) -> httpx.Response:
            body = json.dumps({"pixels": samples.exact_pixels(seed).tolist()})
            headers = {"Content-Type": "application/json"}
            return await client.post("/api/v1/predict", content=body, headers=headers)

        tasks = [asyncio.create_task(predict(seed)) for seed in range(CLIENTS)]
        await asyncio.sleep(0.02)
        for task in tasks[::2]:
            task.cancel()
        for seed in range(1, CLIENTS, 2):
            assert (await tasks[seed]).json()["logits"] == near(expected[seed, "digits"])
        await asyncio.gather(*tasks, return_exceptions=True)


def near(logits: list[float]) -> object:
    return pytest.approx(logits, rel=1e-5, abs=1e-5)
