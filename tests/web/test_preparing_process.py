"""A second process prepares where many ask at once: the same answers, and they outlive it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from app.benchmarks.strokes import make_strokes, paint
from tests.conftest import start_server, stop, wait_until_up
from tests.web import samples

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2,
    reason="There is a second process where there is a second core.",
)

CLIENTS = 16
PNG, GREY, JSON = "image/png", "application/octet-stream", "application/json"
PICTURES = [paint(stroke) for stroke in make_strokes(8)]


def rows_of(picture: Image.Image) -> bytes:
    return json.dumps({"pixels": np.asarray(picture).tolist()}).encode()


# Digits, whole pictures of colour, and what is refused.
BODIES = [
    *((PNG, samples.encode(picture)) for picture in PICTURES),
    *((PNG, samples.encode(picture.convert("RGBA"))) for picture in PICTURES),
    *((GREY, picture.tobytes()) for picture in PICTURES),
    *((JSON, rows_of(picture.resize((28, 28)))) for picture in PICTURES),
    (JSON, b'{"pixels": [[0, 1], [2]]}'),
    (JSON, b'{"pixels": [[0, 1e999]]}'),
    (JSON, b'{"pixels": [[0, 1], [2, 3]}'),
    (JSON, b'{"pixels": ' + b"[" * 100_000 + b"}"),
    (PNG, samples.encode(PICTURES[0].point([0] * 256))),
    (PNG, samples.encode(PICTURES[0])[:300]),
    (GREY, bytes(280 * 280)),
    (GREY, bytes(7)),
]
MODELS = ("digits", "cifar")

# A status, and what is said or the logits.
Answer = tuple[int, str | None, list[float] | None]


@dataclass
class Served:
    process: subprocess.Popen[bytes]
    address: str
    log: Path

    @property
    def child(self) -> int:
        """The process that prepares."""
        pid = self.process.pid
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(child)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    log = tmp_path / "log.txt"
    with log.open("wb") as output:
        process, address = start_server(tmp_path / "data", output.fileno())
    wait_until_up(address, process)
    yield Served(process, address, log)
    stop(process)


async def ask(client: httpx.AsyncClient, kind: str, body: bytes, model: str) -> Answer:
    answer = await client.post(
        "/api/v1/predict", content=body, params={"model": model}, headers={"Content-Type": kind}
    )
    content = answer.json()
    return answer.status_code, content.get("detail"), content.get("logits")


async def ask_alone(client: httpx.AsyncClient) -> list[Answer]:
    return [await ask(client, *body, model) for model in MODELS for body in BODIES]


async def ask_at_once(client: httpx.AsyncClient) -> list[Answer]:
    return await asyncio.gather(*(ask(client, *body, model) for model in MODELS for body in BODIES))


def connect(served: Served) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=CLIENTS)
    return httpx.AsyncClient(base_url=served.address, limits=limits, timeout=60)


def check(answers: list[Answer], expected: list[Answer]) -> None:
    for (status, detail, logits), (right_status, right_detail, right_logits) in zip(
        answers, expected, strict=True
    ):
        assert (status, detail) == (right_status, right_detail)
        assert logits == (right_logits and pytest.approx(right_logits, rel=1e-5, abs=1e-5))


def work_of(process: int) -> int:
    """The processor time that a process has taken, in ticks."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


async def test_it_answers_as_the_server_itself(served: Served) -> None:
    async with connect(served) as client:
        expected = await ask_alone(client)
        assert {status for status, *_ in expected} == {200, 422}
        before = work_of(served.child)
        for _ in range(4):
            check(await ask_at_once(client), expected)
        assert work_of(served.child) > before
    assert "Traceback" not in served.log.read_text()


async def test_when_it_is_killed_all_are_answered(served: Served) -> None:
    async with connect(served) as client:
        expected = await ask_alone(client)
        asked = [asyncio.create_task(ask_at_once(client)) for _ in range(4)]
        await asyncio.sleep(0.1)
        os.kill(served.child, signal.SIGKILL)
        for answers in await asyncio.gather(*asked):
            check(answers, expected)
        check(await ask_at_once(client), expected)
    words = served.log.read_text()
    assert words.count("The process that prepares pictures has ended.") == 1
    assert "Traceback" not in words


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_the_server(served: Served, number: signal.Signals) -> None:
    child = served.child
    served.process.send_signal(number)
    served.process.wait(timeout=20)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{child}").exists():
        assert time.monotonic() < deadline, "It goes on without the server."
        time.sleep(0.05)
