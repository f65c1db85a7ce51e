"""Sweeps through the real server: launched, judged, made into a model, cancelled and deleted."""

import time
from typing import Any

import httpx
import pytest

from tests.web.conftest import Refused

BASE = {"network": "simple-cnn", "dataset": "optdigits", "epochs": 6, "batch_size": 32}
# With the last of these rates nothing is learnt: it is as good as guessing, one in ten.
RATES = [0.01, 0.02, 0.03, 1e-9]
EARLY = {
    "recipe": BASE,
    "search": "grid",
    "fields": {"learning_rate": RATES, "optimizer": ["adamw"]},
    "stop_early": True,
}
LONG = {
    "recipe": {**BASE, "epochs": 5000},
    "search": "random",
    "fields": {"learning_rate": {"low": 1e-4, "high": 1e-2, "scale": "log"}, "seed": [1, 2]},
    "samples": 3,
    "seed": 5,
}


def launch(api: httpx.Client, plan: dict[str, Any], name: str) -> dict[str, Any]:
    answer = api.post("/api/v1/sweeps", params={"name": name}, json=plan)
    assert answer.status_code == 202, answer.text
    sweep = dict(answer.json())
    assert answer.headers["Location"] == f"/api/v1/sweeps/{sweep['id']}"
    return sweep


def get(api: httpx.Client, sweep: str) -> dict[str, Any]:
    return dict(api.get(f"/api/v1/sweeps/{sweep}").raise_for_status().json())


@pytest.fixture(scope="module")
def ended(api: httpx.Client) -> dict[str, Any]:
    """A sweep of four runs, the last of which falls behind."""
    sweep = launch(api, EARLY, "rates")["id"]
    for _ in range(3600):
        if get(api, sweep)["ended"]:
            return get(api, sweep)
        time.sleep(0.1)
    raise TimeoutError(get(api, sweep))


def test_its_runs_are_those_of_the_plan(api: httpx.Client, ended: dict[str, Any]) -> None:
    assert [run["values"] for run in ended["runs"]] == [
        {"learning_rate": rate, "optimizer": "adamw"} for rate in RATES
    ]
    assert [run["name"] for run in ended["runs"]] == [f"rates {number}" for number in range(1, 5)]
    for line in ended["runs"]:
        run = api.get(f"/api/v1/runs/{line['id']}").json()
        assert run["sweep"] == ended["id"]
        assert run["recipe"] == ended["plan"]["recipe"] | line["values"]
        assert run["metrics"]["best_accuracy"] == line["best_accuracy"]
        assert {run[key] for key in ("state", "reason")} == {line["state"], line["reason"]}
    best = max(ended["runs"], key=lambda run: run["best_accuracy"])
    assert ended["best"] == best["id"]
    assert ended in api.get("/api/v1/sweeps").json()


def test_what_falls_behind_is_stopped_and_says_so_everywhere(
    api: httpx.Client, ended: dict[str, Any]
) -> None:
    *good, bad = ended["runs"]
    assert [(run["state"], run["epoch"], run["reason"]) for run in good] == [
        ("finished", 6, None)
    ] * 3
    assert bad["state"] == "cancelled"
    assert bad["epoch"] < 6
    assert bad["reason"].startswith("Stopped early: its best accuracy by epoch 1 was")
    assert "3 other runs" in bad["reason"]
    assert bad["best_accuracy"] < 0.4
    answer = api.get(f"/api/v1/runs/{bad['id']}/events")
    assert f'event: cancelled\ndata: {{"reason": "{bad["reason"]}"}}' in answer.text


def test_its_best_run_becomes_a_model(api: httpx.Client, ended: dict[str, Any]) -> None:
    answer = api.post(f"/api/v1/runs/{ended['best']}/model", json={"name": "best-of-sweep"})
    assert answer.status_code == 201, answer.text
    found = get(api, ended["id"])
    assert {run["id"]: run["model"] for run in found["runs"]}[ended["best"]] == "best-of-sweep"


