"""What a viewer of a run is told, however slowly it takes it."""

import asyncio
from pathlib import Path

import pytest

from app.core.event_log import Record
from app.core.recipes import Recipe
from app.services.run_feed import RunFeed
from app.services.run_store import RunStore

BATCH = Record("batch", {"epoch": 1, "batch": 1, "batches": 2, "loss": 1.0})


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs.sqlite")


async def test_a_slow_viewer_is_told_the_last_events_too(store: RunStore) -> None:
    """The run ends while the viewer is busy with an earlier event."""
    run = store.create(Recipe("simple-cnn", "optdigits"), "slow").id
    feed = RunFeed(store)
    feed.open()
    viewer = feed.follow(run)
    kinds = [(await anext(viewer)).kind]
    for event in [*store.note(run, BATCH, BATCH), store.note_state(run, "finished")]:
        feed.tell(event)
    await asyncio.sleep(0)
    kinds += [event.kind async for event in viewer]
    assert kinds[-3:] == ["batch", "batch", "finished"]
    store.close()


async def test_a_closed_feed_lets_its_viewers_go(store: RunStore) -> None:
    run = store.create(Recipe("simple-cnn", "optdigits"), "closed").id
    feed = RunFeed(store)
    feed.open()

    async def watch() -> list[str]:
        return [event.kind async for event in feed.follow(run)]

    early = asyncio.create_task(watch())
    await asyncio.sleep(0.1)
    feed.tell(store.note(run, BATCH)[0])
    await asyncio.sleep(0)
    feed.close()
    assert (await early)[-1] == "batch"
    assert (await watch())[-1] == "batch"
    store.close()
