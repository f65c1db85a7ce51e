"""Traces that are kept: the same one again, never another model's, and never too many."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.core.errors import UnknownImage
from app.core.images import picture_from_grey
from app.core.model import Model
from app.services import recent_traces
from app.services.image_store import ImageStore
from app.services.recent_traces import RecentTraces
from models.registry import blank_card, create_network

SIZE = 28 * 28


def make_model(seed: int = 0) -> Model:
    torch.manual_seed(seed)
    card = blank_card("convnet-revisited")
    return Model.of(card, create_network("convnet-revisited").eval(), torch.device("cpu"))


@pytest.fixture
def images(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path, 10**6)


def keep(images: ImageStore, ink: int) -> str:
    return images.put(picture_from_grey(bytes([0] * (SIZE // 2) + [ink] * (SIZE // 2))))


def test_a_trace_is_made_once(images: ImageStore) -> None:
    traces, model, image = RecentTraces(images), make_model(), keep(images, 200)
    first = traces.get(model, image)
    assert traces.get(model, image) is first
    other = traces.get(model, keep(images, 100))
    assert not torch.equal(other.input, first.input)
    again = model.trace(first.input).activations
    assert all(torch.equal(again[name], value) for name, value in first.activations.items())


def test_other_weights_under_the_same_name_are_another_model(images: ImageStore) -> None:
    traces, image = RecentTraces(images), keep(images, 200)
    one, two = make_model(0), make_model(1)
    assert replace(one.card) == two.card
    assert not torch.equal(traces.get(one, image).logits, traces.get(two, image).logits)


def test_a_model_in_the_place_of_one_that_is_gone_is_not_mistaken_for_it(
    images: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_traces, "id", lambda model: 7, raising=False)
    traces, image = RecentTraces(images), keep(images, 200)
    logits = traces.get(make_model(0), image).logits
    assert not torch.equal(traces.get(make_model(1), image).logits, logits)


def test_the_oldest_go_when_there_are_too_many(images: ImageStore) -> None:
    model = make_model()
    ids = [keep(images, ink) for ink in (50, 100, 150)]
    size = RecentTraces(images).get(model, ids[0]).size_in_bytes
    assert size == sum(4 * torch.Size(one.output_shape).numel() for one in model.layers)
    traces = RecentTraces(images, most_bytes=2 * size)
    first, second = (traces.get(model, image) for image in ids[:2])
    assert traces.get(model, ids[0]) is first
    traces.get(model, ids[2])
    assert traces.get(model, ids[0]) is first
    assert traces.get(model, ids[1]) is not second


def test_an_image_that_is_not_kept_is_unknown(images: ImageStore) -> None:
    with pytest.raises(UnknownImage):
        RecentTraces(images).get(make_model(), "0" * 32)
