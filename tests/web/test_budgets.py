"""Small requests that ask for much: refused or served, in memory that is known beforehand."""

import fcntl
import io
import json
import os
import sqlite3
import struct
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import httpx
import pytest
from PIL import Image

from app.core.recipes import Recipe
from app.web.limits import MOST_WORDS
from app.web.pictures import MOST_VALUES
from tests.conftest import start_server, stop, wait_until_up
from tests.web.samples import draw_seven, encode

MEGABYTE = 1024 * 1024
# Beside what it holds, a request may take this; a body of 50 MB is held up to three times.
ROOM = 700 * MEGABYTE
JSON = {"Content-Type": "application/json"}
EDITS = "/api/v1/models/digits/edits"


@dataclass(frozen=True)
class Watched:
    """A server, its data folder, and how much memory it has taken."""

    process: subprocess.Popen[bytes]
    client: httpx.Client
    data: Path

    def resident(self) -> int:
        return self._read("VmRSS")

    def forget_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak(self) -> int:
        return self._read("VmHWM")

    def _read(self, name: str) -> int:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("budgets")
    process, address = start_server(folder)
    wait_until_up(address, process)
    with httpx.Client(base_url=address, timeout=120) as client:
        yield Watched(process, client, folder)
    stop(process)


def check(watched: Watched, ask: Callable[[], httpx.Response], room: int = ROOM) -> httpx.Response:
    """What is answered, for which no more memory was taken than there is room."""
    before = watched.resident()
    watched.forget_peak()
    answer = ask()
    assert watched.peak() - before < room
    assert answer.status_code < 500
    assert len(answer.content) < 10 * MEGABYTE
    assert watched.client.get("/healthz").status_code == 200
    return answer


def refused(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    detail = str(answer.json()["detail"])
    assert len(detail) < 10_000
    return detail


@pytest.mark.parametrize(
    "body",
    [
        b'{"pixels":[' + b"[]," * 16_000_000 + b"[]]}",
        b'{"pixels":[[' + b"1.5," * 12_000_000 + b"1]]}",
        b'{"batch":[' + b"{}," * 16_000_000 + b"{}]}",
    ],
    ids=["lists", "numbers", "objects"],
)
def test_json_of_many_values(watched: Watched, body: bytes) -> None:
    answer = check(
        watched, lambda: watched.client.post("/api/v1/predict", content=body, headers=JSON)
    )
    assert "raw grey bytes" in refused(answer, 413)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"batch":[' + b"{}," * 2_000_000 + b"{}]}", 413),
        (b'{"image":"' + b"AA " * 17_000_000 + b'"}', 422),
    ],
    ids=["objects", "spaces"],
)
def test_json_of_little_that_would_become_much(watched: Watched, body: bytes, status: int) -> None:
    answer = check(
        watched,
        lambda: watched.client.post("/api/v1/predict", content=body, headers=JSON),
        room=6 * len(body),
    )
    refused(answer, status)


def test_json_of_just_so_many_is_read(watched: Watched) -> None:
    row = b"[" + b"0," * 1023 + b"255],"
    rows = (MOST_VALUES - 10) // 1025
    body = b'{"pixels":[' + (row * rows)[:-1] + b"]}"
    answer = check(
        watched, lambda: watched.client.post("/api/v1/predict", content=body, headers=JSON)
    )
    assert answer.status_code == 200


NESTED = {
    "open": b"[" * 900_000,
    "closed": b"[" * 400_000 + b"]" * 400_000,
    "objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "digits": b'{"seed":' + b"1" * 900_000 + b"}",
    "4000 digits": b'{"seed":' + b"1" * 4000 + b"}",
    "endless": b'{"learning_rate": 1e999999}',
    "keys": b"{" + b",".join(b'"%x":0' % number for number in range(90_000)) + b"}",
    "one key": b'{"' + b"k" * 900_000 + b'":0}',
    "text": b'"' + b"x" * 900_000 + b'"',
}


@pytest.mark.parametrize("path", [EDITS, "/api/v1/runs", "/api/v1/sweeps", "/api/v1/predict"])
@pytest.mark.parametrize("kind", list(NESTED))
def test_json_of_strange_values(watched: Watched, path: str, kind: str) -> None:
    answer = check(
        watched,
        lambda: watched.client.post(path, content=NESTED[kind], headers=JSON),
        room=200 * MEGABYTE,
    )
    assert answer.status_code in (400, 422)
    assert len(answer.content) < 20_000


