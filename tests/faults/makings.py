"""What a client has a server keep, with all that it needs to know it again."""

import io
import zipfile
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.web import samples

PNG = samples.encode(samples.draw_seven())
CLASSES = ("ants", "bees")


def zip_of_classes(random: Random, side: int = 8) -> bytes:
    """A data set of two classes, each with noise for pictures."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for part in ("train", "test"):
            for label in CLASSES:
                for number in range(4):
                    archive.writestr(f"{part}/{label}/{number}.png", noise(random, side))
    return file.getvalue()


def noise(random: Random, side: int = 8) -> bytes:
    """A grey picture of random numbers, as a PNG file."""
    numbers = np.frombuffer(random.randbytes(side * side), np.uint8).reshape(side, side)
    return samples.encode(Image.fromarray(numbers))


def pixels_of(png: bytes) -> list[list[int]]:
    """The numbers of a grey picture."""
    with Image.open(io.BytesIO(png)) as image:
        rows: list[list[int]] = np.asarray(image.convert("L")).tolist()
    return rows


@dataclass
class Kept:
    """What a server has acknowledged: from then on it may lose none of it."""

    images: dict[str, list[list[int]]] = field(default_factory=dict)
    models: dict[str, dict[str, float]] = field(default_factory=dict)
    edited: dict[str, dict[str, float]] = field(default_factory=dict)
    datasets: set[str] = field(default_factory=set)

    def add_image(self, api: httpx.Client, random: Random) -> httpx.Response:
        """Store a picture."""
        png = noise(random, 20)
        answer = api.post("/api/v1/images", content=png, headers={"Content-Type": "image/png"})
        if answer.is_success:
            self.images[answer.json()["id"]] = pixels_of(png)
        return answer

    def add_dataset(self, api: httpx.Client, random: Random) -> httpx.Response:
        """Import a zip."""
        name = f"set-{random.getrandbits(40):x}"
        files = {"file": ("set.zip", zip_of_classes(random))}
        answer = api.post("/api/v1/datasets", files=files, data={"name": name})
        if answer.is_success:
            self.datasets.add(name)
        return answer

    def add_edited(self, api: httpx.Client, random: Random) -> httpx.Response:
        """Edit the default model."""
        edit = {"layer": "fc1", "channel": random.randrange(8), "bias": random.uniform(-5, 5)}
        answer = api.post("/api/v1/models/digits/edits", json={"edits": [edit]})
        if answer.is_success:
            name = answer.json()["model"]
            self.edited[name] = predict(api, name)
        return answer

    def add_model(self, api: httpx.Client, random: Random) -> httpx.Response:
        """Keep an edited model as one's own."""
        answer = self.add_edited(api, random)
        if not answer.is_success:
            return answer
        edited, name = answer.json()["model"], f"own-{random.getrandbits(40):x}"
        answer = api.post(f"/api/v1/models/{edited}/keep", json={"name": name})
        if answer.is_success:
            self.models[name] = self.edited[edited]
        return answer

    def check(self, api: httpx.Client, random: Random, samples: int | None = None) -> None:
        """All of it must be listed; some of each kind, or all, must be what it was."""
        names = {card["name"] for card in api.get("/api/v1/models").json()}
        assert names >= self.models.keys(), self.models.keys() - names
        sets = {card["name"] for card in api.get("/api/v1/datasets").json()}
        assert sets >= self.datasets, self.datasets - sets
        for image in some(self.images, random, samples):
            kept = api.get(f"/api/v1/images/{image}")
            assert kept.status_code == 200, kept.text
            assert pixels_of(kept.content) == self.images[image]
        for name in some(self.models, random, samples):
            assert predict(api, name) == pytest.approx(self.models[name], abs=1e-5)
        for name in some(self.edited, random, samples):
            assert predict(api, name) == pytest.approx(self.edited[name], abs=1e-5)


def some(known: dict[str, Any], random: Random, most: int | None) -> list[str]:
    """The newest, and others at random; all of them where ``most`` is None."""
    names = list(known)
    if most is None or len(names) <= most:
        return names
    return [names[-1], *random.sample(names[:-1], most - 1)]


def predict(api: httpx.Client, model: str) -> dict[str, float]:
    """The probability of each class of a picture that never changes."""
    answer = api.post(
        f"/api/v1/predict?model={model}", content=PNG, headers={"Content-Type": "image/png"}
    )
    assert answer.status_code == 200, answer.text
    return {one["label"]: one["probability"] for one in answer.json()["probabilities"]}
