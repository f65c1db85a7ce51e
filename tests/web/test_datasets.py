"""Data sets over HTTP, on a server of its own folder."""

import io
import zipfile

import httpx
import pytest

from tests.core.test_importing import files
from tests.web.conftest import Refused


def packed(content: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return file.getvalue()


def send(api: httpx.Client, data: bytes, **fields: str) -> httpx.Response:
    return api.post("/api/v1/datasets", files={"file": ("pets.zip", data)}, data=fields)


def test_those_that_can_be_fetched_and_the_bundled_one_are_listed(api: httpx.Client) -> None:
    listed = {dataset["name"]: dataset for dataset in api.get("/api/v1/datasets").json()}
    assert {"mnist", "fashion-mnist", "cifar10", "optdigits"} <= listed.keys()
    assert listed["cifar10"]["input_shape"] == [3, 32, 32]
    assert listed["optdigits"]["train_images"] == 1437


def test_a_zip_becomes_a_data_set_once(api: httpx.Client, refused: Refused) -> None:
    answer = send(api, packed(files()), name="my-pets")
    assert answer.status_code == 201, answer.text
    wanted = {
        "name": "my-pets",
        "title": "my-pets",
        "classes": ["ants", "cats", "dogs"],
        "input_shape": [3, 6, 8],
        "train_images": 9,
        "test_images": 6,
    }
    assert answer.json() == wanted
    assert wanted in api.get(answer.headers["location"]).json()
    assert "already" in refused(send(api, packed(files()), name="my-pets"), 422)


@pytest.mark.parametrize(
    ("data", "fields", "words"),
    [
        (b"no zip", {"name": "other"}, "not a zip file"),
        (packed(files()), {}, "name"),
        (packed(files()), {"name": "../other"}, "name"),
        (packed(files()), {"name": "other", "size": "9999"}, "9999"),
        (packed({"../a.png": b"x"}), {"name": "other"}, "leads out"),
        (packed({**files(), "train/ants/a.txt": b"x"}), {"name": "other"}, "train/ants/a.txt"),
    ],
)
def test_what_is_no_data_set_is_refused(
    api: httpx.Client, refused: Refused, data: bytes, fields: dict[str, str], words: str
) -> None:
    assert words in refused(send(api, data, **fields), 422)
    assert "other" not in {dataset["name"] for dataset in api.get("/api/v1/datasets").json()}
