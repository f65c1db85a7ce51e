"""Edits as data: what is read, and what is refused in which words."""

import json
from typing import Any

import pytest

from app.core.edits import (
    BadEdit,
    Edit,
    NewBias,
    NewKernel,
    NewWeight,
    Off,
    read_edit,
    read_edits,
    to_json,
)

EDITS: list[Edit] = [
    Off("conv1", 3),
    NewKernel("conv1", 3, ((0.0, 1.0), (-1.0, 0.5)), 0),
    NewKernel("conv1", 3, ((0.0, 1.0), (-1.0, 0.5))),
    NewWeight("conv1", 3, 0.5, 0, 1, 2),
    NewWeight("fc1", 3, 0.5, 17),
    NewBias("conv1", 3, -0.25),
]


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_comes_back_from_json(edit: Edit) -> None:
    assert read_edit(json.loads(json.dumps(edit.to_dict()))) == edit


def test_the_same_edits_are_the_same_text() -> None:
    given: list[dict[str, Any]] = [
        {"layer": "conv1", "channel": 3, "bias": 1},
        {"bias": 1.0, "channel": 3, "layer": "conv1"},
    ]
    one, other = (to_json("digits", [read_edit(values)]) for values in given)
    assert one == other
    assert to_json("digits", read_edits(json.loads(one))) == one
    assert to_json("lenet5", read_edits(json.loads(one))) != one


def test_edits_say_what_they_do() -> None:
    assert [edit.words("channel") for edit in EDITS] == [
        "conv1 channel 3 off",
        "conv1 channel 3, kernel of input 0 replaced",
        "conv1 channel 3, all kernels replaced",
        "conv1 channel 3, weight of input 0 at y 1, x 2 is 0.5",
        "fc1 channel 3, weight of input 17 is 0.5",
        "conv1 channel 3, bias is -0.25",
    ]


@pytest.mark.parametrize(
    ("change", "key", "part"),
    [
        ({"layer": 3}, "layer", "is a layer's name, not 3"),
        ({"channel": -1}, "channel", "whole number from 0 on, not -1"),
        ({"channel": True}, "channel", "not True"),
        ({"channel": 1.5}, "channel", "not 1.5"),
        ({"off": False}, "off", "off is true, not False"),
        ({"colour": 1}, "colour", "no key 'colour'. Its keys are layer, channel, off"),
        ({"y": 1}, "y", "no key 'y'"),
    ],
)
def test_what_makes_no_sense_is_refused_by_key(change: dict[str, Any], key: str, part: str) -> None:
    with pytest.raises(BadEdit) as refusal:
        read_edits({"edits": [{"layer": "conv1", "channel": 3, "off": True} | change]})
    assert part in str(refusal.value)
    assert list(refusal.value.faults) == [f"edits.0.{key}"]


@pytest.mark.parametrize(
    "kernel",
    [
        [],
        [[]],
        [[1, 2], [3]],
        [[1, 2], []],
        [[10**310]],
        [[1, "2"]],
        [[float("nan")]],
        [[1e5]],
        3,
        [3],
        [[True]],
    ],
)
def test_a_kernel_is_rows_of_numbers(kernel: object) -> None:
    with pytest.raises(BadEdit, match="rows of equal length"):
        read_edit({"layer": "conv1", "channel": 3, "kernel": kernel})


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e5, 10**310, "1", None, True])
@pytest.mark.parametrize("key", ["weight", "bias"])
def test_a_weight_and_a_bias_are_numbers(key: str, number: object) -> None:
    with pytest.raises(BadEdit, match="between -10000 and 10000"):
        read_edit({"layer": "conv1", "channel": 3, key: number})


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({}, "edits is a list"),
        ({"edits": []}, "one edit or more"),
        ({"edits": [{"layer": "a", "channel": 0, "off": True}] * 101}, "100 at most"),
        ({"edits": [3]}, "An edit is an object"),
        ({"edits": [{"layer": "a", "channel": 0}]}, "none of them"),
        ({"edits": [{"layer": "a", "channel": 0, "off": True, "bias": 1}]}, "off and bias"),
        ({"edits": [{"off": True}]}, "lacks the key layer. The edit lacks the key channel"),
        (None, "edits is a list"),
    ],
)
def test_a_list_of_edits_is_wanted(values: object, part: str) -> None:
    with pytest.raises(BadEdit) as refusal:
        read_edits(values)
    assert part in str(refusal.value)
