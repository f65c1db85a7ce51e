"""No name leads out of the folders that the server keeps its files in, and none becomes markup."""

import hashlib
import http.client
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest

from app.core.checkpoints import read_card
from app.core.dataset_files import DatasetFolders
from app.core.images import read_picture
from app.core.importing import import_dataset
from app.services.image_store import identify
from models.registry import WEIGHTS
from tests.conftest import start_server, stop, wait_until_up
from tests.core.test_importing import files
from tests.web import samples
from tests.web.test_runs import SHORT, launch, watch

PNG = samples.encode(samples.draw_seven())
MARK = "<img src=x onerror=alert(1)>"
EDIT = {"layer": "conv1", "channel": 0, "off": True}
EDITS = json.dumps({"model": "digits", "edits": [EDIT]}).encode()
# As the server makes them.
IMAGE = identify(read_picture(PNG, 1_000_000))
HASH = hashlib.sha256(EDITS).hexdigest()[:12]


@dataclass(frozen=True)
class Baited:
    """A server whose data folder lies among files such as it keeps itself."""

    api: httpx.Client
    data: Path

    def get(self, target: str, method: str = "GET") -> tuple[int, bytes]:
        """Status and content of an answer to a target that is sent letter for letter."""
        place = urlsplit(str(self.api.base_url))
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
        connection.request(method, target)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content

    def files(self) -> dict[str, int]:
        """Every file and its size, but for the database and what is written beside the server."""
        return {
            str(path.relative_to(self.data.parent)): path.stat().st_size
            for path in sorted(self.data.parent.rglob("*"))
            if path.is_file() and not path.name.startswith("runs.sqlite")
        }


@pytest.fixture(scope="module")
def baited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Baited]:
    data = tmp_path_factory.mktemp("baited") / "data"
    (data / "models").mkdir(parents=True)
    for folder in (data, data.parent):
        lay_bait(folder)
    card = replace(read_card(WEIGHTS / "simple-cnn.json"), title=MARK, description=MARK)
    (data / "models" / f"{MARK}.json").write_text(card.to_json())
    shutil.copy(WEIGHTS / "simple-cnn.safetensors", data / "models")
    process, address = start_server(data)
    wait_until_up(address, process)
    with httpx.Client(base_url=address, timeout=60) as api:
        yield Baited(api, data)
    stop(process)


def lay_bait(folder: Path) -> None:
    """A model, its edits, a picture and a data set, each as the server itself would keep it."""
    shutil.copy(WEIGHTS / "simple-cnn.json", folder / "bait.json")
    shutil.copy(WEIGHTS / "simple-cnn.safetensors", folder)
    (folder / f"digits~{HASH}.json").write_bytes(EDITS)
    (folder / f"{IMAGE}.png").write_bytes(PNG)
    with zipfile.ZipFile(archive := io.BytesIO(), "w") as packed:
        for name, content in files().items():
            packed.writestr(name, content)
    import_dataset(archive, "bait", DatasetFolders(folder, folder))


# How a path is hidden in a name.
WAYS = [
    "../{}",
    "..%2F{}",
    "%2e%2e%2f{}",
    "%2E%2E/{}",
    "..%5C{}",
    "..%252F{}",
    "....//{}",
    ".%00./{}",
    "../{}%00",
    "..%c0%af{}",
    "%2F..%2F..%2F{}",
    "../../{}",
    "..%2F..%2F{}",
    "{data}%2F{}",
    "{data}/{}",
    "file:%2F%2F{data}%2F{}",
    "~%2F{}",
]
PLACES = [
    ("/api/v1/models/{}", "bait"),
    ("/api/v1/models/{}/layers/conv1/filters.png", "bait"),
    ("/api/v1/models/{}/edits", "bait"),
    ("/api/v1/models/{}/evaluation", "bait"),
    ("/models/{}", "bait"),
    ("/?model={}", "bait"),
    ("/augment?model={}", "bait"),
    ("/api/v1/models/{}", f"digits~{HASH}"),
    ("/api/v1/models/digits~{}", HASH),
    ("/api/v1/models/{}", "bait@1"),
    ("/api/v1/models/digits/layers/conv1/activations.png?image={}", IMAGE),
    ("/api/v1/images/{}", IMAGE),
    ("/api/v1/runs/{}", "bait"),
    ("/api/v1/runs/{}/events", "bait"),
    ("/api/v1/runs/{}/snapshots", "bait"),
    ("/api/v1/runs/{}/snapshots/1.safetensors", "bait"),
    ("/api/v1/sweeps/{}", "bait"),
    ("/runs/{}", "bait"),
    ("/sweeps/{}", "bait"),
    ("/static/{}", "bait.json"),
]


