"""Back and forward: the pad, the network and the address tell of the same."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import OpenPage, Watched
from tests.browser.drawing import kept
from tests.browser.test_explore import predicted
from tests.browser.test_pictures import three


def example(page: Page, digit: str) -> str:
    """Have an example drawn and wait until the address names it; returns its id."""
    before = page.url
    page.keyboard.press(digit)
    expect(page.locator(".answer-label")).to_have_text(digit)
    page.wait_for_url(lambda url: "image=" in url and url != before)
    return kept(page)


def test_the_picture_comes_back_with_the_model(explore: Watched, server: str) -> None:
    page = explore.page
    label = page.locator(".answer-label")
    first = example(page, "3")
    page.locator("#model").select_option("convnet-revisited")
    page.wait_for_url("**model=convnet-revisited**")
    page.evaluate("document.activeElement.blur()")
    second = example(page, "4")
    for go, model, digit, image in (
        (page.go_back, "digits", "3", first),
        (page.go_forward, "convnet-revisited", "4", second),
        (page.go_back, "digits", "3", first),
    ):
        go()
        expect(page.locator("#model")).to_have_value(model)
        expect(label).to_have_text(digit)
        assert kept(page) == image

    page.locator("probability-bars li").nth(3).locator(".label").click()
    expect(page.locator("map-inspector h2")).to_have_text("softmax · unit 3")
    share = predicted(server, first)["probabilities"][3]["probability"]  # type: ignore[index]
    value = page.locator(".unit-value").get_attribute("title")
    assert float(value or "nan") == pytest.approx(share, rel=1e-5)


def test_an_address_without_a_picture_has_an_empty_pad(explore: Watched, tmp_path: Path) -> None:
    page = explore.page
    label = page.locator(".answer-label")
    three().save(tmp_path / "three.png")
    page.locator("#file").set_input_files(tmp_path / "three.png")
    expect(label).to_have_text("3")
    kept(page)
    page.go_back()
    expect(label).to_have_text("?")
    expect(page.locator("drawing-pad")).to_have_attribute("data-empty", "")
    assert "image=" not in page.url
    page.go_forward()
    expect(label).to_have_text("3")
    kept(page)


def test_a_picture_that_is_gone_leaves_the_pad_as_it_is(open_page: OpenPage) -> None:
    watched = open_page("/")
    page = watched.page
    page.wait_for_selector("html[data-ready]")
    first = example(page, "3")
    page.locator("layer-column[data-name=conv1] [data-channel='2']").click()
    second = example(page, "4")
    watched.expect("status of 404")
    gone = {"status": 404, "detail": "There is no image here."}
    page.route(f"**/images/{first}", lambda route: route.fulfill(status=404, json=gone))
    page.go_back()
    expect(page.locator("#message")).to_have_text("There is no image here.")
    expect(page.locator(".answer-label")).to_have_text("4")
    page.wait_for_url(f"**image={second}**")


def test_a_model_that_is_gone_leaves_the_page_with_its_own(explore: Watched) -> None:
    page = explore.page
    example(page, "3")
    page.locator("#model").select_option("convnet-revisited")
    page.wait_for_url("**model=convnet-revisited**")
    explore.expect("status of 404")
    gone = {"status": 404, "detail": "There is no such model."}
    page.route("**/?model=digits", lambda route: route.fulfill(status=404, json=gone))
    page.go_back()
    page.wait_for_url("**model=convnet-revisited**")
    expect(page.locator("#model")).to_have_value("convnet-revisited")
    expect(page.locator("#message")).to_have_text("There is no such model.")
    example(page, "4")
    expect(page.locator("#message")).to_be_hidden()


def test_a_model_that_is_refused_leaves_the_page_as_it_is(explore: Watched) -> None:
    page = explore.page
    example(page, "3")
    before = page.evaluate("history.length")
    explore.expect("status of 503")
    busy = {"status": 503, "detail": "The server is busy."}
    page.route("**/?model=lenet5", lambda route: route.fulfill(status=503, json=busy))
    page.locator("#model").select_option("lenet5")
    expect(page.locator("#message")).to_have_text("The server is busy.")
    expect(page.locator("#model")).to_have_value("digits")
    expect(page.locator(".answer-label")).to_have_text("3")
    assert page.evaluate("history.length") == before


def test_a_cleared_drawing_that_is_kept_too_late_is_not_named(explore: Watched) -> None:
    page = explore.page
    held: list[Route] = []
    page.route("**/api/v1/images", lambda route: held.append(route))
    with page.expect_request("**/api/v1/images"):
        page.keyboard.press("3")
    page.keyboard.press("c")
    with page.expect_response("**/api/v1/images"):
        held[0].continue_()
    # What is answered later comes later.
    page.evaluate("fetch('/api/v1/models').then(answer => answer.json())")
    assert "image=" not in page.url
