"""Training from the page: a run is started, watched, held, ended, compared and deleted."""

import csv
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import OpenPage
from tests.conftest import start_server, stop, wait_until_up

# A training process is polite, and waits while the machine has other work.
PATIENCE = 90_000
QUICK = {"network": "simple-cnn", "dataset": "optdigits", "epochs": 3}
LONG = QUICK | {"epochs": 5000}
# Its weights grow beyond all numbers.
FAILING = QUICK | {"optimizer": "sgd", "learning_rate": 100, "weight_decay": 100}


@pytest.fixture
def runs(server: str) -> Iterator[httpx.Client]:
    """A client of the runs' API; whatever still trains in the end is cancelled."""
    with httpx.Client(base_url=f"{server}/api/v1", timeout=60) as client:
        yield client
        for run in client.get("/runs").json():
            if run["state"] in ("queued", "running", "paused", "interrupted"):
                client.post(f"/runs/{run['id']}/cancel").raise_for_status()


def launch(runs: httpx.Client, recipe: dict[str, object], name: str) -> str:
    return str(runs.post("/runs", params={"name": name}, json=recipe).json()["id"])


def wait_for(page: Page, state: str) -> None:
    expect(page.locator("#state")).to_have_text(state, timeout=PATIENCE)


def epochs_of(page: Page) -> list[list[str]]:
    """The table below the curves."""
    rows: list[list[str]] = page.locator("#epochs tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    return rows


def painted(page: Page, chart: str) -> int:
    """How many pixels of a chart are in the colour of a validation curve."""
    count: int = page.locator(f"{chart} canvas").evaluate(
        """canvas => {
          const style = getComputedStyle(document.documentElement).getPropertyValue('--curve-1');
          const wanted = style.trim().match(/[0-9a-f]{2}/gi).map(two => parseInt(two, 16));
          const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          let count = 0;
          for (let at = 0; at < data.length; at += 4)
            count += wanted.every((value, channel) => data[at + channel] === value);
          return count;
        }"""
    )
    return count


def test_a_run_is_started_by_the_form_and_watched_until_it_ends(
    open_page: OpenPage, runs: httpx.Client
) -> None:
    page = open_page("/runs").page
    page.wait_for_selector("html[data-ready]")
    page.locator("#train").get_by_label("Network").select_option("simple-cnn")
    page.locator("#train").get_by_label("Data set").select_option("optdigits")
    page.locator("#train").get_by_label("Epochs").fill("3")
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url("**/runs/*")
    page.evaluate("document.documentElement.dataset.same = 'page'")
    wait_for(page, "finished")
    assert page.evaluate("document.documentElement.dataset.same") == "page"
    expect(page.locator("#epochs tr")).to_have_count(3)
    shown = epochs_of(page)
    run = page.url.rpartition("/")[2]
    told = runs.get(f"/runs/{run}").json()
    assert told["recipe"]["network"] == "simple-cnn"
    assert shown[2][2] == f"{told['metrics']['validation_loss']:.4f}"
    accuracies = [float(row[3].split()[0]) for row in shown]
    assert max(accuracies) == pytest.approx(told["metrics"]["best_accuracy"] * 100, abs=0.006)
    expect(page.locator("#sentence")).to_contain_text(f"{max(accuracies):.2f} %")
    expect(page.locator("#epoch")).to_have_text("3 of 3")
    assert page.locator("#progress").evaluate("bar => bar.value") == 1
    assert painted(page, "#loss") > 50
    assert painted(page, "#accuracy") > 50
    page.reload()
    wait_for(page, "finished")
    expect(page.locator("#epochs tr")).to_have_count(3)
    assert epochs_of(page) == shown
    with page.expect_download() as download:
        page.get_by_role("link", name="as CSV").click()
    rows = list(csv.DictReader(download.value.path().read_text().splitlines()))
    assert [f"{float(row['train_loss']):.4f}" for row in rows] == [row[1] for row in shown]


def test_the_curves_can_be_read_by_hovering_and_on_a_logarithmic_scale(
    open_page: OpenPage, runs: httpx.Client
) -> None:
    page = open_page(f"/runs/{launch(runs, QUICK, 'hovered')}").page
    wait_for(page, "finished")
    expect(page.locator("#epochs tr")).to_have_count(3)
    for _ in range(2):
        box = page.locator("#loss .u-over").bounding_box()
        assert box
        page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 40)
        values = page.locator("#loss .u-legend .u-value")
        expect(values.nth(0)).to_have_text("3")
        expect(values.nth(2)).to_have_text(epochs_of(page)[2][1])
        expect(values.nth(3)).to_have_text(epochs_of(page)[2][2])
        page.get_by_label("logarithmic").check()
    page.locator("#theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.locator("#theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert painted(page, "#loss") > 50


@pytest.mark.parametrize(
    ("label", "typed", "says"),
    [
        ("Epochs", "0", "epochs lies between 1 and 10000, not at 0."),
        ("Learning rate", "-1", "learning_rate lies between 1e-09 and 100, not at -1."),
        ("Batch size", "2.5", "batch_size is a whole number, not 2.5."),
        ("Augmentation", "[1", "augmentation is a list, not '[1'."),
        ("Device", "tpu", "The device 'tpu' is not on this machine."),
    ],
)
def test_a_refusal_stands_beside_the_field_in_the_words_of_the_server(
    open_page: OpenPage, label: str, typed: str, says: str
) -> None:
    watched = open_page("/runs")
    watched.expect("status of 422")
    page = watched.page
    page.wait_for_selector("html[data-ready]")
    page.get_by_text("All else that a recipe has").click()
    page.locator("#train").get_by_label("Seed").fill("7")
    page.locator("#train").get_by_label(label).fill(typed)
    page.get_by_role("button", name="Train", exact=True).click()
    field = page.locator("#train").get_by_label(label)
    expect(page.locator("#train .fault:visible")).to_have_count(1)
    described = f"#{field.get_attribute('aria-describedby')}"
    expect(page.locator(described)).to_contain_text(says)
    expect(page.locator(described)).to_be_visible()
    box, below = field.bounding_box(), page.locator(described).bounding_box()
    assert box
    assert below
    assert 0 <= below["y"] - box["y"] - box["height"] < 20
    expect(page.locator("#refusal")).to_be_hidden()
    expect(page.locator("#train").get_by_label(label)).to_have_value(typed)
    expect(page.locator("#train").get_by_label(label)).to_be_focused()
    expect(page.locator("#train").get_by_label(label)).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#train").get_by_label("Seed")).to_have_value("7")


def test_every_wrong_field_says_so_and_the_first_has_the_focus(open_page: OpenPage) -> None:
    watched = open_page("/runs")
    watched.expect("status of 422")
    page = watched.page
    page.wait_for_selector("html[data-ready]")
    form = page.locator("#train")
    page.get_by_text("All else that a recipe has").click()
    form.get_by_label("Seed").fill("-1")
    form.get_by_label("Batch size").fill("0")
    page.get_by_text("All else that a recipe has").click()
    page.get_by_role("button", name="Train", exact=True).click()
    expect(form.locator(".fault:visible")).to_have_count(2)
    expect(form.get_by_label("Batch size")).to_be_focused()
    expect(form.get_by_label("Seed")).to_have_attribute("aria-invalid", "true")
    form.get_by_label("Seed").fill("1")
    form.get_by_label("Batch size").fill("1294")
    page.get_by_role("button", name="Train", exact=True).click()
    expect(form.locator(".fault:visible")).to_have_count(1)
    expect(page.locator("#fault-batch_size")).to_contain_text("Choose 1293 or fewer.")
    expect(form.get_by_label("Seed")).not_to_have_attribute("aria-invalid", "true")


def test_the_recipe_of_the_shipped_model_can_be_filled_in(open_page: OpenPage, server: str) -> None:
    page = open_page("/runs").page
    page.wait_for_selector("html[data-ready]")
    page.locator("#train").get_by_label("Network").select_option("digits")
    page.get_by_role("button", name="the recipe of the shipped model").click()
    recipe = httpx.get(f"{server}/api/v1/models/digits").json()["recipe"]
    expect(page.locator("#train").get_by_label("Epochs")).to_have_value(str(recipe["epochs"]))
    expect(page.locator("#train").get_by_label("Weight decay")).to_have_value(
        str(recipe["weight_decay"])
    )
    typed = page.locator("#train").get_by_label("Augmentation").input_value()
    assert page.evaluate("text => JSON.parse(text)", typed) == recipe["augmentation"]
    page.get_by_role("link", name="choose and see it").click()
    page.wait_for_selector("html[data-ready]")
    expect(page.get_by_role("checkbox", name="elastic")).to_be_checked()


def test_a_run_is_paused_resumed_and_cancelled_by_keys(
    open_page: OpenPage, runs: httpx.Client
) -> None:
    page = open_page(f"/runs/{launch(runs, LONG, 'held')}").page
    expect(page.locator("#batch")).to_have_text(re.compile(r"\d of \d"), timeout=PATIENCE)
    page.get_by_role("button", name="Pause").press("Enter")
    wait_for(page, "paused")
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()
    page.wait_for_timeout(500)  # What came before the pause may be drawn a moment after its name.
    held = page.locator("#epoch").inner_text(), page.locator("#batch").inner_text()
    page.wait_for_timeout(1000)
    assert held == (page.locator("#epoch").inner_text(), page.locator("#batch").inner_text())
    expect(page.get_by_role("button", name="Resume")).to_be_focused()
    page.keyboard.press("Enter")
    wait_for(page, "running")
    expect(page.locator("#sentence")).to_have_text("Training.")
    page.get_by_role("button", name="Cancel").press("Enter")
    wait_for(page, "cancelled")
    expect(page.locator("#sentence")).to_contain_text("of 5000 epochs")
    for name in ("Pause", "Resume", "Cancel"):
        expect(page.get_by_role("button", name=name)).to_be_hidden()


def test_a_failed_run_says_why(open_page: OpenPage, runs: httpx.Client) -> None:
    run = launch(runs, FAILING, "failing")
    page = open_page(f"/runs/{run}").page
    wait_for(page, "failed")
    error = runs.get(f"/runs/{run}").json()["error"]
    expect(page.locator("#error")).to_have_text(error)


def test_a_model_is_made_of_a_run(open_page: OpenPage, runs: httpx.Client) -> None:
    run = launch(runs, QUICK, "maker")
    page = open_page(f"/runs/{run}").page
    wait_for(page, "finished")
    page.get_by_role("button", name="Make a model").click()
    page.get_by_role("textbox", name="Name").fill("made-here")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Explore made-here").click()
    page.wait_for_url("**/?model=made-here")
    expect(page.locator("#model")).to_have_value("made-here")


def test_a_run_is_renamed(open_page: OpenPage, runs: httpx.Client) -> None:
    run = launch(runs, QUICK, "before")
    page = open_page(f"/runs/{run}").page
    page.wait_for_selector("html[data-ready]")
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("textbox", name="Name").fill("<b>after</b>")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("<b>after</b>")
    assert runs.get(f"/runs/{run}").json()["name"] == "<b>after</b>"


def test_the_list_is_searched_compared_and_emptied(open_page: OpenPage, runs: httpx.Client) -> None:
    ids = [launch(runs, QUICK, name) for name in ("list one", "list two", "list three")]
    page = open_page("/runs?q=list").page
    page.wait_for_selector("html[data-ready]")
    lines = page.locator(".run-line:visible")
    expect(lines).to_have_count(3)
    for name in ids:
        state = page.locator(f"#run-{name} .tag")
        expect(state).to_have_text("finished", timeout=PATIENCE)
    expect(page.locator(f"#run-{ids[0]} polyline")).to_have_count(1)
    page.locator("#filter").get_by_label("Find").fill("list three")
    expect(lines).to_have_count(1)
    page.locator("#filter").get_by_label("State").select_option("failed")
    expect(page.locator("#no-match")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    page.locator("#filter").get_by_label("Find").fill("list")
    page.get_by_label("Compare list one").check()
    page.get_by_label("Compare list three").check()
    legend = page.locator("#compare-chart .u-legend .u-label")
    expect(legend).to_have_text(["epoch", "list three", "list one"])
    again = open_page("/" + page.url.split("/", 3)[3]).page
    expect(again.locator("#compare-chart .u-legend .u-label")).to_have_count(3)
    expect(again.locator("#filter").get_by_label("Find")).to_have_value("list")
    assert painted(again, "#compare-chart") > 50
    page.get_by_role("button", name="Rename list two").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Name").fill("list <two>")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Rename list <two>")).to_be_focused()
    expect(page.get_by_role("link", name="list <two>")).to_be_visible()
    assert runs.get(f"/runs/{ids[1]}").json()["name"] == "list <two>"
    page.get_by_role("button", name="Delete list one").click()
    expect(dialog).to_contain_text("Delete list one?")
    dialog.get_by_role("button", name="Keep it").click()
    expect(lines).to_have_count(3)
    page.get_by_role("button", name="Delete list one").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(lines).to_have_count(2)
    expect(legend).to_have_text(["epoch", "list three"])
    assert runs.get(f"/runs/{ids[0]}").status_code == 404