@pytest.mark.parametrize("way", WAYS)
def test_no_path_leads_to_what_lies_elsewhere(baited: Baited, way: str) -> None:
    before = baited.files()
    for place, name in PLACES:
        for data in (baited.data, baited.data.parent):
            target = place.format(way.format(name, data=data))
            status, content = baited.get(target)
            assert status in (400, 404), target
            assert b"Simple CNN" not in content
            assert not content.startswith(b"\x89PNG")
    for method, place in (
        ("DELETE", "/api/v1/models/{}"),
        ("PUT", "/api/v1/models/{}/default"),
        ("DELETE", "/api/v1/runs/{}"),
        ("DELETE", "/api/v1/sweeps/{}"),
    ):
        status, _ = baited.get(place.format(way.format("bait", data=baited.data)), method)
        assert status in (404, 405)
    assert baited.files() == before


def test_the_bait_is_good(baited: Baited) -> None:
    """Where the server looks for them, the very files are found: the tests above can fail."""
    for name, folder in (
        ("bait.json", "models"),
        (f"digits~{HASH}.json", "edits"),
        (f"{IMAGE}.png", "images"),
        ("bait.safetensors", "datasets"),
    ):
        (baited.data / folder).mkdir(exist_ok=True)
        shutil.copy(baited.data / name, baited.data / folder)
    api = baited.api
    assert api.get("/api/v1/models/bait").json()["title"] == "Simple CNN"
    assert api.get(f"/api/v1/models/digits~{HASH}/edits").json()["edits"] == [EDIT]
    assert api.get(f"/api/v1/images/{IMAGE}").content == PNG
    assert "bait" in {one["name"] for one in api.get("/api/v1/datasets").json()}
    for name, folder in (
        ("bait.json", "models"),
        (f"digits~{HASH}.json", "edits"),
        (f"{IMAGE}.png", "images"),
        ("bait.safetensors", "datasets"),
    ):
        (baited.data / folder / name).unlink()


NAMES = [
    "../bait",
    "..",
    ".",
    "",
    "/tmp/bait",
    "a/b",
    "a\\b",
    "a\0",
    "a\n",
    " a",
    "-a",
    "A",
    "ä",
    "a~b",
    "a@1",
    "a.json",
    "a" * 300,
    MARK,
]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_new_is_called_so(baited: Baited, trained: str, name: str) -> None:
    api, before = baited.api, baited.files()
    file = {"file": ("../../evil.zip", b"")}
    made = api.post("/api/v1/models/digits/edits", json={"edits": [EDIT]}).json()["model"]
    refusals = [
        api.post("/api/v1/datasets", files=file, data={"name": name}),
        api.post("/api/v1/runs", json=SHORT | {"dataset": name}),
        api.post("/api/v1/runs", json=SHORT | {"network": name}),
        api.post(f"/api/v1/runs/{trained}/model", json={"name": name}),
        api.post(f"/api/v1/models/{made}/keep", json={"name": name}),
    ]
    assert [answer.status_code for answer in refusals] == [422] * len(refusals)
    kept = {path for path in baited.files() if "edits" not in path}
    assert kept == {path for path in before if "edits" not in path}


@pytest.fixture(scope="module")
def trained(baited: Baited) -> str:
    run = launch(baited.api, SHORT | {"epochs": 1})
    assert [kind for _, kind, _ in watch(baited.api, run)][-1] == "finished"
    return run


def test_a_files_own_name_is_of_no_account(baited: Baited) -> None:
    """A picture is kept under an id that is made of its pixels."""
    before = baited.files()
    for name in ("../../evil.png", "/tmp/evil.png", "evil\0.png", MARK):
        answer = baited.api.post("/api/v1/images", files={"image": (name, PNG, "image/png")})
        new = set(baited.files().keys() - before.keys())
        assert new <= {f"data/images/{answer.json()['id']}.png"}


class Elements(HTMLParser):
    """The pictures and the handlers of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if named.get("src") == "x" or any(name.startswith("on") for name in named):
            self.found.append(self.get_starttag_text() or tag)


@pytest.mark.parametrize(
    "path", ["/models", "/models/{}", "/?model={}", "/augment?model={}", "/runs", "/sweeps"]
)
def test_a_model_called_by_markup_is_shown_as_text(baited: Baited, path: str) -> None:
    page = baited.api.get(path.format(quote(MARK)), headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert Elements(page.text).found == []
    assert "&lt;img src=x onerror=alert(1)&gt;" in page.text or "/runs" in path or "/sw" in path
    assert Elements(f"<p>{MARK}</p>").found == [MARK]


@pytest.mark.parametrize("path", ["/models/x{}", "/?model=x{}", "/runs/{}", "/sweeps/{}", "/{}"])
def test_a_refusal_repeats_markup_as_text(baited: Baited, path: str) -> None:
    target = path.format(quote(MARK))
    page = baited.api.get(target, headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert Elements(page.text).found == []
    problem = baited.api.get(target)
    assert problem.headers["content-type"] == "application/problem+json"
