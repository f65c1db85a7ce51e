"""The preview of augmentations: nine pictures that a seed decides."""

import io
import json

import httpx
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from app.core.augmenting import create_augmentation, list_augmentations
from app.core.model import Model
from app.core.preparing import prepare
from app.web.examples import example_image, example_picture
from tests.web.conftest import Refused

ENTRIES = [{"name": "rotation", "degrees": 25}, {"name": "contrast", "share": 0.5}]


def shown(api: httpx.Client, **query: object) -> NDArray[np.uint8]:
    params = {"image": example_image(), **{key: str(value) for key, value in query.items()}}
    answer = api.get("/api/v1/augmentations/preview.png", params=params)
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def test_all_augmentations_are_listed(api: httpx.Client) -> None:
    assert api.get("/api/v1/augmentations").json() == list_augmentations()


def test_the_nine_are_what_training_would_see(api: httpx.Client, digits: Model) -> None:
    sheet = shown(api, augmentation=json.dumps(ENTRIES), seed=5)
    card = digits.card
    prepared = prepare(example_picture(), card.input_shape, card.preprocessing).tensor
    augment = create_augmentation(ENTRIES)
    wanted = augment(prepared.repeat(9, 1, 1, 1), torch.Generator().manual_seed(5))
    for place, picture in enumerate(wanted):
        top, left = (29 * part for part in divmod(place, 3))
        tile = sheet[top : top + 28, left : left + 28].astype(float)
        assert np.abs(tile - picture[0].numpy() * 255).max() <= 0.51


def test_images_are_augmented_before_they_are_enlarged_as_in_training(
    api: httpx.Client, digits: Model
) -> None:
    entries = [{"name": "affine", "translation": 4}]
    sheet = shown(api, model="lesson-06", augmentation=json.dumps(entries), seed=5)
    prepared = prepare(example_picture(), (1, 28, 28), digits.card.preprocessing).tensor
    augmented = create_augmentation(entries)(
        prepared.repeat(9, 1, 1, 1), torch.Generator().manual_seed(5)
    )
    wanted = functional.interpolate(augmented, size=(200, 200), mode="bilinear")
    for place, picture in enumerate(wanted):
        top, left = (201 * part for part in divmod(place, 3))
        tile = sheet[top : top + 200, left : left + 200].astype(float)
        assert np.abs(tile - picture[0].numpy() * 255).max() <= 0.51


def test_the_seed_alone_decides(api: httpx.Client) -> None:
    text = json.dumps(["affine"])
    first, again, other = (shown(api, augmentation=text, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_colour_and_zoom(api: httpx.Client) -> None:
    sheet = shown(api, model="cifar-3conv", augmentation='["jitter"]', zoom=2)
    assert sheet.shape == (2 * 98, 2 * 98, 3)
    assert np.array_equal(sheet[::2, ::2], sheet[1::2, 1::2])


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({"augmentation": "blur"}, 422, "JSON list"),
        ({"augmentation": "[" * 9999}, 422, "JSON list"),
        ({"augmentation": "[3]"}, 422, "name or an object"),
        ({"augmentation": '["mirror"]'}, 422, "affine"),
        ({"augmentation": '[{"name": "blur", "radius": "wide"}]'}, 422, "radius"),
        ({"augmentation": '[{"name": "thickness", "thicker": 40}]'}, 422, "0 to 4, not 40"),
        ({"augmentation": json.dumps(["blur"] * 21)}, 422, "up to 20"),
        ({"seed": "-1"}, 422, "seed"),
        ({"image": "0" * 32}, 404, "no image"),
        ({"model": "digit"}, 404, "digits"),
    ],
)
def test_what_cannot_be_shown_says_why(
    api: httpx.Client, refused: Refused, query: dict[str, str], status: int, words: str
) -> None:
    params = {"image": example_image(), **query}
    answer = api.get("/api/v1/augmentations/preview.png", params=params)
    assert words in refused(answer, status)