def test_it_has_pages(api: httpx.Client, refused: Refused, ended: dict[str, Any]) -> None:
    page = api.get(f"/sweeps/{ended['id']}")
    assert page.status_code == 200
    assert "<title>rates · ConvScope</title>" in page.text
    listed = api.get("/sweeps", headers={"HX-Request": "true"}).text
    assert "<html" not in listed
    assert "varies learning rate, optimizer" in listed
    run = api.get(f"/runs/{ended['best']}").text
    assert f'href="/sweeps/{ended["id"]}"' in run
    assert 'href="/sweeps"' in api.get("/runs").text
    answer = api.get("/sweeps/nothing", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "There is no sweep" in answer.text


def test_the_form_is_filled_in_with_the_recipe_of_a_run(
    api: httpx.Client, ended: dict[str, Any]
) -> None:
    page = api.get("/sweeps", params={"like": ended["best"]}).text
    assert 'name="batch_size" value="32"' in page
    assert 'name="batch_size" value="128"' in api.get("/sweeps").text


def test_a_refusal_names_the_keys_of_the_plan(api: httpx.Client) -> None:
    plan = {"recipe": BASE, "search": "grid", "fields": {"learning_rate": [0.1, 500]}}
    answer = api.post("/api/v1/sweeps", json=plan).json()
    assert [fault["field"] for fault in answer["errors"]] == ["fields.learning_rate"]
    plan["recipe"] = {**BASE, "epochs": 0, "seed": "x"}
    answer = api.post("/api/v1/sweeps", json=plan).json()
    assert [fault["field"] for fault in answer["errors"]] == ["recipe.epochs", "recipe.seed"]


def test_it_is_cancelled_as_a_whole_and_deleted(api: httpx.Client, refused: Refused) -> None:
    sweep = launch(api, LONG, "long")
    address = f"/api/v1/sweeps/{sweep['id']}"
    assert not sweep["ended"]
    rates = [run["values"]["learning_rate"] for run in sweep["runs"]]
    assert all(1e-4 <= rate <= 1e-2 for rate in rates)
    again = api.post("/api/v1/sweeps", json=LONG).json()
    assert [run["values"] for run in again["runs"]] == [run["values"] for run in sweep["runs"]]
    assert again["name"] == "simple-cnn"
    assert "Cancel it first" in refused(api.delete(address), 409)
    for one in (again, sweep):
        answer = api.post(f"/api/v1/sweeps/{one['id']}/cancel").raise_for_status().json()
        assert {run["state"] for run in answer["runs"]} == {"cancelled"}
        assert answer["ended"]
    assert "no run that could be cancelled" in refused(api.post(f"{address}/cancel"), 409)
    assert api.delete(f"/api/v1/runs/{sweep['runs'][0]['id']}").status_code == 204
    assert len(get(api, sweep["id"])["runs"]) == 2
    assert api.delete(address).status_code == 204
    assert "lists them" in refused(api.get(address), 404)
    assert "lists them" in refused(api.get(f"/api/v1/runs/{sweep['runs'][1]['id']}"), 404)
    assert "lists them" in refused(api.delete(address), 404)
    api.delete(f"/api/v1/sweeps/{again['id']}").raise_for_status()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"recipe": {"network": "simple-cnn"}}, "lacks the key 'dataset'"),
        ({"search": "spiral"}, "grid or random"),
        ({"fields": {"learning_rates": [1]}}, "no key 'learning_rates'"),
        ({"fields": {"epochs": []}}, "epochs has no values"),
        ({"fields": {"epochs": list(range(1, 102))}}, "101 runs"),
        ({"fields": {"learning_rate": [0.1, -1]}}, "with learning_rate = -1"),
        ({"fields": {"network": ["simple-cnn", "nonet"]}}, 'network = "nonet"'),
        ({"fields": {"dataset": ["optdigits", "nodata"]}}, 'dataset = "nodata"'),
        ({"fields": {"augmentation": [[], ["sharpen"]]}}, "sharpen"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_queues_nothing(
    api: httpx.Client, refused: Refused, change: dict[str, Any], said: str
) -> None:
    before = len(api.get("/api/v1/runs").json()), len(api.get("/api/v1/sweeps").json())
    plan = {"recipe": BASE, "search": "grid", "fields": {"epochs": [1, 2]}} | change
    assert said in refused(api.post("/api/v1/sweeps", json=plan), 422)
    assert before == (len(api.get("/api/v1/runs").json()), len(api.get("/api/v1/sweeps").json()))
