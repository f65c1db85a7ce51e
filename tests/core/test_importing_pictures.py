"""What pictures become in a data set: grey ones stay grey, and all stand upright."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, ImageOps
from PIL.PngImagePlugin import PngImageFile

from app.core.dataset_files import DatasetFolders
from app.core.datasets import find_dataset, load_split
from app.core.importing import import_dataset
from tests.core.test_importing import as_zip, files, picture


@pytest.fixture
def folders(tmp_path: Path) -> DatasetFolders:
    return DatasetFolders(tmp_path / "downloads", tmp_path / "kept")


def grey(seed: int) -> Image.Image:
    return Image.open(io.BytesIO(picture(seed, mode="L")))


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def deep(image: Image.Image) -> Image.Image:
    """16 bits of grey."""
    return Image.fromarray(np.asarray(image).astype(np.uint16) * 257)


GREY: dict[str, tuple[str, Callable[[Image.Image], bytes]]] = {
    "PNG of 16 bits": ("I;16", lambda image: saved(deep(image))),
    "PNG with alpha": ("LA", lambda image: saved(image.convert("LA"))),
    "PNG with a palette": ("P", lambda image: saved(image.convert("P"))),
    "PNG of three channels": ("RGB", lambda image: saved(image.convert("RGB"))),
    "GIF": ("P", lambda image: saved(image, "GIF")),
    "WebP": ("RGB", lambda image: saved(image, "WEBP", lossless=True)),
    "BMP of three channels": ("RGB", lambda image: saved(image.convert("RGB"), "BMP")),
}


@pytest.mark.parametrize(("mode", "save"), GREY.values(), ids=GREY)
def test_grey_stays_grey_however_it_is_kept(
    mode: str,
    save: Callable[[Image.Image], bytes],
    tmp_path: Path,
    folders: DatasetFolders,
) -> None:
    content = {name: save(grey(seed)) for seed, name in enumerate(sorted(files()))}
    assert {Image.open(io.BytesIO(data)).mode for data in content.values()} == {mode}
    dataset = import_dataset(as_zip(tmp_path, content), "pets", folders)
    assert dataset.input_shape == (1, 6, 8)
    assert find_dataset("pets", folders) == dataset
    images = torch.cat([load_split("pets", part, folders).images for part in ("test", "train")])
    assert images.shape == (15, 1, 6, 8)
    for seed, image in enumerate(images):
        assert image[0].tolist() == np.asarray(grey(seed)).tolist()
    # One picture in colour, and the set has it.
    content["train/cats/9.png"] = picture(9)
    dataset = import_dataset(as_zip(tmp_path, content), "coloured", folders)
    assert dataset.input_shape == (3, 6, 8)
    first = load_split("coloured", "test", folders).images[0]
    assert first.tolist() == images[0].expand(3, 6, 8).tolist()


def test_no_picture_is_decoded_twice(
    tmp_path: Path, folders: DatasetFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[PngImageFile] = []
    load_end = PngImageFile.load_end

    def count(image: PngImageFile) -> None:
        decoded.append(image)
        load_end(image)

    monkeypatch.setattr(PngImageFile, "load_end", count)
    import_dataset(as_zip(tmp_path, files()), "pets", folders)
    assert len(decoded) == 15


def turned_png(seed: int, behind: bool) -> bytes:
    """A picture that EXIF turns by a quarter, said before its pixels or behind them."""
    note = Image.Exif()
    note[ExifTags.Base.Orientation] = 6
    data = saved(Image.open(io.BytesIO(picture(seed))), exif=note)
    at = data.index(b"eXIf") - 4
    end = at + 12 + int.from_bytes(data[at : at + 4])
    chunk, rest = data[at:end], data[:at] + data[end:]
    return rest[:-12] + chunk + rest[-12:] if behind else data


@pytest.mark.parametrize("behind", [False, True])
def test_the_size_that_counts_is_the_upright_one(
    behind: bool, tmp_path: Path, folders: DatasetFolders
) -> None:
    content = {name: picture(seed, (6, 8)) for seed, name in enumerate(sorted(files()))}
    content["test/ants/0.png"] = turned_png(77, behind)
    dataset = import_dataset(as_zip(tmp_path, content), "pets", folders)
    assert dataset.input_shape == (3, 8, 6)
    lying = Image.open(io.BytesIO(content["test/ants/0.png"]))
    lying.load()
    upright = np.asarray(ImageOps.exif_transpose(lying))
    assert upright.shape == (8, 6, 3)
    first = load_split("pets", "test", folders).images[0]
    assert first.permute(1, 2, 0).tolist() == upright.tolist()


@pytest.mark.parametrize("orientation", range(9))
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_pictures_that_lie_on_their_side_have_one_size(
    kind: str, orientation: int, tmp_path: Path, folders: DatasetFolders
) -> None:
    note = Image.Exif()
    note[ExifTags.Base.Orientation] = orientation
    image = Image.open(io.BytesIO(picture(1)))
    content = dict.fromkeys(files(), saved(image, kind, exif=note))
    upright = (3, 8, 6) if orientation >= 5 else (3, 6, 8)
    assert import_dataset(as_zip(tmp_path, content), "pets", folders).input_shape == upright


def test_damaged_exif_turns_nothing(tmp_path: Path, folders: DatasetFolders) -> None:
    image = Image.open(io.BytesIO(picture(1)))
    content = dict.fromkeys(files(), saved(image, "WEBP", exif=b"Exif\0\0damaged"))
    assert import_dataset(as_zip(tmp_path, content), "pets", folders).input_shape == (3, 6, 8)
