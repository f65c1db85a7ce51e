"""The preview of augmentations, as a person uses it."""

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage


def picture(page: Page) -> str:
    """The nine as they are on the screen."""
    taken: str = page.locator("#nine").evaluate(
        """image => {
          const canvas = document.createElement('canvas');
          [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
          canvas.getContext('2d').drawImage(image, 0, 0);
          return canvas.toDataURL();
        }"""
    )
    return taken


def test_choices_change_the_nine_and_the_address_shows_them_again(open_page: OpenPage) -> None:
    page = open_page("/augment").page
    page.wait_for_selector("html[data-ready]")
    plain = picture(page)
    with page.expect_response("**/preview.png?*rotation*"):
        page.get_by_role("checkbox", name="rotation").check()
    with page.expect_response("**/preview.png?*degrees*"):
        page.get_by_label("degrees of rotation").fill("45")
    expect(page.locator("#recipe")).to_have_text('[{"name":"rotation","degrees":45}]')
    page.wait_for_function("() => document.getElementById('nine').complete")
    turned = picture(page)
    assert turned != plain
    with page.expect_response("**/preview.png?*seed=1*"):
        page.locator("#another").click()
    page.wait_for_function("() => document.getElementById('nine').complete")
    assert picture(page) != turned
    page.get_by_label("Seed").fill("0")
    page.wait_for_url("**seed=0**")
    again = open_page("/" + page.url.split("/", 3)[3]).page
    again.wait_for_selector("html[data-ready]")
    assert picture(again) == turned


def test_changes_are_made_in_the_order_in_which_they_were_chosen(open_page: OpenPage) -> None:
    page = open_page("/augment").page
    page.wait_for_selector("html[data-ready]")
    names = ["blur", "rotation", "crop"]
    for name in names:
        page.get_by_role("checkbox", name=name).check()
    recipe = page.locator("#recipe")
    expect(recipe).to_have_text('[{"name":"blur"},{"name":"rotation"},{"name":"crop"}]')
    page.get_by_role("checkbox", name="rotation").uncheck()
    page.get_by_role("checkbox", name="rotation").check()
    expect(recipe).to_have_text('[{"name":"blur"},{"name":"crop"},{"name":"rotation"}]')
    again = open_page("/" + page.url.split("/", 3)[3]).page
    expect(again.locator("#recipe")).to_have_text(recipe.inner_text())


def test_a_refusal_is_said_and_a_picture_can_be_chosen(
    open_page: OpenPage, tmp_path: object
) -> None:
    watched = open_page("/augment?model=cifar-3conv")
    page = watched.page
    page.wait_for_selector("html[data-ready]")
    before = picture(page)
    path = f"{tmp_path}/red.png"
    Image.fromarray(np.full((32, 32, 3), (200, 10, 10), np.uint8)).save(path)
    with page.expect_response("**/preview.png?*"):
        page.locator("#augment-file").set_input_files(path)
    page.wait_for_function("() => document.getElementById('nine').complete")
    assert picture(page) != before
    watched.expect("status of 422")
    with page.expect_response("**/preview.png?*"):
        page.get_by_label("Seed").fill("-3")
    expect(page.locator("#message")).to_contain_text("seed")


@pytest.mark.parametrize("width", [360, 1280, 2560])
def test_it_does_not_scroll_sideways(open_page: OpenPage, width: int) -> None:
    page = open_page('/augment?augmentation=["affine"]', width=width).page
    page.wait_for_selector("html[data-ready]")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
