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
