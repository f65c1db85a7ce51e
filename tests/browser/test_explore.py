"""The explore page's main job: draw, and everything follows."""

import io

import httpx
import numpy as np
import pytest
from playwright.sync_api import expect

from app.core.coloring import Theme, color_indices, palette, value_range
from tests.browser.conftest import OpenPage, Watched
from tests.browser.drawing import ONE, SEVEN, draw, draw_seven, kept, on_page

TIMES = "\N{MULTIPLICATION SIGN}"


def activations(server: str, layer: str, image: str, model: str = "digits") -> np.ndarray:
    url = f"{server}/api/v1/models/{model}/layers/{layer}/activations.npy"
    answer = httpx.get(url, params={"image": image}).raise_for_status()
    return np.asarray(np.load(io.BytesIO(answer.content)))


def predicted(server: str, image: str, model: str = "digits") -> dict[str, object]:
    picture = httpx.get(f"{server}/api/v1/images/{image}").raise_for_status().content
    answer = httpx.post(
        f"{server}/api/v1/predict", params={"model": model}, files={"image": picture}
    )
    return dict(answer.raise_for_status().json())


def test_a_drawn_seven_is_read_and_its_bars_are_the_api_s(explore: Watched, server: str) -> None:
    page = explore.page
    image = draw_seven(page)
    expect(page.locator(".answer-label")).to_have_text("7")
    answer = predicted(server, image)
    assert answer["label"] == "7"
    shown = page.locator("probability-bars .fill").evaluate_all(
        "rows => rows.map(row => Number(row.style.getPropertyValue('--share')))"
    )
    wanted = [entry["probability"] for entry in answer["probabilities"]]  # type: ignore[attr-defined]
    assert shown == pytest.approx(wanted, abs=1e-6)
    assert sum(shown) == pytest.approx(1, abs=1e-5)


def test_maps_move_while_the_pen_is_down(explore: Watched) -> None:
    page = explore.page
    pictures = """() => {
      const canvas = document.querySelector('layer-columns > canvas');
      return [...document.querySelectorAll('layer-column .maps')].map(maps => {
        const left = maps.getBoundingClientRect().left - canvas.getBoundingClientRect().left;
        const [width, height] = [maps.clientWidth, maps.clientHeight];
        const copy = new OffscreenCanvas(width, height).getContext('2d');
        copy.drawImage(canvas, -Math.round(left), 0);
        return copy.getImageData(0, 0, width, height).data.join();
      });
    }"""
    page.mouse.move(*on_page(page, SEVEN[0][0]))
    page.mouse.down()
    seen = []
    for point in SEVEN[0][1:5]:
        page.mouse.move(*on_page(page, point), steps=4)
        page.wait_for_timeout(250)
        seen.append(page.evaluate(pictures))
    page.mouse.up()
    for column in zip(*seen, strict=True):
        assert len(set(column)) > 1


def test_one_request_is_in_flight_and_the_newest_drawing_wins(explore: Watched) -> None:
    page = explore.page
    page.evaluate(
        """() => {
          const [real, seen] = [window.fetch, { now: 0, most: 0, sent: 0 }];
          window.seen = seen;
          window.fetch = async (url, options) => {
            if (!String(url).includes('/trace')) return real(url, options);
            seen.sent++;
            seen.most = Math.max(seen.most, ++seen.now);
            // One that is given up is in flight no longer.
            await new Promise(resolve => {
              setTimeout(resolve, 200);
              options.signal.addEventListener('abort', resolve);
            });
            try {
              return await real(url, options);
            } finally {
              seen.now--;
            }
          };
        }"""
    )
    draw(page, [[(140, 50), (138, 225)]])
    draw_seven(page)
    page.keyboard.press("c")
    page.keyboard.press("0")
    expect(page.locator(".answer-label")).to_have_text("0")
    seen = page.evaluate("window.seen")
    assert seen["most"] == 1
    assert seen["sent"] >= 2


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_tile_has_the_colours_of_its_numbers(
    open_page: OpenPage, server: str, theme: Theme
) -> None:
    page = open_page("/", color_scheme=theme).page
    page.wait_for_selector("html[data-ready]")
    image = draw_seven(page)
    for layer, signed in (("conv1", True), ("pool2", False)):
        maps = activations(server, layer, image)
        column = page.locator(f"layer-column[data-name={layer}]")
        painted = column.evaluate(
            """column => {
              const canvas = document.querySelector('layer-columns > canvas');
              const tile = column.querySelectorAll('.tiles button')[3];
              const [outer, {left, top, width, height}] =
                [canvas.getBoundingClientRect(), tile.getBoundingClientRect()];
              const copy = new OffscreenCanvas(width, height).getContext('2d');
              copy.drawImage(canvas, -Math.round(left - outer.left), outer.top - top);
              return {channel: Number(tile.dataset.channel), width, height,
                data: [...copy.getImageData(0, 0, width, height).data]};
            }"""
        )
        values = maps[painted["channel"]]
        pixels = np.array(painted["data"]).reshape(painted["height"], painted["width"], 4)[..., :3]
        rows = np.arange(painted["height"]) * values.shape[0] // painted["height"]
        columns = np.arange(painted["width"]) * values.shape[1] // painted["width"]
        indices = color_indices(values, value_range(values, signed))[np.ix_(rows, columns)]
        colors = palette(theme, signed)[indices].astype(int)
        # The page rounds halves up and numpy to even, so a colour may be its neighbour's.
        assert np.abs(pixels - colors).max() <= 4


