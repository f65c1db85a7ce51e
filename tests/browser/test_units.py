"""How a number came about: from a probability down to a drawn pixel, by keys, mouse and address."""

import io
import re
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np
import pytest
import torch
from playwright.sync_api import Locator, Page, expect
from safetensors.torch import load
from torch import Tensor, nn

from app.core.checkpoints import load_network
from models.registry import WEIGHTS, list_cards
from tests.browser.conftest import OpenPage, Watched
from tests.browser.drawing import ONE, draw, draw_seven, kept

Place = tuple[str, int, int, int]

MINUS = "\N{MINUS SIGN}"


def torch_says(server: str, image: str, model: str = "digits") -> dict[str, Tensor]:
    """What torch's own modules make of a kept picture, one after the other."""
    picture = httpx.get(f"{server}/api/v1/images/{image}").raise_for_status().content
    headers = {"Content-Type": "image/png"}
    answer = httpx.post(
        f"{server}/api/v1/trace", params={"model": model}, content=picture, headers=headers
    )
    card = next(one for one in list_cards() if one.name == model)
    network = load_network(card, WEIGHTS)
    assert isinstance(network, nn.Sequential)
    value = load(answer.raise_for_status().content)["input"][None]
    activations = {"input": value[0]}
    with torch.inference_mode():
        for name, module in network.named_children():
            value = module(value)
            activations[name] = value[0].clone()
    activations["softmax"] = value[0].softmax(dim=0)
    return activations


def here(page: Page) -> Place:
    """The unit that the address names."""
    query = parse_qs(urlsplit(page.url).query)
    return (
        query["layer"][0],
        int(query["channel"][0]),
        int(query["y"][0]),
        int(query["x"][0]),
    )


def number(activations: dict[str, Tensor], place: Place) -> float:
    layer, *index = place
    tensor = activations[layer]
    return float(tensor[tuple(index[: tensor.ndim])])


def shown(page: Page) -> float:
    """The number on the card, exactly."""
    return float(page.locator(".unit-value").get_attribute("title") or "nan")


def decimals(text: str | None) -> Decimal:
    found = re.search(rf"{MINUS}?\d+\.\d+", text or "")
    assert found, text
    return Decimal(found[0].replace(MINUS, "-"))


def open_unit(page: Page, place: Place) -> None:
    """Open the unit by its address."""
    layer, channel, y, x = place
    address = re.sub(r"&(layer|channel|y|x)=[^&]*", "", page.url)
    page.goto(f"{address}&layer={layer}&channel={channel}&y={y}&x={x}")
    page.wait_for_selector("html[data-ready]")
    expect(page.locator("unit-card")).to_be_visible()


def part(page: Page, name: str) -> Locator:
    """The number of the line that is called so."""
    return page.locator(".unit-line span", has=page.get_by_text(name, exact=True)).locator("b")


def test_from_a_probability_to_a_drawn_pixel_by_keys_alone(explore: Watched, server: str) -> None:
    page = explore.page
    page.keyboard.press("7")
    image = kept(page)
    activations = torch_says(server, image)
    for _ in range(300):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.answer li:nth-child(8) button')"):
            break
    page.keyboard.press("Enter")
    heading = page.locator("map-inspector h2")
    expect(heading).to_have_text("softmax · unit 7")
    way: list[Place] = []
    while not way or way[-1][0] != "input":
        if way:
            page.keyboard.press("Enter")
            expect(heading).not_to_have_text(title(way[-1]))
        place = here(page)
        expect(heading).to_have_text(title(place))
        page.wait_for_function(
            f"() => document.querySelector('unit-card').unit?.layer === '{place[0]}'"
        )
        assert shown(page) == pytest.approx(number(activations, place), rel=1e-5)
        expect(page.locator(".unit-verdict")).to_have_text("✓ equals torch")
        way.append(place)
    layers = [place[0] for place in way if place[0] != "flatten"]
    assert layers == [
        *("softmax", "fc1", "pool3", "relu3", "conv3", "pool2", "relu2", "conv2"),
        *("pool1", "relu1", "conv1", "input"),
    ]
    assert shown(page) > 0, "the way ends at a pixel with ink"
    for place in reversed(way[:-1]):
        page.keyboard.press("Backspace")
        expect(page.locator("map-inspector h2")).to_have_text(title(place))
    assert here(page) == way[0]


def title(place: Place) -> str:
    layer, channel, y, x = place
    if layer in ("softmax", "fc1", "flatten"):
        return f"{layer} · unit {channel}"
    return f"{layer} · channel {channel} · y {y} · x {x}"


