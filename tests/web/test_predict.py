"""Predictions over HTTP, against the network itself."""

from typing import Any

import httpx
import numpy as np
import pytest
import torch
from PIL import Image

from app.core.model import Model
from app.services.model_library import ModelLibrary
from tests.web import samples

PREDICT = "/api/v1/predict"


def probabilities(answer: dict[str, Any]) -> list[float]:
    return [one["probability"] for one in answer["probabilities"]]


def predict(api: httpx.Client, **request: Any) -> dict[str, Any]:  # noqa: ANN401
    answer = api.post(PREDICT, **request)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def by_hand(model: Model, pixels: samples.Pixels) -> torch.Tensor:
    with torch.inference_mode():
        logits = model.network(torch.from_numpy(pixels / 255).float()[None, None])[0]
    return torch.as_tensor(logits)


def test_an_answer_has_all_that_the_design_says(api: httpx.Client) -> None:
    png = samples.encode(samples.draw_seven())
    answer = predict(api, files={"image": png})
    assert list(answer) == [
        "model",
        "label",
        "probability",
        "probabilities",
        "logits",
        "input_shape",
        "elapsed_ms",
    ]
    assert (answer["model"], answer["label"]) == ("digits", "7")
    assert [one["label"] for one in answer["probabilities"]] == list("0123456789")
    assert sum(probabilities(answer)) == pytest.approx(1, abs=1e-6)
    assert answer["probability"] == max(probabilities(answer))
    assert answer["input_shape"] == [1, 28, 28]
    assert answer["elapsed_ms"] > 0


@pytest.mark.parametrize("name", ["digits", "convnet-revisited"])
@pytest.mark.parametrize("seed", range(4))
def test_exact_pixels_are_what_the_network_is_given(
    api: httpx.Client, library: ModelLibrary, name: str, seed: int
) -> None:
    pixels = samples.exact_pixels(seed)
    answer = predict(api, json={"pixels": pixels.tolist()}, params={"model": name})
    logits = by_hand(library.get(name), pixels)
    assert answer["model"] == name
    assert answer["logits"] == pytest.approx(logits.tolist(), rel=1e-5, abs=1e-5)
    assert probabilities(answer) == pytest.approx(logits.softmax(0).tolist(), abs=1e-6)
    assert answer["label"] == str(int(logits.argmax()))


def test_the_same_picture_in_every_form_is_the_same_prediction(api: httpx.Client) -> None:
    picture = samples.draw_seven()
    png = samples.encode(picture)
    ways: list[dict[str, Any]] = [
        {"files": {"image": ("7.png", png, "image/png")}},
        {"files": {"image": ("7", png, "application/octet-stream")}},
        {"content": png, "headers": {"Content-Type": "image/png"}},
        {"content": png, "headers": {"Content-Type": "image/x-whatever"}},
        {"json": {"image": samples.base64_of(png)}},
        {"json": {"image": samples.data_url(png)}},
        {"json": {"image": "\n".join(samples.base64_of(png).partition("8"))}},
        {"json": {"pixels": np.asarray(picture).tolist()}},
        {"json": {"pixels": np.asarray(picture.convert("RGB")).tolist()}},
        {"json": {"batch": [{"image": samples.base64_of(png)}]}},
        {"content": picture.tobytes(), "headers": {"Content-Type": "application/octet-stream"}},
    ]
    answers = [predict(api, **way) for way in ways]
    for answer in answers:
        assert answer["label"] == "7"
        assert answer["logits"] == pytest.approx(answers[0]["logits"], rel=1e-5, abs=1e-5)


def test_grey_bytes_may_have_any_width(api: httpx.Client) -> None:
    wide = Image.new("L", (400, 280), 0)
    wide.paste(samples.draw_seven(), (60, 0))
    headers = {"Content-Type": "application/octet-stream"}
    answer = predict(api, content=wide.tobytes(), headers=headers, params={"width": 400})
    assert answer["label"] == "7"


def test_a_batch_answers_in_order_what_each_would_get_alone(api: httpx.Client) -> None:
    pixels = [samples.exact_pixels(seed).tolist() for seed in range(64)]
    alone = [predict(api, json={"pixels": one}) for one in pixels]
    batch = predict(api, json={"batch": [{"pixels": one} for one in pixels]})
    assert list(batch) == ["predictions"]
    assert len(batch["predictions"]) == 64
    for one, other in zip(batch["predictions"], alone, strict=True):
        assert probabilities(one) == pytest.approx(probabilities(other), abs=1e-6)
        assert one["logits"] == pytest.approx(other["logits"], rel=1e-5, abs=1e-5)


def test_several_files_of_a_form_are_a_batch(api: httpx.Client) -> None:
    seven = samples.encode(samples.draw_seven())
    other = samples.encode(samples.draw_seven().transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    files = [("image", ("1.png", seven)), ("image", ("2.png", other)), ("image", ("3.png", seven))]
    first, second, third = predict(api, files=files)["predictions"]
    assert first["label"] == third["label"] == "7"
    assert second["logits"] != first["logits"]


def test_top_keeps_the_most_probable_first(api: httpx.Client) -> None:
    body = {"pixels": samples.exact_pixels().tolist()}
    everything = predict(api, json=body)
    top = predict(api, json=body, params={"top": 3})
    ranked = sorted(everything["probabilities"], key=lambda one: -one["probability"])
    assert top["probabilities"] == ranked[:3]
    assert top["logits"] == everything["logits"]
    assert predict(api, json=body, params={"top": 5000})["probabilities"] == ranked


def test_the_first_frame_of_an_animation_counts(api: httpx.Client) -> None:
    assert predict(api, files={"image": samples.animation()})["label"] == "7"


def test_an_answer_tells_where_its_time_went(api: httpx.Client) -> None:
    answer = api.post(PREDICT, json={"pixels": samples.exact_pixels().tolist()})
    parts = dict(part.split(";dur=") for part in answer.headers["server-timing"].split(", "))
    assert list(parts) == ["prepare", "network", "total"]
    prepare, network, total = (float(part) for part in parts.values())
    assert 0 < prepare + network <= answer.json()["elapsed_ms"] + 0.002
    assert answer.json()["elapsed_ms"] <= total + 0.002