def test_every_layer_is_there_in_forward_order(explore: Watched, server: str) -> None:
    description = httpx.get(f"{server}/api/v1/models/digits").json()
    columns = explore.page.locator("layer-column")
    names = columns.evaluate_all("all => all.map(one => one.dataset.name)")
    layers = description["layers"]
    assert names == ["input", *(layer["name"] for layer in layers if layer["kind"] != "softmax")]
    for layer in layers[:-1]:
        header = explore.page.locator(f"layer-column[data-name={layer['name']}] header")
        expect(header).to_contain_text(layer["kind"].replace("_", " "))
        expect(header).to_contain_text(TIMES.join(str(size) for size in layer["output_shape"]))
        if layer["parameters"]:
            expect(header).to_contain_text(f"{layer['parameters']:,}")


def test_every_channel_has_a_map(explore: Watched) -> None:
    page = explore.page
    draw_seven(page)
    for name in ("conv1", "conv2", "conv3"):
        column = page.locator(f"layer-column[data-name={name}]")
        channels = int((column.get_attribute("data-shape") or "").split(",")[0])
        shown = column.locator(".tiles button").count()
        if shown < channels:
            expect(column.locator(".more")).to_have_text(f"{shown} of {channels}")


def test_a_map_opens_and_its_values_are_torch_s(explore: Watched, server: str) -> None:
    page = explore.page
    image = draw_seven(page)
    page.locator("layer-column[data-name=conv2] [data-channel='9']").click()
    expect(page.locator("map-inspector h2")).to_have_text("conv2 · channel 9")
    values = activations(server, "conv2", image)[9]
    canvas = page.locator("number-grid.map .room canvas")
    box = canvas.bounding_box()
    assert box is not None
    for y, x in ((0, 0), (6, 7), (13, 2)):
        height, width = values.shape
        canvas.hover(
            position={
                "x": (x + 0.5) * box["width"] / width,
                "y": (y + 0.5) * box["height"] / height,
            }
        )
        output = page.locator("number-grid.map output")
        expect(output).to_contain_text(f"channel 9 · y {y} · x {x}")
        exact = output.locator("b").get_attribute("title")
        assert float(exact or "nan") == pytest.approx(float(values[y, x]), rel=1e-6)


def test_a_filter_shows_its_weights(explore: Watched, server: str) -> None:
    page = explore.page
    page.goto("/?layer=conv2&channel=4")
    page.wait_for_selector("html[data-ready]")
    answer = httpx.get(
        f"{server}/api/v1/models/digits/layers/conv2/filters.npy", params={"channel": 4}
    )
    weights = np.load(io.BytesIO(answer.content))
    grid = page.locator("number-grid.source .room canvas")
    grid.focus()
    page.keyboard.press("ArrowRight")
    output = page.locator("number-grid.source output")
    expect(output).to_contain_text("filter 4 · kernel 0 · y 0 · x 0")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(output).to_contain_text("filter 4 · kernel 0 · y 1 · x 1")
    exact = output.locator("b").get_attribute("title")
    assert float(exact or "nan") == pytest.approx(float(weights[0, 1, 1]), rel=1e-6)


def test_the_address_shows_the_same_again(explore: Watched, open_page: OpenPage) -> None:
    page = explore.page
    draw_seven(page)
    page.locator("layer-column[data-name=relu2] [data-channel='5']").click()
    share = page.locator(".answer-share").inner_text()
    other = open_page(page.url).page
    expect(other.locator("map-inspector h2")).to_have_text("relu2 · channel 5")
    expect(other.locator(".answer-label")).to_have_text("7")
    expect(other.locator(".answer-share")).to_have_text(share)


