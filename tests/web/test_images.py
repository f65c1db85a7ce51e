"""Kept pictures."""

import io
import re
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from app.web.examples import example_image, example_png
from tests.conftest import start_server, stop, wait_until_up
from tests.web import samples

IMAGES = "/api/v1/images"


def keep(api: httpx.Client, data: bytes) -> str:
    answer = api.post(IMAGES, files={"image": data})
    assert answer.status_code == 201
    image = str(answer.json()["id"])
    assert answer.headers["location"] == f"{IMAGES}/{image}"
    return image


def test_a_kept_picture_comes_back_pixel_by_pixel(api: httpx.Client) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (31, 47, 3), dtype=np.uint8)
    image = keep(api, samples.encode(Image.fromarray(colours)))
    answer = api.get(f"{IMAGES}/{image}")
    assert answer.headers["content-type"] == "image/png"
    assert "immutable" in answer.headers["cache-control"]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(answer.content))), colours)


def test_the_id_is_made_of_the_content(api: httpx.Client) -> None:
    seven = samples.draw_seven()
    image = keep(api, samples.encode(seven))
    assert re.fullmatch("[0-9a-f]{32}", image)
    assert keep(api, samples.encode(seven, "BMP")) == image
    assert keep(api, samples.encode(seven, "GIF")) == image
    assert keep(api, samples.encode(draw_other())) != image


def draw_other() -> Image.Image:
    other = samples.draw_seven()
    other.putpixel((0, 0), 1)
    return other


def test_what_came_back_has_the_same_id(api: httpx.Client) -> None:
    grey = {"Content-Type": "application/octet-stream"}
    drawn = api.post(IMAGES, content=samples.draw_seven().tobytes(), headers=grey).json()["id"]
    assert keep(api, api.get(f"{IMAGES}/{drawn}").content) == drawn


@pytest.mark.parametrize("side", [28, 280])
def test_a_kept_drawing_is_predicted_as_the_drawing_itself(api: httpx.Client, side: int) -> None:
    grey = {"Content-Type": "application/octet-stream"}
    body = samples.draw_seven(side, side // 12).tobytes()
    image = api.post(IMAGES, content=body, headers=grey).json()["id"]
    kept = api.get(f"{IMAGES}/{image}").content
    answers = [
        api.post("/api/v1/predict", content=body, headers=grey).json(),
        api.post("/api/v1/predict", content=kept, headers={"Content-Type": "image/png"}).json(),
    ]
    assert answers[0]["logits"] == pytest.approx(answers[1]["logits"], rel=1e-6)


def test_the_example_is_there_from_the_start(api: httpx.Client) -> None:
    kept = api.get(f"{IMAGES}/{example_image()}").raise_for_status().content
    pixels, expected = (np.asarray(Image.open(io.BytesIO(data))) for data in (kept, example_png()))
    assert np.array_equal(pixels, expected)


def test_kept_pictures_outlive_the_server(tmp_path: Path) -> None:
    ids: list[str] = []
    colours = np.random.default_rng(1).integers(0, 256, (9, 9), dtype=np.uint8)
    for _ in range(2):
        process, address = start_server(tmp_path)
        try:
            wait_until_up(address, process)
            with httpx.Client(base_url=address) as api:
                for image in ids:
                    assert api.get(f"{IMAGES}/{image}").status_code == 200
                ids.append(keep(api, samples.encode(Image.fromarray(colours))))
        finally:
            stop(process)
    assert ids[0] == ids[1]


def test_many_may_send_the_same_picture_at_once(api: httpx.Client) -> None:
    data = samples.encode(samples.draw_seven(300, 30))
    seen: list[bytes] = []

    def send() -> None:
        seen.append(api.get(f"{IMAGES}/{keep(api, data)}").content)

    run_at_once([send] * 8)
    assert len(seen) == 8
    assert len(set(seen)) == 1


def run_at_once(works: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