@pytest.mark.parametrize(
    "place", [("conv1", 3, 0, 0), ("conv2", 9, 6, 7), ("conv3", 100, 3, 3), ("fc1", 7, 0, 0)]
)
def test_what_is_shown_adds_up_to_what_is_shown(
    explore: Watched, server: str, place: Place
) -> None:
    page = explore.page
    activations = torch_says(server, draw_seven(page))
    open_unit(page, place)
    expect(page.locator(".unit-line b").first).to_be_visible()
    for digits in (4, 7, 10):
        terms = [decimals(text) for text in page.locator(".term b").all_inner_texts()]
        terms += [decimals(text) for text in page.locator(".term-tables p b").all_inner_texts()]
        rest = page.locator(".term-rest:visible")
        if rest.count():
            terms.append(decimals(rest.locator("b").text_content()))
        bias = decimals(part(page, "bias").text_content())
        total = decimals(part(page, place[0]).text_content())
        products = decimals(page.locator(".unit-line b").first.text_content())
        assert sum(terms) == products
        assert products + bias == total
        assert float(total) == pytest.approx(
            number(activations, place), abs=2e-6 + 0.6 / 10**digits
        )
        page.locator(".unit-digits").click()


def test_its_address_shows_the_same_card_in_another_browser(
    explore: Watched, open_page: OpenPage
) -> None:
    page = explore.page
    draw_seven(page)
    page.locator("layer-column[data-name=conv2] button[data-channel='9']").click()
    page.locator("number-grid.map canvas").click(position={"x": 60, "y": 60})
    expect(page.locator("unit-card")).to_be_visible()
    other = open_page(page.url).page
    expect(other.locator("map-inspector h2")).to_have_text(title(here(page)))
    for one in (page, other):
        expect(one.locator("unit-card [role=status]")).to_contain_text("It equals torch's.")
    words = page.locator("unit-card").inner_text()
    assert other.locator("unit-card").inner_text() == words
    page.locator(".term").first.click()
    expect(page.locator("map-inspector h2")).to_contain_text("pool1")
    page.go_back()
    expect(page.locator("map-inspector h2")).to_contain_text("conv2 · channel 9")
    page.go_forward()
    expect(page.locator("map-inspector h2")).to_contain_text("pool1")


def test_the_card_follows_the_pen(explore: Watched, server: str) -> None:
    page = explore.page
    before = torch_says(server, draw_seven(page))
    place = ("conv1", 3, 14, 14)
    open_unit(page, place)
    expect(page.locator(".unit-value")).to_have_attribute("title", re.compile(r"\d"))
    assert shown(page) == pytest.approx(number(before, place), rel=1e-5)
    page.keyboard.press("c")
    draw(page, ONE)
    page.wait_for_timeout(1500)
    after = torch_says(server, kept(page))
    assert number(after, place) != number(before, place)
    assert shown(page) == pytest.approx(number(after, place), rel=1e-5)


def test_arrows_brackets_and_pages_move_by_one(explore: Watched) -> None:
    page = explore.page
    draw_seven(page)
    open_unit(page, ("conv2", 9, 6, 7))
    heading = page.locator("map-inspector h2")
    for key, there in (
        ("ArrowRight", "conv2 · channel 9 · y 6 · x 8"),
        ("ArrowDown", "conv2 · channel 9 · y 7 · x 8"),
        ("ArrowLeft", "conv2 · channel 9 · y 7 · x 7"),
        ("ArrowUp", "conv2 · channel 9 · y 6 · x 7"),
        ("]", "conv2 · channel 10 · y 6 · x 7"),
        ("[", "conv2 · channel 9 · y 6 · x 7"),
        ("PageUp", "pool1 · channel 9 · y 6 · x 7"),
        ("PageUp", "relu1 · channel 9 · y 13 · x 15"),
        ("PageDown", "pool1 · channel 9 · y 6 · x 7"),
    ):
        page.keyboard.press(key)
        expect(heading).to_have_text(there)


def test_the_window_sweeps_while_the_map_fills_in(explore: Watched) -> None:
    page = explore.page
    draw_seven(page)
    open_unit(page, ("pool1", 3, 0, 12))
    expect(page.locator(".unit-verdict")).to_be_visible()
    page.locator(".unit-step").click()
    assert here(page) == ("pool1", 3, 0, 13)
    page.locator(".unit-step").click()
    assert here(page) == ("pool1", 3, 1, 0)
    page.locator(".unit-speed input").fill("5")
    page.locator(".unit-play").click()
    page.wait_for_url(re.compile("y=2"))
    blank = """() => {
      const canvas = document.querySelector('number-grid.map canvas');
      const { width, height } = canvas;
      const copy = new OffscreenCanvas(width, height).getContext('2d');
      copy.drawImage(canvas, 0, 0);
      const pixels = copy.getImageData(0, height - 3, width, 1).data;
      return pixels.every(value => value === 0);
    }"""
    assert page.evaluate(blank), "the last row is not there yet"
    page.locator(".unit-play").click()
    place = here(page)
    page.wait_for_timeout(300)
    assert here(page) == place
    assert not page.evaluate(blank)


