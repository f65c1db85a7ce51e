"""Ten thousand requests of all kinds leave nothing behind."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.web.assets import ROOT
from tests.faults.faultless import faultless
from tests.faults.raw_clients import Connection, ask, compose, connect, get, launch
from tests.web import samples

REQUESTS, CLIENTS = 10_000, 16
PNG = samples.encode(samples.draw_seven())
# An allocator keeps pages for the next request, and each thread has an arena of its own: the same
# load again makes it grow ever less. A leak of 3 kB a request would be more than this.
KEPT_BYTES = 32 * 1024 * 1024
FORM = b'--x\r\nContent-Disposition: form-data; name="image"; filename="7"\r\n\r\n%s\r\n--x--\r\n'


@dataclass(frozen=True)
class Held:
    """What a process has."""

    descriptors: Counter[str]
    threads: int
    children: int
    resident: int

    @classmethod
    def by(cls, process: int) -> "Held":
        folder = Path(f"/proc/{process}")
        status = dict(
            line.split(":", 1)
            for line in (folder / "status").read_text().splitlines()
            if ":" in line
        )
        children = (folder / f"task/{process}/children").read_text().split()
        return cls(
            Counter(_target(one) for one in (folder / "fd").iterdir()),
            int(status["Threads"]),
            len(children),
            1024 * int(status["VmRSS"].split()[0]),
        )


def _target(descriptor: Path) -> str:
    """The path of a file; of a socket or a pipe only what it is."""
    try:
        return str(descriptor.readlink()).partition(":[")[0]
    except FileNotFoundError:  # Closed meanwhile.
        return ""


@dataclass(frozen=True)
class Kind:
    """A request and the statuses that it may be answered with; ``weight`` says how often it is
    sent. One that is ``left`` is never read to its end: its client vanishes instead."""

    name: str
    request: bytes
    statuses: tuple[int, ...] = (200,)
    weight: int = 1
    left: bool = False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    with faultless(tmp_path_factory.mktemp("leaks")) as served:
        yield served


async def test_ten_thousand_requests_leave_nothing(server: tuple[str, int]) -> None:
    address, process = server
    run = await launch(address, 2)
    while (await get(address, f"/api/v1/runs/{run}")).json["state"] != "finished":
        await asyncio.sleep(0.2)
    async with connect(address) as connection:
        image = (await connection.ask(compose("POST", "/api/v1/images", PNG, "image/png"))).json[
            "id"
        ]
    kinds = [*predictions(), *readings(run, image), *faults(), *departures(run)]
    # All threads that there may be, and everything that is kept once it was asked for.
    await asyncio.gather(*(ask(address, "GET", f"/api/v1/images/{image}") for _ in range(64)))
    await send_all(address, kinds, REQUESTS // 3)
    before = await settled(process)
    counts = await send_all(address, kinds, REQUESTS)
    after = await settled(process)
    assert sum(counts.values()) >= REQUESTS
    assert set(counts) == {kind.name for kind in kinds}
    # SQLite keeps the descriptor of a closed reader for the next one, while the writer is open: so
    # many as ever read at once, the two of the writer and the feed beside the clients.
    assert database_of(after) <= CLIENTS + 2
    database_of(before)
    assert after.descriptors <= before.descriptors
    # A pool's idle threads end when others of it have work, so that as many as ask at once may come
    # and go; one that is left for each request of any kind would be hundreds.
    assert after.threads <= before.threads + CLIENTS
    assert after.children == before.children
    assert after.resident - before.resident < KEPT_BYTES, (before, after)


def predictions() -> list[Kind]:
    url = samples.data_url(PNG)
    pixels = samples.exact_pixels().tolist()

    def predict(name: str, body: bytes, kind: str, weight: int = 4) -> Kind:
        return Kind(name, compose("POST", "/api/v1/predict", body, kind), weight=weight)

    def of(content: object) -> bytes:
        return json.dumps(content).encode()

    return [
        predict("png", PNG, "image/png"),
        predict("form", FORM % PNG, "multipart/form-data; boundary=x"),
        predict("base64", of({"image": url}), "application/json"),
        predict("pixels", of({"pixels": pixels}), "application/json"),
        predict("raw", bytes(range(256)) * 4, "application/octet-stream"),
        predict("batch", of({"batch": [{"pixels": pixels}] * 16}), "application/json", weight=1),
        Kind("trace", compose("POST", "/api/v1/trace?steps=true", PNG, "image/png"), weight=2),
        Kind("keep", compose("POST", "/api/v1/images", PNG, "image/png"), (201,)),
    ]


def readings(run: str, image: str) -> list[Kind]:
    digits, conv = "/api/v1/models/digits", "/api/v1/models/digits/layers/conv1"
    paths = {
        "home": "/",
        "models page": "/models",
        "model page": "/models/digits",
        "runs page": "/runs",
        "run page": f"/runs/{run}",
        "health": "/healthz",
        "model": digits,
        "evaluation": f"{digits}/evaluation",
        "maps": f"{conv}/activations.png?image={image}",
        "array": f"{conv}/activations.npy?image={image}",
        "filters": f"{conv}/filters.png?zoom=4",
        "unit": f"{conv}/units/1/5/5?image={image}",
        "field": f"{conv}/units/1/5/5/effective_field.png?image={image}",
        "image": f"/api/v1/images/{image}",
        "run": f"/api/v1/runs/{run}",
        "events": f"/api/v1/runs/{run}/events",
        "snapshot": f"/api/v1/runs/{run}/snapshots/2.safetensors",
        "static": f"{ROOT}/app.css",
    }
    return [Kind(name, compose("GET", path)) for name, path in paths.items()]


def faults() -> list[Kind]:
    foreign = compose("GET", "/").replace(b"localhost", b"evil.example")
    return [
        Kind("no picture", compose("POST", "/api/v1/predict", b"?", "image/png"), (422,)),
        Kind("no JSON", compose("POST", "/api/v1/trace", b"{", "application/json"), (422,)),
        Kind("no kind", compose("POST", "/api/v1/predict", b"?", "text/plain"), (415,)),
        Kind("no model", compose("GET", "/api/v1/models/none"), (404,)),
        Kind("no page", compose("GET", "/none", more="Accept: text/html\r\n"), (404,)),
        Kind("no recipe", compose("POST", "/api/v1/runs", b"{}", "application/json"), (422,)),
        Kind("bomb", compose("POST", "/api/v1/predict", samples.bomb(), "image/png"), (413,)),
        Kind("other name", foreign, (421,)),
    ]


def departures(run: str) -> list[Kind]:
    events = compose("GET", f"/api/v1/runs/{run}/events")
    predict = compose("POST", "/api/v1/predict", PNG, "image/png")
    return [
        Kind("leaves a stream", events, left=True),
        Kind("leaves an upload", predict[:-20], left=True),
        Kind("leaves before the answer", predict, left=True),
        Kind("leaves a header", predict[:30], left=True),
    ]


async def send_all(address: str, kinds: list[Kind], number: int) -> Counter[str]:
    """Send so many requests of all kinds; returns how many of each were answered as they should."""
    chance = random.Random(number)
    picked = chance.choices(kinds, [kind.weight for kind in kinds], k=number)
    counts: Counter[str] = Counter()
    queue = iter(picked)
    await asyncio.gather(*(one_client(address, queue, counts) for _ in range(CLIENTS)))
    return counts


async def one_client(address: str, queue: Iterator[Kind], counts: Counter[str]) -> None:
    """On one connection, and another after each one that was left."""
    while kind := next(queue, None):
        async with connect(address) as connection:
            while kind and await answered(connection, kind):
                counts[kind.name] += 1
                kind = next(queue, None)
            if kind:
                counts[kind.name] += 1


async def answered(connection: Connection, kind: Kind) -> bool:
    """Whether the connection is good for more."""
    if kind.left:
        connection.send(kind.request)
        await asyncio.sleep(0)
        return False
    answer = await connection.ask(kind.request)
    assert answer.status in kind.statuses, (kind.name, answer)
    return answer.headers.get("connection") != "close"


def database_of(held: Held) -> int:
    """Take the database's own descriptors away; returns how many they were."""
    paths = [path for path in held.descriptors if path.endswith("runs.sqlite")]
    return sum(held.descriptors.pop(path) for path in paths)


async def settled(process: int) -> Held:
    """What a server has when it has noticed that its clients are gone."""
    held = Held.by(process)
    for _ in range(10):
        await asyncio.sleep(0.5)
        held, last = Held.by(process), held
        if held == last:
            break
    return held