@pytest.mark.parametrize(
    "path", [EDITS, "/api/v1/runs", "/api/v1/sweeps", "/api/v1/models/digits/keep"]
)
def test_words_are_read_up_to_a_megabyte(watched: Watched, path: str) -> None:
    body = b"[" + b" " * MOST_WORDS
    answer = check(watched, lambda: watched.client.post(path, content=body, headers=JSON))
    assert "larger than 1 MB" in refused(answer, 413)
    assert watched.client.post(path, content=body[:-1], headers=JSON).status_code in (400, 422)


@pytest.mark.parametrize(
    "extra",
    [
        {"augmentation": ["blur"] * 21},
        {"augmentation": [{"name": "crop", "padding": 10**9}]},
        {"augmentation": [{"name": "blur", "sigma": 1e300}]},
        {"network": "vgg11", "batch_size": 65_536},
        {"resources": {"cpus": 10**9}},
        {"epochs": 10**9},
    ],
)
def test_a_recipe_that_asks_for_much(watched: Watched, extra: dict[str, object]) -> None:
    recipe = {"network": "digits", "dataset": "optdigits", **extra}
    answer = check(watched, lambda: watched.client.post("/api/v1/runs", json=recipe))
    refused(answer, 422)


def test_a_sweep_of_many(watched: Watched) -> None:
    fields = {key: list(range(1, 1000)) for key in ("epochs", "batch_size", "seed")}
    recipe = {"network": "digits", "dataset": "optdigits"}
    plan = {"recipe": recipe, "search": "grid", "fields": fields}
    answer = check(watched, lambda: watched.client.post("/api/v1/sweeps", json=plan))
    refused(answer, 422)


def test_many_pictures_for_the_largest_network(watched: Watched) -> None:
    files = [("image", encode(draw_seven()))] * 64
    path = "/api/v1/predict?model=vgg11&top=1"
    one = watched.client.post(path, files=files[:1]).json()
    answer = check(watched, lambda: watched.client.post(path, files=files))
    predictions = answer.json()["predictions"]
    assert len(predictions) == 64
    assert {each["label"] for each in predictions} == {one["label"]}


def test_a_large_picture_of_many_small_maps(watched: Watched) -> None:
    image = watched.client.post("/api/v1/images", files={"image": encode(draw_seven())}).json()[
        "id"
    ]
    for path in (
        "/api/v1/models/resnet18/layers/layer4.1.conv2/filters.png?zoom=16",
        "/api/v1/models/resnet18/layers/layer2.0.downsample.0/filters.png?zoom=16",
        "/api/v1/models/vgg11/layers/classifier.3/filters.png?zoom=16",
        "/api/v1/models/vgg11/layers/classifier.0/filters.npy",
        f"/api/v1/models/vgg11/layers/features.0/activations.png?zoom=16&image={image}",
        f"/api/v1/augmentations/preview.png?model=vgg11&zoom=8&image={image}",
    ):
        answer = check(watched, partial(watched.client.get, path))
        assert answer.status_code in (200, 404, 422), path


def all_at_once(watched: Watched, path: str, count: int) -> tuple[list[tuple[int, int]], int]:
    """Status and length of as many answers, each read to its end, and the memory that they took."""

    def ask() -> tuple[int, int]:
        with watched.client.stream("GET", path) as answer:
            return answer.status_code, sum(map(len, answer.iter_bytes()))

    before = watched.resident()
    watched.forget_peak()
    with ThreadPoolExecutor(count) as pool:
        answers = [future.result() for future in [pool.submit(ask) for _ in range(count)]]
    assert watched.client.get("/healthz").status_code == 200
    return answers, watched.peak() - before


def test_large_weights_are_drawn_in_little_more_than_their_picture(watched: Watched) -> None:
    layer = "/api/v1/models/alexnet/layers/classifier.1"
    watched.client.get(f"{layer}/filters.npy?first=1").raise_for_status()
    answers, taken = all_at_once(watched, f"{layer}/filters.png", 2)
    assert {status for status, _ in answers} == {200}
    assert taken < 10 * 4096 * 9216


def keep_large_snapshot(watched: Watched, run: str, size: int) -> None:
    with closing(sqlite3.connect(watched.data / "runs.sqlite", timeout=60)) as database, database:
        recipe = json.dumps(Recipe("alexnet", "optdigits").to_dict())
        database.execute(
            "INSERT INTO runs (id, name, recipe, state, created_at) VALUES (?, ?, ?, ?, ?)",
            (run, "large", recipe, "finished", "2026-11-28T00:00:00.000+00:00"),
        )
        database.execute("INSERT INTO snapshots VALUES (?, 0, zeroblob(?))", (run, size))


