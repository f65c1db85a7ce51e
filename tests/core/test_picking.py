import pytest
import torch

from app.core.errors import UnknownChannel
from app.core.picking import Pick, check_channel, pick

# Three channels of 2 x 2; their mean absolute activations are 1, 3 and 2.
LAYER = torch.tensor(
    [[[1.0, -1], [1, 1]], [[-3, -3], [3, 3]], [[0, 0], [0, 8]]], dtype=torch.float32
)


@pytest.mark.parametrize(
    ("wanted", "channels"),
    [
        (Pick(strongest=1), (1,)),
        (Pick(strongest=2), (1, 2)),
        (Pick(strongest=3), (0, 1, 2)),
        (Pick(strongest=99), (0, 1, 2)),
        (Pick(channels=(2, 0)), (2, 0)),
        (Pick(strongest=1, channels=(0, 1)), (1, 0)),
        (Pick(channels=(2,)) | Pick(strongest=1), (1, 2)),
    ],
)
def test_the_strongest_come_first_and_then_those_that_are_named(
    wanted: Pick, channels: tuple[int, ...]
) -> None:
    picked = pick(LAYER, wanted)
    assert picked.channels == channels
    assert torch.equal(picked.values, torch.stack([LAYER[channel] for channel in channels]))


def test_what_is_told_is_of_the_whole_layer() -> None:
    picked = pick(LAYER, Pick(channels=(0,)))
    assert (picked.smallest, picked.largest) == (-3, 8)
    assert picked.mean == pytest.approx(10 / 12)
    assert picked.zeros == pytest.approx(3 / 12)


def test_units_are_picked_like_maps() -> None:
    assert pick(torch.tensor([1.0, -7, 3]), Pick(strongest=2)).channels == (1, 2)


def test_a_channel_that_is_not_there_is_refused() -> None:
    check_channel("conv1", 3, 2)
    with pytest.raises(UnknownChannel, match=r"conv1 has no channel 3\. Its channels are 0 to 2"):
        check_channel("conv1", 3, 3)
