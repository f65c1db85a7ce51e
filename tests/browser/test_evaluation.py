"""A model's page: which class is taken for which."""

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage


def test_the_page_shows_the_confusion_that_the_api_tells(open_page: OpenPage, server: str) -> None:
    page = open_page("/models/digits").page
    told = httpx.get(f"{server}/api/v1/models/digits/evaluation").json()
    rows = page.locator(".confusion tbody tr")
    shown = rows.evaluate_all(
        "rows => rows.map(row => [...row.querySelectorAll('td')].slice(0, -1)"
        ".map(cell => Number(cell.textContent)))"
    )
    assert shown == told["confusion"]
    worst = told["most_confused"][0]
    first = page.locator(".confused li").first
    expect(first).to_contain_text(f"{worst['true']} taken for {worst['predicted']}")
    expect(page.locator(".evaluation circle")).to_have_count(len(told["calibration"]))


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_does_not_scroll_sideways(open_page: OpenPage, width: int) -> None:
    page = open_page("/models/digits", width=width).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_model_that_nobody_has_measured_is_measured_on_its_page(
    open_page: OpenPage, server: str
) -> None:
    recipe = {"network": "simple-cnn", "dataset": "optdigits", "epochs": 1, "batch_size": 64}
    with httpx.Client(base_url=f"{server}/api/v1", timeout=60) as api:
        run = api.post("/runs", json=recipe).raise_for_status().json()["id"]
        with api.stream("GET", f"/runs/{run}/events") as events:
            assert "event: finished" in list(events.iter_lines())
        page = open_page(f"/models/{run}@1").page
        expect(page.locator(".confusion")).to_have_count(0)
        page.get_by_role("button", name="Measure").click()
        expect(page.locator(".confusion tbody tr")).to_have_count(10, timeout=30_000)
        told = api.get(f"/models/{run}@1/evaluation").raise_for_status().json()
    expect(page.locator("#evaluation")).to_have_text("On 360 test pictures")
    first = page.locator(".confused li").first
    worst = told["most_confused"][0]
    expect(first).to_contain_text(f"{worst['true']} taken for {worst['predicted']}")
    expect(page.get_by_role("button", name="Measure")).to_have_count(0)
