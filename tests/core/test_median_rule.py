"""The median rule against sums done by hand."""

from app.core.median_rule import Behind, judge

# Their averages by epoch 2: 0.4, 0.6, 0.9; by epoch 3: 0.5, 0.7 and none.
OTHERS = ([0.2, 0.6, 0.7], [0.5, 0.7, 0.9], [0.9, 0.9])


def test_below_the_median_is_behind() -> None:
    assert judge([0.1, 0.59], OTHERS) == Behind(2, 0.59, 0.6, 3)


def test_the_median_itself_and_above_are_not() -> None:
    halves = ([0.25, 0.75], [0.5, 0.5], [0.0, 1.0])  # exact: all average 0.5
    assert judge([0.1, 0.5], halves) is None
    assert judge([0.1, 0.49], halves) is not None
    assert judge([0.61, 0.2], OTHERS) is None  # the best by then, not the newest


def test_of_four_the_median_lies_halfway_between_the_middle_ones() -> None:
    averages = ([0.1], [0.2], [0.6], [0.9])
    assert judge([0.41], averages) is None
    assert judge([0.39], averages) == Behind(1, 0.39, 0.4, 4)


def test_fewer_than_three_others_say_nothing() -> None:
    assert judge([0.0, 0.0], OTHERS[:2]) is None
    assert judge([0.0, 0.0, 0.0], OTHERS) is None  # the third never got so far
    assert judge([], OTHERS) is None


def test_others_count_only_up_to_the_same_epoch() -> None:
    late = ([0.1, 1.0], [0.1, 1.0], [0.1, 1.0])
    assert judge([0.11], late) is None


def test_it_says_why() -> None:
    said = str(Behind(2, 0.59, 0.6, 3))
    assert said == (
        "Stopped early: its best accuracy by epoch 2 was 59.00 %, below 60.00 %, the median of the "
        "averages of 3 other runs by then."
    )