def test_of_snapshots_no_more_are_held_than_there_is_room_for(watched: Watched) -> None:
    size, run = 120 * MEGABYTE, "aaaaaaaaaaaa"
    keep_large_snapshot(watched, run, size)
    answers, taken = all_at_once(watched, f"/api/v1/runs/{run}/snapshots/0.safetensors", 12)
    whole = [length for status, length in answers if status == 200]
    assert {status for status, _ in answers} <= {200, 503}
    assert len(whole) >= 4
    assert set(whole) == {size}
    assert taken < 5 * size  # There is room for four.
    watched.client.delete(f"/api/v1/runs/{run}").raise_for_status()


def test_a_snapshot_that_is_read_slowly_lets_the_log_of_the_database_be_emptied(
    watched: Watched,
) -> None:
    size, run = 60 * MEGABYTE, "bbbbbbbbbbbb"
    keep_large_snapshot(watched, run, size)
    log = watched.data / "runs.sqlite-wal"
    with watched.client.stream("GET", f"/api/v1/runs/{run}/snapshots/0.safetensors") as answer:
        pieces = answer.iter_bytes()
        begun = len(next(pieces))
        watched.client.patch(f"/api/v1/runs/{run}?name=other").raise_for_status()
        assert log.stat().st_size > 0
        with closing(sqlite3.connect(watched.data / "runs.sqlite", timeout=2)) as database:
            (busy, _, _) = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert not busy
        assert log.stat().st_size == 0
        assert begun + sum(map(len, pieces)) == size
    watched.client.delete(f"/api/v1/runs/{run}").raise_for_status()


def zip_of(pictures: int, side: int) -> bytes:
    picture = encode(Image.new("RGB", (side, side)))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(pictures):
            part, label = ("train", "test")[number % 2], "ab"[number // 2 % 2]
            archive.writestr(f"{part}/{label}/{number}.png", picture)
    return file.getvalue()


def test_a_small_zip_of_a_large_data_set(watched: Watched) -> None:
    """Six thousand pictures of one colour: 6 MB that would become 4.7 GB."""
    content = zip_of(6000, 512)
    assert len(content) < 10 * MEGABYTE
    answer = check(watched, lambda: send(watched, "large", content))
    assert "GB, more than" in refused(answer, 422)


def test_a_data_set_is_in_memory_twice_at_most(watched: Watched) -> None:
    size = 400 * 3 * 512 * 512
    answer = check(watched, lambda: send(watched, "fits", zip_of(400, 512)), 2 * size + ROOM // 4)
    assert answer.status_code == 201


def test_data_sets_are_imported_one_at_a_time(watched: Watched) -> None:
    content = zip_of(8, 8)
    with ThreadPoolExecutor(3) as pool:
        with nothing_can_be_written(watched.data / "datasets"):
            names = {pool.submit(send, watched, name, content): name for name in ("a", "b", "c")}
            # One of them waits to be written, and can't be answered before it is.
            answered = list(islice(as_completed(names, timeout=60), 2))
            for future in answered:
                answer = future.result()
                assert "being imported" in refused(answer, 429)
                assert int(answer.headers["Retry-After"]) > 0
            (first,) = names.keys() - answered
            assert not first.done()
            listed = {each["name"] for each in watched.client.get("/api/v1/datasets").json()}
            assert listed.isdisjoint(names.values())
        assert first.result(timeout=60).status_code == 201
    for future in answered:
        assert send(watched, names[future], content).status_code == 201


@contextmanager
def nothing_can_be_written(folder: Path) -> Iterator[None]:
    """Who writes a data set there shares a lock on the folder, which is held so long."""
    folder.mkdir(exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def test_a_zip_that_lists_more_than_it_holds(watched: Watched) -> None:
    line = b"PK\x01\x02" + bytes(24) + b"\6\0" + bytes(16)
    listed = b"".join(line + b"%06x" % number for number in range(900_000))
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(listed), 0, 0)
    answer = check(watched, lambda: send(watched, "listed", listed + end), ROOM // 2)
    assert "lists more than" in refused(answer, 422)


def send(watched: Watched, name: str, content: bytes) -> httpx.Response:
    files = {"file": ("a.zip", content)}
    return watched.client.post("/api/v1/datasets", files=files, data={"name": name})
