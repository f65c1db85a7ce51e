"""The time machine: a drawing goes through a run's snapshots, scrubbed, played and followed."""

from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from playwright.sync_api import Page, expect
from safetensors.numpy import load

from tests.browser.conftest import OpenPage
from tests.browser.drawing import draw_seven

PATIENCE = 90_000
RECIPE = {"network": "simple-cnn", "dataset": "optdigits", "epochs": 3, "batch_size": 64}


@pytest.fixture(scope="module")
def runs(server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server}/api/v1", timeout=90) as client:
        yield client
        for run in client.get("/runs").json():
            if run["state"] in ("queued", "running", "paused"):
                client.post(f"/runs/{run['id']}/cancel").raise_for_status()


def launch(runs: httpx.Client, recipe: dict[str, object]) -> str:
    return str(runs.post("/runs", json=recipe).raise_for_status().json()["id"])


@pytest.fixture(scope="module")
def finished(runs: httpx.Client) -> str:
    """A run that has ended."""
    run = launch(runs, RECIPE)
    with runs.stream("GET", f"/runs/{run}/events") as events:
        assert "event: finished" in list(events.iter_lines())
    return run


def ready(page: Page) -> None:
    page.wait_for_selector("html[data-ready]")


def shares(page: Page) -> list[float]:
    """The probabilities as the bars have them."""
    found: list[float] = page.locator("probability-bars .fill").evaluate_all(
        "rows => rows.map(row => Number(row.style.getPropertyValue('--share')))"
    )
    return found


def predicted(runs: httpx.Client, model: str, image: str) -> list[float]:
    picture = runs.get(f"/images/{image}").content
    headers = {"Content-Type": "image/png"}
    answer = runs.post("/predict", params={"model": model}, content=picture, headers=headers)
    return [one["probability"] for one in answer.raise_for_status().json()["probabilities"]]


def test_the_slider_takes_the_drawing_through_every_snapshot(
    open_page: OpenPage, runs: httpx.Client, finished: str
) -> None:
    page = open_page(f"/runs/{finished}").page
    page.get_by_role("link", name="Watch it learn").click()
    ready(page)
    image = draw_seven(page)
    snapshots = runs.get(f"/runs/{finished}/snapshots").json()
    assert [one["epoch"] for one in snapshots if one["epoch"] >= 1] == [1, 2, 3]
    assert snapshots[0]["epoch"] == 0
    assert len([one for one in snapshots if 0 < one["epoch"] < 1]) == 4
    slider = page.get_by_role("slider", name="Snapshot")
    expect(slider).to_have_value(str(len(snapshots) - 1))
    slider.focus()
    page.keyboard.press("Home")
    for place, snapshot in enumerate(snapshots):
        expect(slider).to_have_value(str(place))
        page.wait_for_function(
            "name => location.href.includes(encodeURIComponent(name))", arg=snapshot["model"]
        )
        expected = predicted(runs, snapshot["model"], image)
        page.wait_for_function(
            """expected => {
              const rows = [...document.querySelectorAll("probability-bars .fill")];
              const shares = rows.map(row => Number(row.style.getPropertyValue("--share")));
              return shares.every((share, place) => Math.abs(share - expected[place]) < 1e-5);
            }""",
            arg=expected,
        )
        cells = page.locator("confusion-matrix tbody td:not(.number)").all_inner_texts()
        counts = page.locator("confusion-matrix tbody td:not(.number)").evaluate_all(
            "cells => cells.map(cell => Number(cell.textContent))"
        )
        assert len(cells) == 100
        assert counts == [count for row in snapshot["confusion"] for count in row]
        page.keyboard.press("ArrowRight")
    assert np.argmax(shares(page)) == 7


