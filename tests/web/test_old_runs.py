"""Runs that an earlier version wrote down, whose recipes hold no longer: shown, and none begins."""

import json

import pytest

from app.core.event_log import Record
from app.core.recipes import Recipe
from app.services.run_store import RunStore
from app.settings import Settings
from tests.web.in_process import in_process

RECIPE = Recipe("simple-cnn", "optdigits", epochs=2)
OLD: dict[str, dict[str, object]] = {
    "network": {"network": "gone-net"},
    "data set": {"dataset": "gone"},
    "limit": {"epochs": 10**6},
    "augmentation": {"augmentation": [{"name": "gone"}]},
    "key": {"gone": 1},
}


def keep_run(settings: Settings, state: str, changed: dict[str, object]) -> str:
    store = RunStore(settings.data_dir / "runs.sqlite")
    run = store.create(RECIPE, "old").id
    if state != "queued":
        store.note_state(run, state)
    text = json.dumps(RECIPE.to_dict() | changed)
    with store.database.writing() as writer:
        writer.execute("UPDATE runs SET recipe = ? WHERE id = ?", (text, run))
    store.close()
    return run


@pytest.mark.parametrize("name", OLD)
@pytest.mark.parametrize("state", ["finished", "failed", "interrupted", "cancelled"])
async def test_an_old_run_is_shown(settings: Settings, name: str, state: str) -> None:
    run = keep_run(settings, state, OLD[name])
    async with in_process(settings) as client:
        for page in (f"/runs/{run}", "/runs", f"/runs?like={run}", f"/sweeps?like={run}"):
            assert (await client.get(page)).status_code == 200, page
        told = (await client.get(f"/api/v1/runs/{run}")).json()
        assert (told["state"], told["recipe"]) == (state, RECIPE.to_dict() | OLD[name])


async def test_classes_of_a_data_set_that_is_gone_are_numbered(settings: Settings) -> None:
    run = keep_run(settings, "finished", OLD["data set"])
    store = RunStore(settings.data_dir / "runs.sqlite")
    store.note(run, Record("snapshot", {"epoch": 1, "confusion": [[1, 0], [0, 1]]}, b"weights"))
    store.close()
    async with in_process(settings) as client:
        page = (await client.get(f"/runs/{run}")).text
    assert 'id="classes">["0", "1"]</script>' in page


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("network", "no network called 'gone-net'"),
        ("limit", "epochs lies between"),
        ("augmentation", "No augmentation is called"),
        ("key", "no key 'gone'"),
    ],
)
async def test_a_queued_run_that_cannot_be_trained_any_more(
    settings: Settings, name: str, words: str
) -> None:
    run = keep_run(settings, "queued", OLD[name])
    next_one = keep_run(settings, "queued", {})
    async with in_process(settings) as client:
        told = (await client.get(f"/api/v1/runs/{run}")).json()
        assert told["state"] == "failed"
        assert words in told["error"]
        assert "Start another run." in told["error"]
        # It was begun, as far as that goes here.
        tried = (await client.get(f"/api/v1/runs/{next_one}")).json()
        assert "process can't be started" in tried["error"]
        again = await client.post(f"/api/v1/runs/{run}/resume")
        assert again.json()["state"] == "failed"
        events = (await client.get(f"/api/v1/runs/{run}/events")).text
        assert events.count("event: failed") == 2