@pytest.mark.parametrize(
    ("asked", "said", "left"),
    [
        ("layer=nope&channel=3", "digits has no layer 'nope'. Its layers are input, conv1,", ""),
        ("layer=" + "n" * 400, "digits has no layer", ""),
        (
            "layer=conv1&channel=999",
            "conv1 has no channel 999. Its channels are 0 to 15.",
            "&layer=conv1",
        ),
        (
            "layer=conv1&channel=2&y=28&x=0",
            "conv1 has no unit in row 28, column 0. Its rows are 0 to 27",
            "&layer=conv1&channel=2",
        ),
    ],
)
def test_an_address_of_what_isn_t_there_says_so_and_is_corrected(
    explore: Watched, open_page: OpenPage, asked: str, said: str, left: str
) -> None:
    image = draw_seven(explore.page)
    page = open_page(f"/?model=digits&image={image}&{asked}", width=360, touch=True).page
    page.wait_for_selector("html[data-ready]")
    message = page.locator("#message")
    expect(message).to_contain_text(said)
    # The picture is read all the same, which doesn't take back what was said.
    expect(page.locator(".answer-label")).to_have_text("7")
    expect(message).to_contain_text(said)
    assert page.url.partition("?")[2] == f"model=digits&image={image}{left}"
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.locator("layer-column[data-name=conv1] [data-channel='3']").click()
    expect(message).to_be_hidden()


def test_back_and_forward_walk_through_what_was_chosen(explore: Watched) -> None:
    page = explore.page
    draw_seven(page)
    title = page.locator("map-inspector h2")
    page.locator("layer-column[data-name=conv1] [data-channel='2']").click()
    page.locator("layer-column[data-name=conv2] [data-channel='3']").click()
    expect(title).to_have_text("conv2 · channel 3")
    page.go_back()
    expect(title).to_have_text("conv1 · channel 2")
    page.go_forward()
    expect(title).to_have_text("conv2 · channel 3")
    page.keyboard.press("Escape")
    expect(page.locator("map-inspector")).to_be_hidden()


def test_another_model_takes_over_the_drawing(explore: Watched, server: str) -> None:
    page = explore.page
    image = draw_seven(page)
    page.locator("#model").select_option("convnet-revisited")
    expect(page.locator("layer-column[data-name=conv2]")).to_have_attribute(
        "data-shape", "32,14,14"
    )
    page.wait_for_url("**model=convnet-revisited**")
    expect(page.locator(".answer-label")).to_have_text("7")
    best = max(
        predicted(server, image, "convnet-revisited")["probabilities"],  # type: ignore[call-overload]
        key=lambda entry: entry["probability"],
    )
    row = page.locator("probability-bars li[data-best]")
    expect(row.locator(".label")).to_have_text(best["label"])
    page.go_back()
    expect(page.locator("#model")).to_have_value("digits")
    expect(page.locator("layer-column[data-name=conv3]")).to_have_count(1)


def test_one_scale_per_layer_or_per_map(explore: Watched) -> None:
    page = explore.page
    draw_seven(page)
    picture = "canvas => canvas.toDataURL()"
    canvas = page.locator("layer-columns > canvas")
    per_map = canvas.evaluate(picture)
    page.get_by_label("layer", exact=True).check(force=True)
    page.wait_for_url("**scale=layer**")
    assert canvas.evaluate(picture) != per_map
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    expect(page.get_by_label("map", exact=True)).to_be_checked()
    assert canvas.evaluate(picture) == per_map


def test_undo_clear_and_eraser(explore: Watched) -> None:
    page = explore.page
    label = page.locator(".answer-label")
    draw_seven(page)
    expect(label).to_have_text("7")
    page.locator("#clear").click()
    expect(label).to_have_text("?")
    expect(page.locator("drawing-pad")).to_have_attribute("data-empty", "")
    page.keyboard.press("Control+z")
    expect(label).to_have_text("7")
    page.keyboard.press("u")
    expect(label).to_have_text("?")
    expect(page.locator("#undo")).to_be_disabled()
    draw(page, ONE)
    expect(label).to_have_text("1")
    page.keyboard.press("e")
    expect(page.locator("#eraser")).to_have_attribute("aria-pressed", "true")
    page.locator("#brush-size").fill("48")
    explore.expect("status of 422")
    draw(page, ONE)
    expect(page.locator("#message")).to_contain_text("raw something")
    expect(label).to_have_text("?")


@pytest.mark.parametrize("digit", range(10))
def test_an_example_is_replayed_and_read(explore: Watched, digit: int) -> None:
    page = explore.page
    page.keyboard.press(str(digit))
    kept(page)
    expect(page.locator(".answer-label")).to_have_text(str(digit))


def test_drawing_with_the_keyboard_alone(explore: Watched) -> None:
    page = explore.page
    page.locator("drawing-pad > canvas").focus()
    for _ in range(8):
        page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    for _ in range(16):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(page.locator(".answer-label")).to_have_text("1")