def test_a_pool_shows_its_winner_and_a_dead_relu_says_so(explore: Watched, server: str) -> None:
    page = explore.page
    activations = torch_says(server, draw_seven(page))
    open_unit(page, ("pool1", 3, 6, 7))
    window = activations["relu1"][3, 12:14, 14:16].flatten()
    cells = page.locator("table.window td")
    titles = [float(cell.get_attribute("title") or "nan") for cell in cells.all()]
    assert titles == pytest.approx(window.tolist())
    winner = page.locator("table.window td[data-winner]")
    assert float(winner.get_attribute("title") or "nan") == pytest.approx(float(window.max()))
    dead = (activations["relu2"].amax(dim=(1, 2)) == 0).nonzero().flatten().tolist()
    alive = (activations["relu2"].amax(dim=(1, 2)) > 0).nonzero().flatten().tolist()
    open_unit(page, ("relu2", alive[0], 3, 3))
    expect(page.locator(".unit-note")).to_be_hidden()
    if dead:
        open_unit(page, ("relu2", dead[0], 3, 3))
        expect(page.locator(".unit-note")).to_contain_text("Dead here")


def test_softmax_can_be_tried_at_another_temperature(explore: Watched, server: str) -> None:
    page = explore.page
    activations = torch_says(server, draw_seven(page))
    open_unit(page, ("softmax", 7, 0, 0))
    row = page.locator(".softmax tr[data-chosen]")
    share = row.locator("td").last
    expect(share).to_have_attribute("title", re.compile("0.9"))
    page.get_by_label("Temperature").fill("3")
    warm = (activations["fc1"] / 8).softmax(dim=0)[7]
    assert float(share.get_attribute("title") or 0) == pytest.approx(float(warm), rel=1e-4)
    page.get_by_label("Logit of 3").fill("9")
    dragged = activations["fc1"].clone()
    dragged[3] = float(page.get_by_label("Logit of 3").input_value())
    moved = (dragged / 8).softmax(dim=0)[7]
    assert float(share.get_attribute("title") or 0) == pytest.approx(float(moved), rel=1e-4)
    page.get_by_role("button", name="As computed").click()
    told = float(share.get_attribute("title") or 0)
    assert told == pytest.approx(float(activations["softmax"][7]), rel=1e-5)


def test_of_many_channels_few_are_shown_and_more_on_demand(open_page: OpenPage) -> None:
    page = open_page("/?model=resnet18").page
    page.wait_for_selector("html[data-ready]")
    draw_seven(page)
    open_unit(page, ("layer4.1.conv2", 100, 3, 3))
    expect(page.locator(".term-rest")).to_contain_text("507 more")
    assert page.locator(".term").count() == 5
    page.locator(".term-rest").click()
    expect(page.locator(".term-rest")).to_contain_text("483 more")
    assert page.locator(".term").count() == 29


def test_what_it_sees_lies_on_the_drawing(open_page: OpenPage, server: str) -> None:
    pixels = [[255 if x in (13, 14) and 4 < y < 24 else 0 for x in range(28)] for y in range(28)]
    answer = httpx.post(f"{server}/api/v1/images", json={"pixels": pixels}).raise_for_status()
    image = answer.json()["id"]
    page = open_page(f"/?image={image}&layer=conv1&channel=3&y=10&x=1").page
    frame = page.locator("pad-overlay .field")
    expect(frame).to_be_visible()
    # A window of 5 x 5 around row 10, column 1; its first column lies in the padding.
    sides = frame.evaluate("one => ['top', 'left', 'height', 'width'].map(s => one.style[s])")
    told = [float(side.removesuffix("%")) for side in sides]
    assert told == pytest.approx([100 * side / 28 for side in (8, 0, 5, 4)], abs=1e-3)
    page.locator(".unit-gradient").click()
    canvas = page.locator("pad-overlay canvas")
    expect(canvas).to_be_visible()
    unit = f"{server}/api/v1/models/digits/layers/conv1/units/3/10/1"
    strengths = np.load(
        io.BytesIO(httpx.get(f"{unit}/effective_field.npy", params={"image": image}).content)
    )
    shown = canvas.evaluate(
        """one => {
          const copy = new OffscreenCanvas(one.width, one.height).getContext('2d');
          copy.drawImage(one, 0, 0);
          const { data } = copy.getImageData(0, 0, one.width, one.height);
          return Array.from({ length: data.length / 4 }, (_, at) => data[at * 4 + 3]);
        }"""
    )
    wanted = np.rint(220 * strengths / strengths.max()).flatten()
    assert np.abs(np.array(shown) - wanted).max() <= 1
    assert np.count_nonzero(shown) <= 20
