"""Networks without weights: they can be explored, and never pass for trained ones."""

import httpx
import pytest

from models.registry import list_cards
from tests.web.conftest import Refused

CARDS = [card for card in list_cards() if card.name in ("alexnet", "resnet18", "vgg11")]
UNTRAINED = [card.name for card in CARDS if card.weights is None]


def test_cards_say_that_weights_are_random_and_how_to_get_others(api: httpx.Client) -> None:
    cards = {card["name"]: card for card in api.get("/api/v1/models").json()}
    assert UNTRAINED
    for name in UNTRAINED:
        card = cards[name]
        assert (card["weights"], card["metrics"], card["origin"]) == (None, {}, None)
        assert "random" in card["notice"]
        assert f"`convscope models fetch {name}`" in card["notice"]
    assert cards["digits"]["notice"] is None


def test_the_same_random_weights_answer_every_time(api: httpx.Client) -> None:
    pixels = {"pixels": [[0, 90, 255], [30, 200, 10], [7, 7, 250]]}
    answers = [
        api.post("/api/v1/predict", params={"model": "resnet18"}, json=pixels).json()
        for _ in range(2)
    ]
    assert answers[0]["logits"] == answers[1]["logits"]
    assert answers[0]["label"].startswith("class ")
    assert len(answers[0]["probabilities"]) == 1000


def test_nothing_was_measured_of_it(refused: Refused, api: httpx.Client) -> None:
    detail = refused(api.get("/api/v1/models/resnet18/evaluation"), 404)
    assert "untrained" in detail
    assert "models fetch resnet18" in detail


@pytest.mark.parametrize("path", ["/?model=resnet18", "/models/resnet18"])
def test_pages_say_so_too(api: httpx.Client, path: str) -> None:
    page = api.get(path).text
    assert "weights are random" in page
    assert "<code>convscope models fetch resnet18</code>" in page
