"""Pictures that come to the page in other ways than the pen, and what is wrong with some."""

import io
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched
from tests.browser.drawing import SEVEN, draw, draw_seven, kept


def three(side: int = 400) -> Image.Image:
    """A three, dark on light paper, away from the middle."""
    picture = Image.new("RGB", (side, side), (236, 232, 220))
    pen = ImageDraw.Draw(picture)
    for top in (60, 160):
        pen.arc((60, top, 180, top + 104), -120, 120, fill=(40, 40, 60), width=18)
    return picture


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "three.jpg"
    three().save(path, quality=80)
    return path


def test_a_chosen_picture_is_read_and_its_preparation_shown(explore: Watched, photo: Path) -> None:
    page = explore.page
    page.locator("#file").set_input_files(photo)
    expect(page.locator(".answer-label")).to_have_text("3")
    names = page.locator("preparation-strip figcaption").all_inner_texts()
    assert names[0] == "drawn"
    assert names[-1] == "centred"
    widths = page.locator("preparation-strip canvas").evaluate_all("all => all.map(c => c.width)")
    assert widths[-1] == 28
    page.wait_for_url("**image=*")


def test_a_dropped_and_a_pasted_picture_are_read(explore: Watched) -> None:
    page = explore.page
    file = io.BytesIO()
    three().save(file, "png")
    for kind, field in (("drop", "dataTransfer"), ("paste", "clipboardData")):
        page.keyboard.press("c")
        page.evaluate(
            """([bytes, kind, field]) => {
              const transfer = new DataTransfer();
              const file = new File([new Uint8Array(bytes)], "three.png", {type: "image/png"});
              transfer.items.add(file);
              const Kind = kind === "drop" ? DragEvent : ClipboardEvent;
              const event = new Kind(kind, {[field]: transfer, bubbles: true});
              document.body.dispatchEvent(event);
            }""",
            [list(file.getvalue()), kind, field],
        )
        expect(page.locator(".answer-label")).to_have_text("3")


def test_what_is_pasted_into_a_field_is_the_field_s(explore: Watched) -> None:
    page = explore.page
    page.goto("/?layer=conv2&channel=5")
    page.wait_for_selector("html[data-ready]")
    page.get_by_role("button", name="Edit", exact=True).click()
    field = page.get_by_label("Bias")
    field.fill("0.75")
    field.press("Control+a")
    field.press("Control+c")
    field.fill("")
    field.press("Control+v")
    expect(field).to_have_value("0.75")
    expect(page.locator("#message")).to_be_hidden()
    page.locator("#brush-size").focus()
    page.keyboard.press("Control+v")
    expect(page.locator("#message")).to_contain_text("no picture")


BAD = {
    "not-a-picture.png": b"this is text, whatever its name says",
    "empty.png": b"",
    "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "page.png": b"<!doctype html><script>alert(1)</script>",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_beside_the_pad_and_nothing_is_lost(
    explore: Watched, tmp_path: Path, name: str
) -> None:
    page = explore.page
    draw_seven(page)
    explore.expect("status of 422")
    (tmp_path / name).write_bytes(BAD[name])
    page.locator("#file").set_input_files(tmp_path / name)
    message = page.locator("#message")
    expect(message).to_be_visible()
    expect(message).to_contain_text("PNG")
    expect(page.locator(".answer-label")).to_have_text("7")
    expect(page.locator("drawing-pad")).not_to_have_attribute("data-empty", "")


def test_an_empty_picture_says_draw_something(explore: Watched, tmp_path: Path) -> None:
    page = explore.page
    explore.expect("status of 422")
    Image.new("RGB", (300, 200), "white").save(tmp_path / "white.png")
    page.locator("#file").set_input_files(tmp_path / "white.png")
    expect(page.locator("#message")).to_contain_text("raw something")
    expect(page.locator(".answer-label")).to_have_text("?")


def test_drawing_over_a_photo_begins_anew_and_undo_brings_it_back(
    explore: Watched, photo: Path
) -> None:
    page = explore.page
    label = page.locator(".answer-label")
    page.locator("#file").set_input_files(photo)
    expect(label).to_have_text("3")
    photographed = kept(page)
    draw(page, SEVEN)
    expect(label).to_have_text("7")
    page.keyboard.press("u")
    expect(label).to_have_text("3")
    # A four has two strokes, which go together.
    page.keyboard.press("4")
    expect(label).to_have_text("4")
    page.wait_for_url(lambda url: "image=" in url and photographed not in url)
    page.keyboard.press("u")
    expect(label).to_have_text("3")


def test_a_lost_server_is_said_and_the_drawing_kept(explore: Watched) -> None:
    page = explore.page
    explore.expect("ERR_FAILED")
    page.route("**/api/**", lambda route: route.abort())
    page.keyboard.press("4")
    expect(page.locator("#message")).to_contain_text("doesn't answer")
    page.unroute("**/api/**")
    page.wait_for_timeout(900)
    dot(page)
    expect(page.locator("#message")).to_be_hidden()
    expect(page.locator(".answer-label")).to_have_text("4")


def dot(page: Page) -> None:
    """A tap in the middle of the drawing's own ink."""
    box = page.locator("drawing-pad > canvas").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.535)


def test_a_link_to_a_lost_picture_says_so(explore: Watched) -> None:
    page = explore.page
    explore.expect("status of 404")
    page.goto("/?image=00000000000000000000000000000000")
    expect(page.locator("#message")).to_contain_text("image")
