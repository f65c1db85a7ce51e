"""Networks that see colour: red, green and blue light, and classes that are words."""

from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage


def test_a_colour_picture_is_shown_as_red_green_and_blue(
    open_page: OpenPage, tmp_path: Path
) -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:16] = (255, 128, 0)
    pixels[16:] = (0, 64, 255)
    Image.fromarray(pixels).save(tmp_path / "two.png")
    page = open_page("/?model=cifar-3conv").page
    page.wait_for_selector("html[data-ready]")
    expect(page.locator("[data-example='3']")).to_be_hidden()
    page.locator("#file").set_input_files(tmp_path / "two.png")
    page.wait_for_url("**image=*")
    expect(page.locator(".answer-label")).not_to_have_text("?")
    labels = page.locator("probability-bars .label").all_inner_texts()
    assert labels[:2] == ["airplane", "automobile"]
    expect(page.locator("layer-column[data-name=input] .range")).to_have_text("red, green, blue")
    seen = page.evaluate(
        """() => {
          const canvas = document.querySelector('layer-columns > canvas');
          const outer = canvas.getBoundingClientRect();
          const copy = new OffscreenCanvas(canvas.width, canvas.height)
            .getContext('2d', { willReadFrequently: true });
          copy.drawImage(canvas, 0, 0);
          return [...document.querySelectorAll('[data-name=input] .tiles button')].map(tile => {
            const { left, top, width, height } = tile.getBoundingClientRect();
            const at = share => [...copy.getImageData(
              left - outer.left + width / 2, top - outer.top + height * share, 1, 1).data];
            return [at(0.25).slice(0, 3), at(0.75).slice(0, 3)];
          });
        }"""
    )
    assert np.abs(np.array(seen[0]) - [[255, 0, 0], [0, 0, 0]]).max() <= 2
    assert np.abs(np.array(seen[1]) - [[0, 128, 0], [0, 64, 0]]).max() <= 2
    assert np.abs(np.array(seen[2]) - [[0, 0, 0], [0, 0, 255]]).max() <= 2
