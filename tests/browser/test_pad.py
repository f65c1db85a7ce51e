"""What draws on the pad and what doesn't: fingers, pens, and keys wherever the focus is."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage, Watched
from tests.browser.drawing import ONE, Point, draw, on_page


def test_a_palm_leaves_the_stroke_to_the_finger(open_page: OpenPage) -> None:
    page = open_page("/", width=360, height=640, touch=True).page
    page.wait_for_selector("html[data-ready]")
    client = page.context.new_cdp_session(page)

    def touch(kind: str, *points: Point) -> None:
        places = [on_page(page, point) for point in points]
        touches = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(places)]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    touch("touchStart", (140, 40))
    touch("touchMove", (140, 80))
    touch("touchStart", (140, 80), (30, 250))
    for y in range(90, 160, 10):
        touch("touchMove", (140, y), (30 + y, 250))
    # A finger that is named no longer has been lifted.
    for y in range(160, 240, 10):
        touch("touchMove", (140, y))
    touch("touchEnd")
    expect(page.locator(".answer-label")).to_have_text("1")
    page.locator("#undo").click()
    expect(page.locator("#undo")).to_be_disabled()


def test_the_other_end_of_a_pen_erases(explore: Watched) -> None:
    page = explore.page
    draw(page, ONE)
    expect(page.locator(".answer-label")).to_have_text("1")
    page.locator("#brush-size").fill("48")
    explore.expect("status of 422")
    # No driver has a pen with two ends: these are the events that a browser makes of one.
    page.locator("drawing-pad > canvas").evaluate(
        """(canvas, points) => points.forEach(([clientX, clientY], place) => {
          const [type, button] = place ? ["pointermove", -1] : ["pointerdown", 5];
          const pen = { pointerId: 1, pointerType: "pen", bubbles: true, buttons: 32 };
          canvas.dispatchEvent(new PointerEvent(type, { ...pen, clientX, clientY, button }));
        })""",
        [on_page(page, point) for point in ONE[0]],
    )
    expect(page.locator("#message")).to_contain_text("raw something")
    expect(page.locator("#eraser")).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize("field", ["#brush-size", ".source input[type=range]", "#file"])
def test_keys_work_where_nothing_is_typed(explore: Watched, field: str) -> None:
    page = explore.page
    page.goto("/?layer=conv2&channel=4")
    page.wait_for_selector("html[data-ready]")
    label = page.locator(".answer-label")
    page.locator(field).focus()
    page.keyboard.press("3")
    expect(label).to_have_text("3")
    page.keyboard.press("e")
    expect(page.locator("#eraser")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("m")
    expect(page.get_by_label("layer", exact=True)).to_be_checked()
    page.keyboard.press("c")
    expect(label).to_have_text("?")


def test_a_slider_keeps_the_keys_that_move_it(explore: Watched) -> None:
    page = explore.page
    page.goto("/?layer=conv2&channel=4")
    page.wait_for_selector("html[data-ready]")
    slider = page.locator("#brush-size")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_value("23")
    page.keyboard.press("PageUp")
    expect(slider).not_to_have_value("23")
    page.keyboard.press("Home")
    expect(slider).to_have_value("4")
    expect(page.locator("map-inspector h2")).to_have_text("conv2 · channel 4")


def test_capitals_are_the_same_keys(explore: Watched) -> None:
    page = explore.page
    page.keyboard.press("3")
    expect(page.locator(".answer-label")).to_have_text("3")
    page.keyboard.press("E")
    expect(page.locator("#eraser")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("C")
    expect(page.locator(".answer-label")).to_have_text("?")
    page.keyboard.press("Control+Z")
    expect(page.locator(".answer-label")).to_have_text("3")
