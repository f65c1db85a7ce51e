"""Weights edited with the mouse: what is shown is what the server says of the edited model."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlparse

import httpx
import numpy as np
import pytest
from playwright.sync_api import Page, Route, expect

from models.registry import WEIGHTS
from tests.browser.conftest import OpenPage
from tests.browser.drawing import draw_seven
from tests.browser.test_time_machine import predicted, shares

# (1 4 6 4 1) down times (-1 -2 0 2 1) across: its positive numbers sum to 48.
SOBEL = np.outer([1, 4, 6, 4, 1], [-1, -2, 0, 2, 1]) / 48


@pytest.fixture(scope="module")
def api(server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server}/api/v1", timeout=60) as client:
        yield client


def open_channel(page: Page, layer: str, channel: int) -> None:
    page.locator(f'layer-column[data-name="{layer}"] [data-channel="{channel}"]').click()
    expect(page.locator("map-inspector h2")).to_have_text(f"{layer} · channel {channel}")
    page.get_by_role("button", name="Edit", exact=True).click()


def model_of(page: Page) -> str:
    return parse_qs(urlparse(page.url).query)["model"][0]


def shows(page: Page, api: httpx.Client, model: str, image: str) -> list[float]:
    """Wait until the bars are what the server predicts with a model; returns that."""
    expected = predicted(api, model, image)
    page.wait_for_function(
        """expected => {
          const rows = [...document.querySelectorAll("probability-bars .fill")];
          const shares = rows.map(row => Number(row.style.getPropertyValue("--share")));
          return shares.every((share, place) => Math.abs(share - expected[place]) < 1e-6);
        }""",
        arg=expected,
    )
    return expected


def largest(page: Page) -> str:
    return page.locator("map-inspector > .facts dt:text-is('largest') + dd").inner_text()


def edits_of(api: httpx.Client, model: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"/models/{model}/edits").json()["edits"]
    return found


def test_a_channel_goes_off_and_comes_back(open_page: OpenPage, api: httpx.Client) -> None:
    shipped = {path.name: path.read_bytes() for path in WEIGHTS.iterdir()}
    page = open_page("/").page
    page.wait_for_selector("html[data-ready]")
    image = draw_seven(page)
    before = shows(page, api, "digits", image)
    open_channel(page, "relu1", 0)
    assert largest(page) != "0"
    page.get_by_role("button", name="Switch channel 0 off").click()
    expect(page.locator(".edit-list li")).to_have_text(["relu1 channel 0 off"])
    model = model_of(page)
    assert edits_of(api, model) == [{"layer": "relu1", "channel": 0, "off": True}]
    after = shows(page, api, model, image)
    assert after != before
    expect(page.locator("map-inspector > .facts dt:text-is('largest') + dd")).to_have_text("0")
    picker = page.get_by_label("Model")
    assert picker.evaluate("picker => picker.selectedOptions[0].text") == (
        "Digits, edited: relu1 channel 0 off"
    )
    expect(page.locator(".answer-before")).to_contain_text("Before the edits: 7")
    marks = page.locator("probability-bars li").evaluate_all(
        "rows => rows.map(row => Number(row.style.getPropertyValue('--before')))"
    )
    assert marks == pytest.approx(before, abs=1e-6)
    place = int(np.argmax(np.abs(np.subtract(after, before))))
    said = page.locator(".edit-changes li").first.inner_text()
    assert said == f"{place}: {100 * before[place]:.2f} → {100 * after[place]:.2f} %"

    page.get_by_role("button", name="Undo edit").click()
    shows(page, api, "digits", image)
    assert model_of(page) == "digits"
    expect(page.locator(".edit-none")).to_have_text("Nothing is edited: this is digits as it is.")
    expect(page.locator(".answer-before")).to_be_hidden()
    assert picker.evaluate("picker => picker.value") == "digits"
    page.get_by_role("button", name="Redo edit").click()
    shows(page, api, model, image)
    page.go_back()
    page.go_back()
    shows(page, api, model, image)
    assert model_of(page) == model
    expect(page.locator(".edit-list li")).to_have_count(1)
    page.go_back()
    shows(page, api, "digits", image)
    expect(page.get_by_role("button", name="Redo edit")).to_be_enabled()
    assert {path.name: path.read_bytes() for path in WEIGHTS.iterdir()} == shipped


def test_a_filter_becomes_sobels_then_one_weight_and_the_bias_are_typed(
    open_page: OpenPage, api: httpx.Client
) -> None:
    page = open_page("/").page
    page.wait_for_selector("html[data-ready]")
    image = draw_seven(page)
    open_channel(page, "conv2", 5)
    page.get_by_label("Replace by").select_option("Sobel, vertical edges")
    page.get_by_role("button", name="Set weights").click()
    expect(page.locator(".edit-list li")).to_have_text(["conv2 channel 5, all kernels replaced"])
    (edit,) = edits_of(api, model_of(page))
    np.testing.assert_allclose(edit["kernel"], SOBEL, rtol=1e-6)
    assert "input_channel" not in edit
    # As all kernels are the same now, the fields show them, as 32-bit numbers.
    expect(page.get_by_label("Weight at y 2, x 3")).to_have_value("0.25")
    page.get_by_label("of all inputs").uncheck()
    page.locator(".fields-input input").fill("7")
    page.locator(".fields-input input").press("Tab")
    page.get_by_label("Weight at y 2, x 3").fill("-1.5")
    page.get_by_role("button", name="Set weights").click()
    expect(page.locator(".edit-list li")).to_have_count(2)
    page.get_by_label("Bias").fill("0.75")
    page.get_by_label("Bias").press("Enter")
    expect(page.locator(".edit-list li")).to_have_count(3)
    where = {"layer": "conv2", "channel": 5}
    model = model_of(page)
    assert edits_of(api, model)[1:] == [
        where | {"input_channel": 7, "y": 2, "x": 3, "weight": -1.5},
        where | {"bias": 0.75},
    ]
    shows(page, api, model, image)

    page.reload()
    page.wait_for_selector("html[data-ready]")
    shows(page, api, model, image)
    expect(page.locator(".edit-list li")).to_have_count(3)
    page.get_by_role("button", name="Back to the original").click()
    shows(page, api, "digits", image)


def test_a_unit_of_a_linear_layer_is_edited(open_page: OpenPage, api: httpx.Client) -> None:
    watched = open_page("/?layer=fc1")
    watched.expect("status of 422")
    page = watched.page
    page.wait_for_selector("html[data-ready]")
    image = draw_seven(page)
    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_role("spinbutton", name="Unit").fill("7")
    page.get_by_role("spinbutton", name="Unit").press("Tab")
    page.get_by_role("button", name="Switch unit 7 off").click()
    expect(page.locator(".edit-list li")).to_have_text(["fc1 unit 7 off"])
    model = model_of(page)
    shows(page, api, model, image)
    page.get_by_label("Bias").fill("90000")
    page.get_by_label("Bias").press("Enter")
    expect(page.locator(".edit-refusal")).to_contain_text("between -10000 and 10000")
    assert model_of(page) == model


def test_it_is_measured_and_kept(open_page: OpenPage, api: httpx.Client) -> None:
    recipe = {"network": "simple-cnn", "dataset": "optdigits", "epochs": 1, "batch_size": 64}
    run = api.post("/runs", json=recipe).raise_for_status().json()["id"]
    with api.stream("GET", f"/runs/{run}/events") as events:
        assert "event: finished" in list(events.iter_lines())
    page = open_page(f"/?model={run}@1&layer=conv1&channel=2").page
    page.wait_for_selector("html[data-ready]")
    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_role("button", name="Switch channel 2 off").click()
    expect(page.locator(".edit-list li")).to_have_count(1)
    page.get_by_role("button", name="Measure").click()
    edited = page.locator(".accuracy-edited")
    expect(edited).to_contain_text("%", timeout=30_000)
    model = model_of(page)
    with api.stream("GET", f"/models/{model}/evaluation/events") as answer:
        data = [line for line in answer.iter_lines() if line.startswith("data: ")][-1]
    accuracy = json.loads(data.removeprefix("data: "))["accuracy"]
    expect(edited).to_have_text(f"{accuracy:.2%}".replace("%", " %"))
    page.get_by_label("Name").fill("without-2")
    page.get_by_role("button", name="Keep as a model").click()
    expect(page.locator(".edit-kept")).to_have_text("Kept as without-2.")
    try:
        page.locator(".edit-kept a").click()
        expect(page.locator("h1")).to_have_text("without-2")
        expect(page.locator(".lead")).to_contain_text("conv1 channel 2 off")
        metrics = api.get("/models/without-2").json()["metrics"]
        assert metrics["test_accuracy"] == accuracy
    finally:
        api.delete("/models/without-2?force=true").raise_for_status()


@pytest.mark.parametrize("width", [360, 1280, 2560])
def test_nothing_of_it_is_wider_than_the_page(open_page: OpenPage, width: int) -> None:
    page = open_page("/?layer=conv2&channel=5", width=width).page
    page.wait_for_selector("html[data-ready]")
    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_role("button", name="Switch channel 5 off").click()
    expect(page.locator(".edit-list li")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert len(shares(page)) == 10


def test_nothing_is_typed_before_the_numbers_are_there(open_page: OpenPage) -> None:
    page = open_page("/?layer=conv2&channel=5").page
    page.wait_for_selector("html[data-ready]")
    held: list[Route] = []
    page.route("**/filters.npy*", lambda route: held.append(route))
    page.get_by_role("button", name="Edit", exact=True).click()
    bias, button = page.get_by_label("Bias"), page.get_by_role("button", name="Set bias")
    expect(bias).to_be_disabled()
    expect(button).to_be_disabled()
    page.wait_for_function("() => document.querySelector('.fields-grid').children.length === 0")
    for route in held:
        route.continue_()
    expect(button).to_be_enabled()
    assert float(bias.input_value()) != 0
    bias.fill("0.75")
    expect(bias).to_have_value("0.75")


def test_numbers_that_were_refused_are_asked_for_again(open_page: OpenPage) -> None:
    watched = open_page("/?layer=conv2&channel=5")
    page = watched.page
    page.wait_for_selector("html[data-ready]")
    watched.expect("503")
    page.route("**/filters.npy*", lambda route: route.fulfill(status=503))
    edit = page.get_by_role("button", name="Edit", exact=True)
    with page.expect_response("**/filters.npy*"):
        edit.click()
    expect(page.get_by_label("Bias")).to_be_disabled()
    page.unroute("**/filters.npy*")
    edit.click()
    edit.click()
    expect(page.get_by_label("Bias")).to_be_enabled()
    assert float(page.get_by_label("Bias").input_value()) != 0
