"""The pages of runs as they are served, and what they need of the API."""

import csv
import time
from html.parser import HTMLParser

import httpx
import pytest

from app.core.recipes import Recipe
from app.web.sparklines import sparkline
from tests.web.conftest import Refused

RECIPE = {"network": "simple-cnn", "dataset": "optdigits", "epochs": 2, "seed": 41}


class Fields(HTMLParser):
    """What stands in the fields of a page's forms."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._select = ""
        self._option: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and "name" in given:
            self.values[str(given["name"])] = given.get("value") or ""
        if tag == "select":
            self._select = given.get("name") or ""
        if tag == "option" and "selected" in given:
            self._option = self._select

    def handle_data(self, data: str) -> None:
        if self._option is not None:
            self.values[self._option] = data
            self._option = None


@pytest.fixture(scope="module")
def run(api: httpx.Client) -> str:
    """A run that has finished."""
    launched = api.post("/api/v1/runs?name=shown", json=RECIPE)
    run = str(launched.json()["id"])
    for _ in range(900):
        if api.get(f"/api/v1/runs/{run}").json()["state"] == "finished":
            return run
        time.sleep(0.1)
    raise TimeoutError("the run didn't finish")


def test_the_form_holds_the_defaults(api: httpx.Client) -> None:
    page = api.get("/runs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>Runs · ConvScope</title>" in page.text
    defaults = Recipe("digits", "optdigits").to_dict()
    values = Fields(page.text).values
    del defaults["augmentation"]
    assert {key: values[key] for key in defaults} == {
        key: str(value) for key, value in defaults.items()
    }


def test_the_form_holds_the_recipe_of_a_run(api: httpx.Client, run: str) -> None:
    values = Fields(api.get(f"/runs?like={run}").text).values
    assert (values["network"], values["epochs"], values["seed"]) == ("simple-cnn", "2", "41")


def test_the_list_alone_is_there_for_news(api: httpx.Client, run: str) -> None:
    page = api.get("/runs", headers={"HX-Request": "true"}).text
    assert "<html" not in page
    assert f'id="run-{run}"' in page
    assert page.count("<polyline") >= 1


def test_a_run_has_a_page(api: httpx.Client, run: str) -> None:
    page = api.get(f"/runs/{run}")
    assert page.status_code == 200
    assert "<title>shown · ConvScope</title>" in page.text
    assert "<dt>seed</dt><dd>41</dd>" in page.text


@pytest.mark.parametrize("path", ["/runs/nothing", "/runs?like=nothing"])
def test_a_run_that_is_not_there_has_none(api: httpx.Client, path: str) -> None:
    page = api.get(path, headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert "There is no run" in page.text


def test_the_metrics_are_those_of_the_run(api: httpx.Client, run: str) -> None:
    answer = api.get(f"/api/v1/runs/{run}/metrics.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(answer.text.splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    metrics = api.get(f"/api/v1/runs/{run}").json()["metrics"]
    for key in ("train_loss", "validation_loss", "validation_accuracy"):
        assert float(rows[-1][key]) == metrics[key]
    assert max(float(row["validation_accuracy"]) for row in rows) == metrics["best_accuracy"]


def test_metrics_of_no_run_are_refused(api: httpx.Client, refused: Refused) -> None:
    assert "There is no run" in refused(api.get("/api/v1/runs/nothing/metrics.csv"), 404)


def test_a_run_is_renamed(api: httpx.Client, refused: Refused, run: str) -> None:
    address = f"/api/v1/runs/{run}"
    assert api.patch(address, params={"name": "<i>other</i>"}).json()["name"] == "<i>other</i>"
    assert "&lt;i&gt;other&lt;/i&gt;" in api.get(f"/runs/{run}").text
    assert "name" in refused(api.patch(address, params={"name": ""}), 422)
    assert api.patch(address, params={"name": "shown"}).status_code == 200
    assert "no run" in refused(api.patch("/api/v1/runs/nothing", params={"name": "x"}), 404)


def test_a_sparkline_goes_from_its_lowest_to_its_highest() -> None:
    assert sparkline([0.0, 1.0, 0.5], 4) == [(3, 21), (33, 3), (63, 12)]
    assert sparkline([0.7, 0.7], 2) == [(3, 12), (93, 12)]
    assert sparkline([0.7], 1) == [(3, 12)]
    assert sparkline([], 3) == []
