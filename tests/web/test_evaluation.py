"""What the API and a model's page tell of the test split."""

import httpx
import pytest

from tests.web.conftest import Refused


def test_an_evaluation_adds_up(api: httpx.Client) -> None:
    answer = api.get("/api/v1/models/digits/evaluation").json()
    confusion = answer["confusion"]
    right = [row[number] for number, row in enumerate(confusion)]
    assert answer["images"] == sum(map(sum, confusion)) == 10_000
    assert answer["accuracy"] == pytest.approx(sum(right) / 10_000)
    shares = [hit / sum(row) for hit, row in zip(right, confusion, strict=True)]
    assert answer["class_accuracy"] == pytest.approx(shares)
    bins = answer["calibration"]
    assert sum(one["count"] for one in bins) == 10_000
    assert sum(one["count"] * one["accuracy"] for one in bins) == pytest.approx(sum(right))
    first = answer["most_confused"][0]
    place = [answer["classes"].index(first[key]) for key in ("true", "predicted")]
    wrong = [n for i, row in enumerate(confusion) for j, n in enumerate(row) if i != j]
    assert confusion[place[0]][place[1]] == first["count"] == max(wrong)
    card = api.get("/api/v1/models/digits").json()
    assert answer["accuracy"] == card["metrics"]["test_accuracy"]


def test_an_unknown_model_has_no_evaluation(api: httpx.Client, refused: Refused) -> None:
    assert "digits" in refused(api.get("/api/v1/models/digit/evaluation"), 404)
