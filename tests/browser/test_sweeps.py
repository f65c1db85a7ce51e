"""Sweeps from the page: planned in the form, watched as picture and table, made into a model."""

import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OpenPage

# A training process is polite, and waits while the machine has other work.
PATIENCE = 240_000
BASE = {"network": "simple-cnn", "dataset": "optdigits", "epochs": 6, "batch_size": 32}


@pytest.fixture(scope="module")
def api(server: str) -> Iterator[httpx.Client]:
    """A client of the API; whatever still trains in the end is cancelled."""
    with httpx.Client(base_url=f"{server}/api/v1", timeout=60) as client:
        yield client
        for sweep in client.get("/sweeps").json():
            if not sweep["ended"]:
                client.post(f"/sweeps/{sweep['id']}/cancel").raise_for_status()


def launch(api: httpx.Client, name: str, **plan: object) -> str:
    body = {"recipe": BASE, "search": "grid"} | plan
    answer = api.post("/sweeps", params={"name": name}, json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


@pytest.fixture(scope="module")
def ended(api: httpx.Client) -> dict[str, Any]:
    """A sweep of four runs, two of which learn nothing; the last one is stopped early."""
    among = {"learning_rate": [0.01, 1e-9], "optimizer": ["adamw", "sgd"], "seed": [3]}
    sweep = launch(api, "finished", fields=among, stop_early=True)
    for _ in range(PATIENCE // 100):
        found = dict(api.get(f"/sweeps/{sweep}").json())
        if found["ended"]:
            return found
        time.sleep(0.1)
    raise TimeoutError(found)


def column(page: Page, place: int) -> list[str]:
    """The texts of a column of the table, the first being 0."""
    texts: list[str] = page.locator("#table tbody tr").evaluate_all(
        "(rows, place) => rows.map(row => row.cells[place].innerText.trim())", place
    )
    return texts


def vary(page: Page, field: str) -> Locator:
    page.locator("#vary").select_option(field)
    page.get_by_role("button", name="Vary it").click()
    return page.locator(f"[data-field={field}]")


def test_a_grid_is_planned_started_and_watched_until_it_ends(
    open_page: OpenPage, api: httpx.Client
) -> None:
    page = open_page("/runs").page
    page.get_by_role("link", name="sweep", exact=True).click()
    page.wait_for_selector("html[data-ready]")
    form = page.locator("#sweep-form")
    form.get_by_label("Network").select_option("simple-cnn")
    form.get_by_label("Epochs").fill("1")
    expect(page.locator("#count")).to_have_text("Choose a field to vary.")
    rates = vary(page, "learning_rate")
    expect(rates.get_by_label("Values, with commas")).to_be_focused()
    expect(rates.get_by_label("Values, with commas")).to_have_value("0.002, ")
    expect(rates.get_by_role("combobox")).to_be_hidden()
    page.keyboard.type("0.02")
    expect(page.locator("#count")).to_have_text("This makes 2 runs.")
    vary(page, "augmentation").get_by_label("Values, with commas").fill('[], ["rotation"]')
    expect(page.locator("#count")).to_have_text("This makes 4 runs.")
    page.get_by_role("button", name="Don't vary augmentation").click()
    expect(page.locator("#count")).to_have_text("This makes 2 runs.")
    page.get_by_role("button", name="Start the sweep").click()
    page.wait_for_url("**/sweeps/*")
    page.wait_for_selector("html[data-ready]")
    page.evaluate("document.documentElement.dataset.same = 'page'")
    expect(page.locator("#state")).to_have_text("ended", timeout=PATIENCE)
    assert page.evaluate("document.documentElement.dataset.same") == "page"
    told = api.get(f"/sweeps/{page.url.rpartition('/')[2]}").json()
    assert [run["values"] for run in told["runs"]] == [
        {"learning_rate": 0.002},
        {"learning_rate": 0.02},
    ]
    assert column(page, 2) == ["0.002", "0.02"]
    assert column(page, 1) == [f"{run['best_accuracy'] * 100:.2f} %" for run in told["runs"]]
    assert column(page, 4) == ["finished"] * 2
    expect(page.locator("#sentence")).to_contain_text("2 of 2 runs have ended. The best is")


def test_a_random_search_has_ranges(open_page: OpenPage, api: httpx.Client) -> None:
    page = open_page("/sweeps").page
    page.wait_for_selector("html[data-ready]")
    form = page.locator("#sweep-form")
    form.get_by_label("Network").select_option("simple-cnn")
    form.get_by_label("Search").select_option("random")
    rates = vary(page, "learning_rate")
    rates.get_by_role("combobox").select_option("log")
    rates.get_by_label("Low").fill("0.001")
    rates.get_by_label("High").fill("0.1")
    optimizers = vary(page, "optimizer")
    expect(optimizers.get_by_role("combobox")).to_be_hidden()
    optimizers.get_by_label("Values, with commas").fill("sgd, adam")
    form.get_by_label("Samples", exact=True).fill("5")
    form.get_by_label("Seed of the samples").fill("9")
    form.get_by_label("Stop runs early").check()
    expect(page.locator("#count")).to_have_text("This makes 5 runs.")
    page.get_by_role("button", name="Start the sweep").click()
    page.wait_for_url("**/sweeps/*")
    plan = api.get(f"/sweeps/{page.url.rpartition('/')[2]}").json()["plan"]
    assert plan["fields"] == {
        "learning_rate": {"low": 0.001, "high": 0.1, "scale": "log"},
        "optimizer": ["sgd", "adam"],
    }
    assert (plan["samples"], plan["seed"], plan["stop_early"]) == (5, 9, True)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#state")).to_have_text("ended")
    assert set(column(page, 5)) == {"cancelled"}
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Keep it").click()
    expect(page.locator("#table tbody tr")).to_have_count(5)
    page.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    page.wait_for_url("**/sweeps")


@pytest.mark.parametrize(
    ("field", "typed", "says"),
    [
        ("epochs", "2, 0", "epochs lies between 1 and 10000, not at 0. That is the run with"),
        ("optimizer", "sgd, best", "There is no optimizer called 'best'."),
        ("learning_rate", "0.1, fast", "learning_rate is a number, not 'fast'."),
        ("seed", "", "seed has no values to try."),
    ],
)
def test_a_refusal_stands_beside_the_field_and_nothing_is_lost(
    open_page: OpenPage, field: str, typed: str, says: str
) -> None:
    watched = open_page("/sweeps")
    watched.expect("status of 422")
    page = watched.page
    page.wait_for_selector("html[data-ready]")
    page.locator("#sweep-form").get_by_label("Batch size").fill("77")
    values = vary(page, field).get_by_label("Values, with commas")
    values.fill(typed)
    page.get_by_role("button", name="Start the sweep").click()
    expect(page.locator(".varied-field .fault")).to_contain_text(says)
    expect(values).to_have_attribute("aria-describedby", f"fault-of-{field}")
    expect(page.locator("#refusal")).to_be_hidden()
    expect(values).to_be_focused()
    expect(values).to_have_attribute("aria-invalid", "true")
    expect(values).to_have_value(typed)
    expect(page.locator("#sweep-form").get_by_label("Batch size")).to_have_value("77")


def test_the_table_is_sorted_by_any_column(open_page: OpenPage, ended: dict[str, Any]) -> None:
    page = open_page(f"/sweeps/{ended['id']}").page
    page.wait_for_selector("html[data-ready]")
    names = [run["name"] for run in ended["runs"]]
    assert [text.split("\n")[0] for text in column(page, 0)] == names
    by_accuracy = sorted(ended["runs"], key=lambda run: -run["best_accuracy"])
    page.get_by_role("button", name="Accuracy").press("Enter")
    header = page.locator("th", has_text="Accuracy")
    expect(header).to_have_attribute("aria-sort", "descending")
    texts = [f"{run['best_accuracy'] * 100:.2f} %" for run in by_accuracy]
    assert column(page, 1) == texts
    page.get_by_role("button", name="Accuracy").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    assert column(page, 1) == texts[::-1]
    page.get_by_role("button", name="optimizer").click()
    assert column(page, 3) == ["adamw", "adamw", "sgd", "sgd"]
    expect(page.locator("#table tr.best a")).to_have_text(by_accuracy[0]["name"])


def test_a_row_lights_its_line_and_a_line_its_row(
    open_page: OpenPage, ended: dict[str, Any]
) -> None:
    page = open_page(f"/sweeps/{ended['id']}").page
    page.wait_for_selector("html[data-ready]")
    expect(page.locator(".run-path")).to_have_count(4)
    second = ended["runs"][1]["id"]
    page.locator(f"tr[data-run='{second}'] a").focus()
    expect(page.locator(".run-path.lit")).to_have_attribute("data-run", second)
    expect(page.locator("tr.lit")).to_have_attribute("data-run", second)
    page.locator("h1").click()
    third = ended["runs"][2]["id"]
    page.locator(f".run-reach[data-run='{third}']").dispatch_event("mouseover")
    expect(page.locator("tr.lit")).to_have_attribute("data-run", third)
    page.locator(f".run-reach[data-run='{third}']").dispatch_event("click")
    expect(page.locator(f"tr[data-run='{third}'] a")).to_be_focused()
    page.locator(f"tr[data-run='{second}']").hover()
    expect(page.locator(".run-path.lit")).to_have_attribute("data-run", second)


def test_the_picture_is_coloured_by_accuracy_and_has_words(
    open_page: OpenPage, ended: dict[str, Any]
) -> None:
    page = open_page(f"/sweeps/{ended['id']}").page
    page.wait_for_selector("html[data-ready]")
    best = next(run for run in ended["runs"] if run["id"] == ended["best"])
    words = page.get_by_role("img", name=re.compile("Each run as a line over"))
    expect(words).to_have_accessible_name(
        re.compile(f"{best['best_accuracy'] * 100:.2f} %.*optimizer {best['values']['optimizer']}")
    )
    names = page.locator(".axis-name").all_text_contents()
    assert names == ["learning rate", "optimizer", "seed", "accuracy"]
    # On light paper the scale goes from light to dark.
    strokes = {
        run["id"]: page.locator(f".run-path[data-run='{run['id']}']").evaluate(
            "line => line.style.stroke.match(/\\d+/g).reduce((sum, one) => sum + Number(one), 0)"
        )
        for run in ended["runs"]
    }
    ranked = sorted(ended["runs"], key=lambda run: run["best_accuracy"])
    order = [strokes[run["id"]] for run in ranked]
    assert order == sorted(order, reverse=True)
    assert order[0] > order[-1]
    light = page.locator("#legend .legend-bar").evaluate("bar => bar.style.background")
    page.locator("#theme").click()
    page.locator("#theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    dark = page.locator("#legend .legend-bar").evaluate("bar => bar.style.background")
    assert dark != light
    expect(page.locator("#legend")).to_contain_text(f"{best['best_accuracy'] * 100:.2f} %")


def test_the_best_becomes_a_model(open_page: OpenPage, ended: dict[str, Any]) -> None:
    page = open_page(f"/sweeps/{ended['id']}").page
    page.get_by_role("button", name="Make a model of the best").click()
    page.get_by_role("textbox", name="Name").fill("swept-best")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Explore swept-best").click()
    page.wait_for_url("**/?model=swept-best")
    expect(page.locator("#model")).to_have_value("swept-best")


def test_a_run_leads_back_to_its_sweep(open_page: OpenPage, ended: dict[str, Any]) -> None:
    page = open_page(f"/runs/{ended['best']}").page
    page.get_by_role("link", name="its sweep").click()
    page.wait_for_url(f"**/sweeps/{ended['id']}")


def test_what_was_stopped_early_says_so(open_page: OpenPage, ended: dict[str, Any]) -> None:
    page = open_page(f"/sweeps/{ended['id']}").page
    expect(page.locator("#sentence")).to_contain_text("4 of 4 runs have ended, 1 stopped early.")
    assert column(page, 6) == ["finished", "finished", "finished", "cancelled stopped early"]
    page.locator("#table tbody tr").nth(3).get_by_role("link").click()
    expect(page.locator("#sentence")).to_have_text(ended["runs"][3]["reason"])


@pytest.mark.parametrize("width", [360, 1280, 2560])
def test_the_pages_do_not_scroll_sideways_and_every_control_has_a_name(
    open_page: OpenPage, ended: dict[str, Any], width: int
) -> None:
    for path in ("/sweeps", f"/sweeps/{ended['id']}"):
        page = open_page(path, width=width).page
        page.wait_for_selector("html[data-ready]")
        if path == "/sweeps":
            vary(page, "learning_rate")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        nameless = page.locator("button, input, select, textarea, a").evaluate_all(
            """all => all.filter(one => !(one.getAttribute('aria-label') || one.textContent.trim()
              || one.labels?.length)).map(one => one.outerHTML)"""
        )
        assert nameless == []
