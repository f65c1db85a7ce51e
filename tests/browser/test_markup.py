"""Names with markup in them, wherever a person may give one: they are shown, letter for letter."""

import io
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Page

from tests.browser.conftest import OpenPage
from tests.browser.drawing import draw_seven

PATIENCE = 90
MARK = "\"><img src=x onerror='owned=1'>&amp;"
CLASSES = [f"{letter} {MARK}" for letter in "abcdefghij"]
RECIPE = {
    "network": "simple-cnn",
    "dataset": "marked",
    "epochs": 1,
    "batch_size": 4,
    "validation_share": 0.5,
}


@dataclass(frozen=True)
class Marked:
    """A run and a sweep whose names are markup, as are the classes of their data set."""

    run: str
    sweep: str


def pictures() -> bytes:
    """A zip of as many classes as the networks tell apart."""
    picture = io.BytesIO()
    Image.new("L", (28, 28), 90).save(picture, "PNG")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for label in CLASSES:
            for part in ("train", "test"):
                for number in range(4):
                    archive.writestr(f"{part}/{label}/{number}.png", picture.getvalue())
    return file.getvalue()


@pytest.fixture(scope="module")
def marked(server: str) -> Iterator[Marked]:
    with httpx.Client(base_url=f"{server}/api/v1", timeout=60) as api:
        files = {"file": ("marked.zip", pictures())}
        api.post("/datasets", files=files, data={"name": "marked"}).raise_for_status()
        run = api.post("/runs", params={"name": MARK}, json=RECIPE).json()["id"]
        plan = {"recipe": RECIPE, "search": "grid", "fields": {"seed": [1, 2]}}
        sweep = api.post("/sweeps", params={"name": MARK}, json=plan).json()["id"]
        for one in api.get("/runs").json():
            # Other tests' runs are on this server, too.
            if one["id"] == run or one["sweep"] == sweep:
                wait_until_finished(api, one["id"])
        api.post(f"/runs/{run}/model", json={"name": "marked"}).raise_for_status()
        yield Marked(run, sweep)
        for kept in (f"/runs/{run}", f"/sweeps/{sweep}", "/models/marked"):
            api.delete(kept).raise_for_status()


def wait_until_finished(api: httpx.Client, run: str) -> None:
    for _ in range(10 * PATIENCE):
        if api.get(f"/runs/{run}").json()["state"] == "finished":
            return
        time.sleep(0.1)
    raise TimeoutError(f"the run {run} didn't finish")


def check(page: Page, *shown: str) -> None:
    """Nothing of a name has become an element, and each text is there as it was given."""
    for text in shown:
        page.wait_for_function("text => document.body.textContent.includes(text)", arg=text)
    assert page.locator("img[src='x'], [onerror]").count() == 0
    assert page.evaluate("window.owned") is None


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/runs", [MARK]),
        ("/runs?compare={run}", [MARK]),
        ("/runs?like={run}", [MARK]),
        ("/runs/{run}", [MARK, *CLASSES]),
        ("/sweeps", [MARK]),
        ("/sweeps/{sweep}", [MARK]),
        ("/models/marked", []),
        ("/models/{run}@1", [MARK]),
        ("/augment?model={run}@1", []),
        ("/?model=marked", CLASSES),
        ("/?model={run}@1", [MARK, *CLASSES]),
    ],
)
def test_names_are_shown_as_they_are(
    open_page: OpenPage, marked: Marked, path: str, shown: list[str]
) -> None:
    page = open_page(path.format(run=marked.run, sweep=marked.sweep)).page
    page.wait_for_load_state("networkidle" if path.startswith(("/models", "/augment")) else "load")
    check(page, *shown)


def test_a_prediction_and_its_arithmetic_name_the_classes(
    open_page: OpenPage, marked: Marked
) -> None:
    page = open_page("/?model=marked").page
    page.wait_for_selector("html[data-ready]")
    draw_seven(page)
    page.wait_for_selector("probability-bars:not([data-empty])")
    assert page.locator(".answer-label").inner_text() in CLASSES
    page.locator("probability-bars li button").first.click()
    page.wait_for_selector("unit-card:not([hidden])")
    check(page, *CLASSES)


def test_questions_and_forms_name_a_run(open_page: OpenPage, marked: Marked) -> None:
    page = open_page("/runs").page
    line = page.locator(f"#run-{marked.run}")
    line.get_by_role("button", name="Delete").click()
    assert page.locator("#delete [data-name]").inner_text() == MARK
    page.keyboard.press("Escape")
    line.get_by_role("button", name="Rename").click()
    assert page.locator("#rename [name=name]").input_value() == MARK
    check(page, MARK)


def test_a_refusal_repeats_a_name_as_text(open_page: OpenPage) -> None:
    for path in (f"/models/{MARK}", f"/?model={MARK}", f"/runs/{MARK}", f"/{MARK}"):
        page = open_page(path.replace("&", "%26"), refused=404).page
        check(page, "<img src=x onerror=")
