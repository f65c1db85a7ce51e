"""Recipes, plans, edits and augmentations that are nearly right: each is answered, none is a fault
of the server's."""

import copy
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

from app.settings import Settings
from tests.web import samples
from tests.web.in_process import in_process

RECIPE = {
    "network": "simple-cnn",
    "dataset": "optdigits",
    "epochs": 1,
    "learning_rate": 0.01,
    "augmentation": ["blur", {"name": "affine", "rotation": 10.0, "share": 0.5}],
    "resources": {"cpus": 1},
}
GRID = {"recipe": RECIPE, "search": "grid", "fields": {"seed": [1, 2], "optimizer": ["adam"]}}
RANDOM = {
    "recipe": RECIPE,
    "search": "random",
    "samples": 2,
    "seed": 3,
    "fields": {"learning_rate": {"low": 0.001, "high": 0.1, "scale": "log"}},
}
PLACE = {"layer": "conv1", "channel": 0}
EDITS = {
    "edits": [
        PLACE | {"off": True},
        PLACE | {"kernel": [[0.0] * 3] * 3, "input_channel": 0},
        PLACE | {"weight": 0.5, "input_channel": 0, "y": 1, "x": 1},
        PLACE | {"bias": 1},
    ]
}
SENT: dict[str, tuple[str, Any]] = {
    "recipe": ("/api/v1/runs", RECIPE),
    "grid": ("/api/v1/sweeps", GRID),
    "random": ("/api/v1/sweeps", RANDOM),
    "edits": ("/api/v1/models/simple-cnn/edits", EDITS),
    "name": ("/api/v1/models/simple-cnn/keep", {"name": "my-own"}),
    "run's name": ("/api/v1/runs/abc/model", {"name": "my-own"}),
}

TEXTS = ("", "\ud800", "\0", "../..", "x" * 3000, "<b>", "name", "share", "off", "seed")
ODD: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(TEXTS)
    | st.sampled_from((None, True, 0, -1, 1.5, 2**63, 10**310, -(10**4000)))
    | st.sampled_from((float("nan"), float("inf"), -float("inf"), 1e308, 5e-324)),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(TEXTS), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: object) -> Iterator[tuple[Any, Any]]:
    """Every list or object in there, with each of its keys."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)  # type: ignore[arg-type]
    for key, one in inner:
        yield value, key
        if isinstance(one, (dict, list)):
            yield from places(one)


@st.composite
def nearly(draw: st.DrawFn, whole: object) -> object:
    """What is right, but for one to three values that are something odd, gone, or too many."""
    changed = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        if not (found := list(places(changed))):
            break
        holder, key = draw(st.sampled_from(found))
        action = draw(st.sampled_from(("replace", "replace", "drop", "add")))
        if action == "drop":
            del holder[key]
        elif action == "replace":
            holder[key] = draw(ODD)
        elif isinstance(holder, dict):
            holder[draw(st.sampled_from(TEXTS))] = draw(ODD)
        else:
            holder.append(draw(ODD))
    return changed


Ask = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    here = in_process(Settings(data_dir=tmp_path_factory.mktemp("mutated")))
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(here) as client,
    ):
        yield lambda *given, **named: portal.call(partial(client.request, *given, **named))


def check(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text
    assert len(answer.content) < 100_000
    assert answer.is_success or answer.json()["detail"]


@pytest.mark.parametrize(
    ("name", "status"), [("recipe", 202), ("grid", 202), ("random", 202), ("edits", 201)]
)
def test_what_is_right_is_taken(ask: Ask, name: str, status: int) -> None:
    path, whole = SENT[name]
    assert ask("POST", path, json=whole).status_code == status


@pytest.mark.parametrize("name", SENT)
def test_what_is_nearly_right_is_answered(ask: Ask, name: str) -> None:
    path, whole = SENT[name]

    @given(nearly(whole))
    @trying(max_examples=150, deadline=None)
    def try_one(sent: object) -> None:
        headers = {"Content-Type": "application/json"}
        check(ask("POST", path, content=json.dumps(sent), headers=headers))

    try_one()


def test_augmentations_that_are_nearly_right_are_answered(ask: Ask) -> None:
    png = {"image": samples.encode(samples.draw_seven())}
    image = ask("POST", "/api/v1/images", files=png).json()["id"]

    @given(nearly(RECIPE["augmentation"]))
    @trying(max_examples=100, deadline=None)
    def try_one(entries: object) -> None:
        asked = {"image": image, "augmentation": json.dumps(entries)}
        answer = ask("GET", "/api/v1/augmentations/preview.png", params=asked)
        assert answer.status_code < 500, answer.text

    try_one()


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/api/v1/runs", RECIPE | {"augmentation": [{"name": []}]}),
        ("/api/v1/runs", RECIPE | {"augmentation": [{"name": {}}]}),
        ("/api/v1/runs", RECIPE | {"\ud800": 1}),
        *(
            ("/api/v1/models/simple-cnn/edits", {"edits": [PLACE | one]})
            for one in (
                {"bias": 10**310},
                {"weight": 10**310, "input_channel": 0, "y": 0, "x": 0},
                {"kernel": [[10**310] * 3] * 3},
                {"off": True, "\ud800": 1},
            )
        ),
    ],
)
def test_what_once_was_a_fault(ask: Ask, path: str, sent: object) -> None:
    answer = ask(
        "POST", path, content=json.dumps(sent), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert answer.json()["errors"]


@pytest.mark.parametrize(
    ("path", "whole"),
    [
        ("/api/v1/runs", RECIPE),
        ("/api/v1/models/simple-cnn/edits", {"edits": [PLACE | {"off": True}]}),
        ("/api/v1/runs/abc/model", {"name": "my-own"}),
    ],
)
def test_of_many_faults_the_first_are_told_and_how_many_there_are(
    ask: Ask, path: str, whole: dict[str, Any]
) -> None:
    many = {f"{number:x}": 1 for number in range(50_000)}
    sent = {"edits": [whole["edits"][0] | many]} if "edits" in whole else whole | many
    answer = ask("POST", path, json=sent)
    assert answer.status_code == 422
    assert "50,000" in answer.json()["detail"]
    assert len(answer.json()["errors"]) == 20
    assert len(answer.content) < 20_000
