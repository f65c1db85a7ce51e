import os
import threading
from pathlib import Path

import numpy as np
import pytest

from app.core.errors import StorageUnavailable, UnknownImage
from app.core.images import Picture, picture_from_grey
from app.services.image_store import ImageStore, identify

LIMIT = 1_000_000


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "images", LIMIT)


def noise(seed: int = 0, side: int = 40) -> Picture:
    return Picture(np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8))


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("light_ink", [False, True])
def test_a_picture_comes_back_with_all_that_is_known_of_it(
    store: ImageStore, exact: bool, light_ink: bool
) -> None:
    picture = Picture(noise().pixels, exact, light_ink)
    found = store.picture(store.put(picture))
    assert np.array_equal(found.pixels, picture.pixels)
    assert (found.exact, found.light_ink) == (exact, light_ink)
    assert identify(found) == identify(picture)


def test_ids_tell_pictures_apart() -> None:
    pixels = noise().pixels
    flat, tall = pixels.reshape(20, 80), pixels.reshape(80, 20)
    pictures = [Picture(pixels), Picture(flat), Picture(tall), picture_from_grey(bytes(pixels))]
    assert len({identify(picture) for picture in pictures}) == 4


def test_a_picture_is_written_once(store: ImageStore, tmp_path: Path) -> None:
    image = store.put(noise())
    path = tmp_path / "images" / f"{image}.png"
    before = path.stat()
    assert store.put(noise()) == image
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert [found.name for found in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "image",
    [
        "",
        "7",
        "../secret",
        "a" * 31,
        "A" * 32,
        "g" * 32,
        "a" * 32,
        "a" * 32 + "\n",
        "\0" * 32,
        "/etc/passwd",
    ],
)
def test_only_its_own_ids_are_looked_up(store: ImageStore, tmp_path: Path, image: str) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    with pytest.raises(UnknownImage, match="POST /api/v1/images"):
        store.png(image)


def test_a_half_written_picture_is_never_served(
    store: ImageStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = identify(noise())
    seen: list[str] = []

    def look(handle: int) -> None:
        with pytest.raises(UnknownImage):
            store.png(image)
        seen.extend(path.name for path in (tmp_path / "images").iterdir())

    monkeypatch.setattr(os, "fsync", look)
    assert store.put(noise()) == image
    assert len(seen) == 1
    assert f"{image}.png" not in seen
    assert store.png(image)


def test_a_failed_write_leaves_nothing(
    store: ImageStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageUnavailable, match=r"No space left on device. Make room"):
        store.put(noise())
    assert list((tmp_path / "images").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "images").write_text("in the way")
    with pytest.raises(StorageUnavailable, match="CONVSCOPE_DATA_DIR"):
        ImageStore(tmp_path / "images", LIMIT).put(noise())


def test_many_may_write_the_same_picture(store: ImageStore, tmp_path: Path) -> None:
    threads = [threading.Thread(target=store.put, args=[noise(side=300)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (path,) = (tmp_path / "images").iterdir()
    assert np.array_equal(store.picture(path.stem).pixels, noise(side=300).pixels)