@pytest.mark.parametrize("width", [360, 1280, 2560])
def test_the_pages_do_not_scroll_sideways_and_every_control_has_a_name(
    open_page: OpenPage, runs: httpx.Client, width: int
) -> None:
    run = launch(runs, QUICK, "a name that is as long as it may be " * 2)
    for path in (f"/runs?compare={run}", f"/runs/{run}"):
        page = open_page(path, width=width).page
        page.wait_for_selector("html[data-ready]")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        nameless = page.locator("button, input, select, textarea, a").evaluate_all(
            """all => all.filter(one => !(one.getAttribute('aria-label') || one.textContent.trim()
              || one.labels?.length)).map(one => one.outerHTML)"""
        )
        assert nameless == []


def test_the_page_of_an_interrupted_run_notices_that_it_goes_on(
    browser: Browser, tmp_path: Path
) -> None:
    process, address = start_server(tmp_path)
    wait_until_up(address, process)
    with httpx.Client(base_url=f"{address}/api/v1", timeout=60) as first:
        run = launch(first, LONG, "interrupted")
        while first.get(f"/runs/{run}").json()["state"] != "running":
            time.sleep(0.1)
    process.kill()
    process.wait()
    process, address = start_server(tmp_path)
    wait_until_up(address, process)
    page = browser.new_page(base_url=address)
    page.goto(f"/runs/{run}")
    expect(page.locator("#state")).to_have_text("interrupted")
    with httpx.Client(base_url=f"{address}/api/v1", timeout=60) as second:
        second.post(f"/runs/{run}/resume").raise_for_status()
        wait_for(page, "running")
        second.post(f"/runs/{run}/cancel").raise_for_status()
        wait_for(page, "cancelled")
    page.close()
    stop(process)
