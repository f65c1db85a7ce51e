"""Signing in where a token is set, in a real browser; a complaint of its policy fails any test."""

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, Watched
from tests.browser.drawing import draw_seven
from tests.browser.test_other_sites import elsewhere
from tests.conftest import start_server, stop, wait_until_up

TOKEN = "a-Token/of+16~or=more"
__all__ = ["elsewhere"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with a token, in place of the one without."""
    process, address = start_server(tmp_path_factory.mktemp("locked"), CONVSCOPE_TOKEN=TOKEN)
    wait_until_up(address, process)
    yield address
    stop(process)


def enter(page: Page, token: str = TOKEN) -> None:
    page.get_by_label("Token").fill(token)
    page.keyboard.press("Enter")


@pytest.fixture
def signed_in(open_page: OpenPage) -> Watched:
    watched = open_page("/models")
    enter(watched.page)
    watched.page.wait_for_url("**/models")
    return watched


def test_one_goes_on_to_where_one_wanted(open_page: OpenPage) -> None:
    page = open_page("/?layer=conv2&channel=1").page
    assert "/sign-in?next=" in page.url
    expect(page.get_by_label("Token")).to_be_focused()
    enter(page)
    page.wait_for_selector("html[data-ready]")
    assert page.url.endswith("/?layer=conv2&channel=1")
    draw_seven(page)
    expect(page.locator(".answer-label")).to_have_text("7")
    assert page.evaluate("document.cookie") == ""


def test_a_wrong_token_is_marked(open_page: OpenPage) -> None:
    watched = open_page("/runs")
    page = watched.page
    watched.expect("status of 401")
    enter(page, "wrong-but-long-enough")
    field = page.get_by_label("Token")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(
        "This is not the token. It is what CONVSCOPE_TOKEN was set to when the server was started."
    )
    expect(page.get_by_role("alert")).to_be_visible()
    expect(field).to_be_focused()
    assert page.evaluate("getComputedStyle(token).borderColor") == "rgb(179, 38, 30)"
    enter(page)
    page.wait_for_url("**/runs")


def test_a_run_is_watched_and_the_api_tried(signed_in: Watched, server: str) -> None:
    page = signed_in.page
    page.goto("/runs")
    page.get_by_role("spinbutton", name="Epochs").fill("1")
    page.get_by_label("Network").select_option("convnet-revisited")
    page.get_by_label("Data set").select_option("optdigits")
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url("**/runs/*")
    expect(page.locator("main")).to_contain_text("finished", timeout=60_000)
    page.goto("/docs")
    page.locator("#operations-predictions-predict_api_v1_predict_post").click()
    page.get_by_role("button", name="Execute").first.click()
    answer = page.locator(".live-responses-table .response .microlight").first
    expect(answer).to_contain_text('"label": "7"')


def test_one_can_leave(signed_in: Watched) -> None:
    page = signed_in.page
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.goto("/models")
    assert "/sign-in?next=" in page.url


def test_an_open_page_says_what_to_do(signed_in: Watched) -> None:
    page = signed_in.page
    page.goto("/")
    page.wait_for_selector("html[data-ready]")
    page.context.clear_cookies()
    signed_in.expect("status of 401")
    page.get_by_label("Model").select_option("lenet5")
    message = page.locator(".pad-message")
    expect(message).to_contain_text("Sign in at /sign-in and come back")
    expect(page.get_by_label("Model")).to_have_value("digits")
    page.locator("layer-columns canvas").first.wait_for()
    signed_in.expect("status of 401")


def test_a_link_from_another_site_finds_one_signed_in(
    signed_in: Watched, elsewhere: str, server: str
) -> None:
    page = signed_in.page
    signed_in.expect("asked another host")
    page.goto(elsewhere)
    page.evaluate("url => { location.href = url; }", f"{server}/models/digits")
    expect(page.get_by_role("heading", level=1)).to_have_text("Digits")


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_form_fits(open_page: OpenPage, width: int, scheme: Literal["light", "dark"]) -> None:
    watched = open_page("/sign-in", width=width, height=720, color_scheme=scheme, touch=width < 640)
    page = watched.page
    watched.expect("status of 401")
    enter(page, "wrong-but-long-enough")
    expect(page.get_by_role("alert")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.documentElement.scrollHeight") <= 720
    for control in (page.get_by_label("Token"), page.get_by_role("button", name="Sign in")):
        box = control.bounding_box()
        assert box
        assert box["height"] >= 44
