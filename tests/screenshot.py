"""Draws the README's picture of the explore page: ``make screenshot``."""

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Position, sync_playwright

from app.benchmarks.browser import find_chromium
from app.benchmarks.server_process import HOST, serving
from tests.browser.drawing import draw_seven

WINDOW = (1280, 840)
LAYER, CHANNEL = "conv2", 10
PLACE = Position(x=75, y=65)
SHADES = 63


def main(path: Path) -> None:
    """Write the picture: a seven is drawn, and a number of one of its maps is chosen."""
    with serving() as port, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium())
        picture = take(browser, f"http://{HOST}:{port}/")
        browser.close()
    # Nobody sees the difference to 256 shades, and the file is smaller by a fifth.
    coarse = [round(round(value * SHADES / 255) * 255 / SHADES) for value in range(256)]
    picture.convert("RGB").point(coarse * 3).save(path, optimize=True)
    print(f"Wrote {path}, {path.stat().st_size / 1000:.0f} kB.")


def take(browser: Browser, address: str) -> Image.Image:
    """The page in light colours, after drawing and choosing with the mouse."""
    width, height = WINDOW
    page = browser.new_page(
        viewport={"width": width, "height": height}, color_scheme="light", reduced_motion="reduce"
    )
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    draw_seven(page)
    page.locator(f'layer-column[data-name="{LAYER}"] [data-channel="{CHANNEL}"]').click()
    page.locator("number-grid.map canvas").click(position=PLACE)
    page.wait_for_selector(".unit-verdict")
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)
    return Image.open(io.BytesIO(page.screenshot()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
