"""Networks with hundreds of channels: only what is looked at is sent, and every number is exact."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Request, expect

from tests.browser.conftest import OpenPage
from tests.browser.drawing import SEVEN, draw
from tests.browser.test_explore import activations

# An answer takes as long as the network does on a busy machine.
SLOW = 60_000


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    rows, columns = np.mgrid[0:240, 0:320]
    pixels = np.stack([columns * 0.79, rows, 128 + 100 * np.sin(columns / 20)], axis=-1)
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def show(page: Page, photo: Path) -> str:
    """Open the picture on the page and wait for the answer; returns the image's id."""
    page.wait_for_selector("html[data-ready]")
    page.locator("#file").set_input_files(photo)
    page.wait_for_url("**image=*")
    expect(page.locator(".answer-label")).not_to_have_text("?", timeout=SLOW)
    return page.url.partition("image=")[2].partition("&")[0]


def read(page: Page, grid: str, y: int, x: int, height: int, width: int) -> tuple[str, float]:
    """Point at a number of a grid; returns where it says it is, and the exact value."""
    canvas = page.locator(f"number-grid.{grid} .room canvas")
    box = canvas.bounding_box()
    assert box is not None
    place = {"x": (x + 0.5) * box["width"] / width, "y": (y + 0.5) * box["height"] / height}
    canvas.hover(position=place)  # type: ignore[arg-type]
    output = page.locator(f"number-grid.{grid} output")
    exact = output.locator("b").get_attribute("title")
    return output.inner_text(), float(exact or "nan")


def column(page: Page, layer: str) -> Locator:
    return page.locator(f'layer-column[data-name="{layer}"]')


def test_a_layer_of_512_channels(open_page: OpenPage, server: str, photo: Path) -> None:
    page = open_page("/?model=resnet18").page
    traces: list[Request] = []
    page.on("request", lambda one: traces.append(one) if "/trace" in one.url else None)
    image = show(page, photo)
    expect(page.locator(".notice")).to_contain_text("its weights are random")
    expect(page.locator("#model option:checked")).to_have_text("resnet18 · random weights")
    assert "layer4" not in traces[-1].url
    last = column(page, "layer4.1.conv2")
    last.scroll_into_view_if_needed()
    more = last.locator(".more")
    shown = last.locator(".tiles button").count()
    assert shown < 512
    expect(more).to_have_text(f"{shown} of 512")
    more.click()
    expect(page.locator("map-inspector h2")).to_have_text("layer4.1.conv2")
    expect(page.locator(".source-caption")).to_contain_text("the first 28 of 512 filters")
    last.locator(".tiles button").first.click()
    title = page.locator("map-inspector h2")
    expect(title).to_contain_text("channel")
    before = int(title.inner_text().rpartition(" ")[2])
    page.get_by_label("Next channel").click()
    channel = (before + 1) % 512
    expect(title).to_have_text(f"layer4.1.conv2 · channel {channel}")
    expect(page.locator(".source-caption")).to_have_text("its filter: 512 kernels of 3 \u00d7 3")
    expect(page.locator("map-inspector > .facts")).to_contain_text("smallest", timeout=SLOW)
    maps = activations(server, "layer4.1.conv2", image, "resnet18")
    where, value = read(page, "map", 2, 5, 7, 7)
    assert f"channel {channel} · y 2 · x 5" in where
    assert value == pytest.approx(float(maps[channel, 2, 5]), rel=1e-5, abs=1e-6)


def test_a_stroke_sends_what_is_in_view_and_says_how_many(open_page: OpenPage) -> None:
    page = open_page("/?model=resnet18").page
    page.wait_for_selector("html[data-ready]")
    sizes: list[int] = []
    page.on("response", lambda one: sizes.append(len(one.body())) if "/trace" in one.url else None)
    draw(page, SEVEN)
    expect(page.locator(".answer-label")).not_to_have_text("?", timeout=SLOW)
    page.wait_for_url("**image=*")
    for layer, words in (("conv1", "5 of 64"), ("maxpool", "20 of 64")):
        expect(column(page, layer).locator(".more")).to_have_text(words)
        assert column(page, layer).locator("button[data-channel]").count() == int(words.split()[0])
    assert sizes
    assert max(sizes) < 4e6  # All of it would be 30 MB.
    tiles = page.locator("layer-column .tiles button").count()
    total = page.locator("layer-column").evaluate_all(
        "all => all.map(one => one.dataset.shape.split(',')).filter(s => s.length === 3)"
        ".reduce((sum, s) => sum + Number(s[0]), 0)"
    )
    assert tiles < total


def test_the_strongest_maps_have_their_own_colours_and_values(
    open_page: OpenPage, server: str, photo: Path
) -> None:
    page = open_page("/?model=resnet18&layer=conv1").page
    image = show(page, photo)
    maps = activations(server, "conv1", image, "resnet18")
    order = np.argsort(-np.abs(maps).mean(axis=(1, 2)), kind="stable")
    tiles = column(page, "conv1").locator(".tiles button")
    shown = tiles.evaluate_all("all => all.map(one => Number(one.dataset.channel))")
    assert shown == order[:5].tolist()
    facts = dict(
        zip(
            page.locator(".facts dt").all_inner_texts(),
            page.locator(".facts dd").all_inner_texts(),
            strict=True,
        )
    )
    assert facts["shown"] == "20 of 64, the strongest"
    assert facts["largest"] == f"{maps.max():.4f}"
    assert facts["smallest"].replace("\N{MINUS SIGN}", "-") == f"{maps.min():.4f}"


def test_the_most_probable_of_a_thousand_classes(
    open_page: OpenPage, server: str, photo: Path
) -> None:
    page = open_page("/?model=resnet18").page
    show(page, photo)
    bars = page.locator("probability-bars li")
    expect(bars).to_have_count(10)
    expect(page.locator("probability-bars header")).to_contain_text("10 of 1,000 classes")
    expect(bars.first.locator(".label")).to_have_text(page.locator(".answer-label").inner_text())
    shares = bars.locator(".fill").evaluate_all(
        "all => all.map(r => Number(r.style.getPropertyValue('--share')))"
    )
    assert shares == sorted(shares, reverse=True)
    title = bars.nth(3).get_attribute("title") or ""
    best = bars.first.get_attribute("title") or ""
    logit, first = (float(one.split(",")[0].removeprefix("logit ")) for one in (title, best))
    assert shares[3] / shares[0] == pytest.approx(np.exp(logit - first), rel=1e-3)


@pytest.mark.parametrize("width", [360, 2560])
def test_a_link_to_a_deep_layer_brings_its_column_into_view(
    open_page: OpenPage, width: int
) -> None:
    page = open_page("/?model=resnet18&layer=layer3.0.downsample.1&channel=200", width=width).page
    page.wait_for_selector("html[data-ready]")
    expect(page.locator("map-inspector h2")).to_have_text("layer3.0.downsample.1 · channel 200")
    inside = column(page, "layer3.0.downsample.1").evaluate(
        """one => {
          const [box, room] = [one, one.parentElement].map(e => e.getBoundingClientRect());
          return box.left >= room.left - 1 && box.right <= room.right + 1;
        }"""
    )
    assert inside
    assert page.evaluate("document.documentElement.scrollWidth") <= width
