"""The other pages, and every page in rooms of all sizes."""

import time

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.drawing import on_page


@pytest.mark.parametrize("path", ["/", "/models", "/models/digits", "/docs"])
@pytest.mark.parametrize("width", [360, 1280, 2560])
def test_no_page_scrolls_sideways(open_page: OpenPage, path: str, width: int) -> None:
    page = open_page(path, width=width).page
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_explore_shows_its_point_without_scrolling(open_page: OpenPage) -> None:
    page = open_page("/?layer=conv2&channel=1").page
    page.wait_for_selector("html[data-ready]")
    expect(page.locator("map-inspector")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollHeight") <= 840


def test_a_finger_draws_and_the_page_stays(open_page: OpenPage) -> None:
    page = open_page("/", width=360, height=640, touch=True).page
    page.wait_for_selector("html[data-ready]")
    client = page.context.new_cdp_session(page)
    path = [on_page(page, (140, y)) for y in range(40, 240, 10)]
    for kind, points in (
        ("touchStart", path[:1]),
        *(("touchMove", [point]) for point in path),
        ("touchEnd", []),
    ):
        touches = [{"x": x, "y": y} for x, y in points]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
    expect(page.locator(".answer-label")).to_have_text("1")
    assert page.evaluate("scrollY") == 0
    small = page.locator("button:visible, select:visible, a.control:visible").evaluate_all(
        """all => all.filter(one => !one.closest('.tiles, header, .pad-hint'))
          .filter(one => !one.matches('.link'))
          .map(one => [one.id || one.textContent, one.getBoundingClientRect()])
          .filter(([, box]) => box.height < 44 || box.width < 43).map(([name]) => name)"""
    )
    assert small == []


def test_the_theme_follows_the_system_and_can_be_changed(open_page: OpenPage) -> None:
    page = open_page("/", color_scheme="dark").page
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "dark")
    button = page.locator("#theme")
    button.click()
    expect(root).to_have_attribute("data-theme", "light")
    page.reload()
    expect(root).to_have_attribute("data-theme", "light")
    expect(button).to_have_attribute("aria-label", "Theme: light. Switch to dark.")


def test_every_control_has_a_name(open_page: OpenPage) -> None:
    page = open_page("/?layer=conv2&channel=1").page
    page.wait_for_selector("html[data-ready]")
    nameless = page.locator("button, input, select, a, canvas[tabindex]").evaluate_all(
        """all => all.filter(one => !(one.getAttribute('aria-label') || one.textContent.trim()
          || one.labels?.length)).map(one => one.outerHTML)"""
    )
    assert nameless == []


def test_the_documented_examples_work_in_the_page(open_page: OpenPage) -> None:
    page = open_page("/docs").page
    page.locator("#operations-predictions-predict_api_v1_predict_post").click()
    page.get_by_role("button", name="Execute").first.click()
    answer = page.locator(".live-responses-table .response .microlight").first
    expect(answer).to_contain_text('"label": "7"')


@pytest.mark.parametrize("path", ["/?model=nothing", "/models/nothing"])
def test_a_page_that_is_not_there_says_what_is(open_page: OpenPage, path: str) -> None:
    watched = open_page(path, refused=404)
    page = watched.page
    expect(page.get_by_role("heading", level=1)).to_have_text("Not Found")
    for name in ("nothing", "digits", "convnet-revisited"):
        expect(page.locator("main")).to_contain_text(name)
    page.get_by_role("link", name="Explore").last.click()
    page.wait_for_selector("html[data-ready]")


def test_a_card_tells_what_was_measured(open_page: OpenPage) -> None:
    page = open_page("/models").page
    page.get_by_role("link", name="Digits", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Digits")
    expect(page.locator("main")).to_contain_text("test accuracy")
    page.get_by_role("link", name="conv2", exact=True).click()
    expect(page.locator("map-inspector h2")).to_have_text("conv2")


def test_a_model_of_ones_own_is_deleted_after_a_question(open_page: OpenPage, server: str) -> None:
    with httpx.Client(base_url=f"{server}/api/v1", timeout=60) as api:
        recipe = {"network": "convnet-revisited", "dataset": "optdigits", "epochs": 1}
        run = api.post("/runs?name=short", json=recipe).json()["id"]
        for _ in range(600):
            if api.get(f"/runs/{run}").json()["state"] == "finished":
                break
            time.sleep(0.1)
        api.post(f"/runs/{run}/model", json={"name": "short-lived"}).raise_for_status()
        page = open_page("/models/short-lived").page
        expect(page.locator("measure-model")).to_contain_text("evaluate short-lived --note")
        page.get_by_role("button", name="Make it the default").click()
        expect(page.locator("main .tag")).to_have_text("default")
        expect(page.get_by_role("button", name="Make it the default")).to_have_count(0)
        page.get_by_role("button", name="Delete").click()
        dialog = page.get_by_role("dialog")
        for part in (f"short ({run})", "digits is the default model again", "/?model=short-lived"):
            expect(dialog).to_contain_text(part)
        page.keyboard.press("Escape")
        assert api.get("/models/short-lived").status_code == 200
        page.get_by_role("button", name="Delete").click()
        dialog.get_by_role("button", name="Delete").click()
        page.wait_for_url("**/models")
        expect(page.locator("main")).not_to_contain_text("short-lived")
        assert api.get("/models").json()[0]["name"] == "digits"