def test_the_filters_are_those_of_the_snapshot(
    open_page: OpenPage, runs: httpx.Client, finished: str
) -> None:
    read: list[float] = []
    for epoch in (0, 3):
        page = open_page(f"/?model={finished}@{epoch}").page
        ready(page)
        expect(page.locator(".time-filters")).to_have_text("conv1: all 8 filters, one kernel each")
        canvas = page.get_by_label("The filters at this point")
        canvas.focus()
        page.keyboard.press("ArrowRight")
        title = page.locator("time-machine .grid-tools b").get_attribute("title")
        content = runs.get(f"/runs/{finished}/snapshots/{epoch}.safetensors").content
        assert float(str(title)) == pytest.approx(
            load(content)["conv1.weight"][0, 0, 0, 0], rel=1e-6
        )
        read.append(float(str(title)))
    assert read[0] != read[1]


def test_playing_goes_from_the_first_to_the_last_and_stops(
    open_page: OpenPage, finished: str
) -> None:
    page = open_page(f"/?model={finished}@3").page
    ready(page)
    page.keyboard.press("3")
    page.get_by_label("Snapshots a second").select_option("8")
    page.evaluate(
        """() => {
          window.seen = [];
          addEventListener("scrub", ({ detail }) => window.seen.push(detail.epoch));
        }"""
    )
    button = page.locator("#play")
    button.click()
    expect(button).to_have_text("Pause")
    expect(button).to_have_text("Play", timeout=PATIENCE)
    seen = page.evaluate("window.seen")
    assert len(seen) == 8
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0, 3)
    expect(page.locator(".time-place")).to_have_text("Epoch 3 of 3")


def test_a_page_at_the_newest_snapshot_goes_on_with_the_run(
    open_page: OpenPage, runs: httpx.Client
) -> None:
    run = launch(runs, {**RECIPE, "epochs": 5000})
    with runs.stream("GET", f"/runs/{run}/events") as events:
        next(line for line in events.iter_lines() if line == "event: snapshot")
    page = open_page(f"/?model={run}@0").page
    ready(page)
    page.keyboard.press("7")
    slider = page.get_by_role("slider", name="Snapshot")
    page.keyboard.press("End")
    slider.focus()
    page.keyboard.press("End")
    page.wait_for_function(
        "() => Number(/@([0-9.]+)/.exec(decodeURIComponent(location.href))[1]) >= 2",
        timeout=PATIENCE,
    )
    page.keyboard.press("Home")
    expect(page.locator(".time-place")).to_have_text("Before training")
    count = int(str(slider.get_attribute("max")))
    page.wait_for_function(f"() => document.getElementById('time').max > {count}", timeout=PATIENCE)
    expect(page.locator(".time-place")).to_have_text("Before training")
    runs.post(f"/runs/{run}/cancel").raise_for_status()


def test_another_model_leaves_the_time_machine_and_back_returns_to_it(
    open_page: OpenPage, finished: str
) -> None:
    page = open_page(f"/?model={finished}@1").page
    ready(page)
    page.get_by_label("Model").select_option("digits")
    expect(page.locator("time-machine")).to_have_count(0)
    page.go_back()
    expect(page.locator(".time-place")).to_have_text("Epoch 1 of 3")
    assert page.get_by_label("Model").evaluate("picker => picker.value") == f"{finished}@1"


def test_the_last_drawing_comes_along(open_page: OpenPage, finished: str) -> None:
    page = open_page("/").page
    ready(page)
    image = draw_seven(page)
    page.goto(f"/?model={finished}@3")
    ready(page)
    assert f"image={image}" in page.url
    expect(page.locator(".answer-label")).to_have_text("7")


def test_the_page_of_a_run_shows_the_newest_confusion_matrix(
    open_page: OpenPage, runs: httpx.Client, finished: str
) -> None:
    page = open_page(f"/runs/{finished}").page
    ready(page)
    newest = runs.get(f"/runs/{finished}/snapshots").json()[-1]["confusion"]
    cells = page.locator("confusion-matrix tbody td:not(.number)").all_inner_texts()
    assert [int(text or 0) for text in cells] == [count for row in newest for count in row]
    expect(page.locator("#confusion-of")).to_contain_text("144 validation images after epoch 3")
