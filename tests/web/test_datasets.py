"""Data sets over HTTP, on a server of its own folder."""

import io
import zipfile

import httpx
import pytest

from tests.core.test_importing import files
from tests.web.conftest import Refused
from tests.web.test_runs import watch


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


def test_a_network_learns_one_s_own_classes_and_tells_them(api: httpx.Client) -> None:
    send(api, packed(files()), name="our-pets").raise_for_status()
    recipe = {"network": "lenet5", "dataset": "our-pets", "epochs": 1, "batch_size": 3}
    run = api.post("/api/v1/runs", json=recipe).json()["id"]
    kinds = [kind for _, kind, _ in watch(api, run)]
    assert kinds[-1] == "finished"
    card = api.post(f"/api/v1/runs/{run}/model", json={"name": "pets"}).json()
    assert (card["classes"], card["input_shape"]) == (["ants", "cats", "dogs"], [1, 28, 28])
    sent = {"image": ("ant.png", files()["test/ants/0.png"])}
    found = api.post("/api/v1/predict?model=pets", files=sent).json()
    told = found["probabilities"]
    assert [one["label"] for one in told] == ["ants", "cats", "dogs"]
    assert sum(one["probability"] for one in told) == pytest.approx(1)
    layers = api.get("/api/v1/models/pets").json()["layers"]
    assert layers[-1]["output_shape"] == [3]


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
