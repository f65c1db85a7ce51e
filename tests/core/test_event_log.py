"""Records of a training, and which of them belong together."""

import pytest

from app.core.event_log import Record, grouped

EPOCH = ["epoch", "snapshot", "state"]


def records(*kinds: str) -> list[Record]:
    return [Record(kind, {"number": number}) for number, kind in enumerate(kinds)]


def kinds_of(told: list[Record]) -> list[list[str]]:
    return [[record.kind for record in group] for group in grouped(told)]


def test_an_epoch_comes_with_its_snapshot_and_the_state_after_it() -> None:
    told = records("started", "snapshot", "batch", *EPOCH, "batch", *EPOCH, "finished")
    groups = [["started"], ["snapshot"], ["batch"], EPOCH, ["batch"], EPOCH, ["finished"]]
    assert kinds_of(told) == groups
    assert [record for group in grouped(told) for record in group] == told


@pytest.mark.parametrize("cut", [1, 2])
@pytest.mark.parametrize("end", [[], ["failed"]])
def test_an_epoch_without_its_state_is_left_out(cut: int, end: list[str]) -> None:
    """It will be trained again, and its history would tell it twice."""
    told = records("batch", *EPOCH, "batch", *EPOCH[:cut], *end)
    assert kinds_of(told) == [["batch"], EPOCH, ["batch"], *([word] for word in end)]
