"""Folders and zips of classes as data sets; what is wrong with one leaves nothing behind."""

import io
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from app.core.dataset_files import PARTS, DatasetFolders
from app.core.datasets import find_dataset, list_datasets, load_split
from app.core.importing import import_dataset
from app.core.importing_files import BadImport

Files = dict[str, bytes]


def picture(seed: int, size: tuple[int, int] = (8, 6), mode: str = "RGB") -> bytes:
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(values).convert(mode).save(file, "PNG")
    return file.getvalue()


def files(**kinds: bytes) -> Files:
    plain = {
        f"{part}/{label}/{number}.png": picture(10 * index + number)
        for index, (part, label) in enumerate(
            (part, label) for part in PARTS for label in ("cats", "ants", "dogs")
        )
        for number in range(3 if part == "train" else 2)
    }
    return {**plain, **kinds}


def as_zip(folder: Path, content: Files) -> Path:
    path = folder / "pets.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def as_folder(folder: Path, content: Files) -> Path:
    for name, data in content.items():
        path = folder / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder / "pets"


@pytest.fixture
def folders(tmp_path: Path) -> DatasetFolders:
    return DatasetFolders(tmp_path / "downloads", tmp_path / "kept")


def assert_nothing_is_left(folders: DatasetFolders) -> None:
    assert not folders.kept.exists() or not any(folders.kept.iterdir())


@pytest.mark.parametrize("make", [as_zip, as_folder])
def test_every_picture_comes_in_with_its_class(
    make: type, tmp_path: Path, folders: DatasetFolders
) -> None:
    content = files()
    seen: list[tuple[int, int]] = []
    dataset = import_dataset(
        make(tmp_path, content), "pets", folders, progress=lambda *pair: seen.append(pair)
    )
    assert dataset.classes == ("ants", "cats", "dogs")
    assert dataset.input_shape == (3, 6, 8)
    assert (dataset.train_images, dataset.test_images) == (9, 6)
    assert seen == [(number, 15) for number in range(1, 16)]
    assert find_dataset("pets", folders) == dataset
    assert list_datasets(folders)[-1] == dataset
    for part in PARTS:
        split = load_split("pets", part, folders)
        names = sorted(name for name in content if name.startswith(part))
        for image, label, name in zip(split.images, split.labels, names, strict=True):
            decoded = np.asarray(Image.open(io.BytesIO(content[name])))
            assert image.permute(1, 2, 0).numpy().tolist() == decoded.tolist()
            assert name.split("/")[1] == dataset.classes[int(label)]


def test_a_folder_around_it_and_what_systems_add_make_no_difference(
    tmp_path: Path, folders: DatasetFolders
) -> None:
    content = {f"pets/{name}": data for name, data in files().items()}
    content |= {"__MACOSX/pets/._1.png": b"x", "pets/.DS_Store": b"x", "pets/Thumbs.db": b"x"}
    assert import_dataset(as_zip(tmp_path, content), "pets", folders).train_images == 9


def test_grey_pictures_stay_grey_and_sizes_become_one(
    tmp_path: Path, folders: DatasetFolders
) -> None:
    content = {name: picture(1, (40, 20), "L") for name in files()}
    content["train/cats/0.png"] = picture(2, (20, 30), "L")
    dataset = import_dataset(as_zip(tmp_path, content), "pets", folders)
    assert dataset.input_shape == (1, 64, 64)
    dataset = import_dataset(as_zip(tmp_path, content), "small", folders, side=10)
    assert dataset.input_shape == (1, 10, 10)
    image = Image.open(io.BytesIO(content["train/dogs/0.png"]))
    wanted = image.resize((10, 10), Image.Resampling.BICUBIC, (10, 0, 30, 20))
    dogs = load_split("small", "train", folders).images[6, 0]
    assert dogs.numpy().tolist() == np.asarray(wanted).tolist()


def link(path: Path) -> None:
    info = zipfile.ZipInfo("train/cats/link.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, "/etc/passwd")


def cut(seed: int) -> bytes:
    """A picture whose header is whole and whose pixels are not."""
    whole = picture(seed, (64, 64))
    return whole[: len(whole) // 2]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"../train/cats/9.png": picture(9)}, "leads out of"),
        ({"/train/cats/9.png": picture(9)}, "leads out of"),
        ({"train/cats/..\\9.png": picture(9)}, "leads out of"),
        ({"train/cats/notes.txt": b"hello"}, r"train/cats/notes.txt can't be read as pictures"),
        ({f"train/cats/{n}.txt": b"hello" for n in range(7)}, "and 4 more can't be read"),
        ({"train/cats/cut.png": picture(9)[:60]}, r"train/cats/cut.png"),
        (
            {f"train/cats/cut{n}.png": cut(n) for n in range(7)},
            r"cut0.png, train/cats/cut1.png, train/cats/cut2.png and 4 more can't be decoded",
        ),
        ({"train/lone/1.png": picture(9)}, "lone lacks one"),
        ({"readme.md": b"hello"}, "readme.md lie elsewhere"),
    ],
)
def test_what_is_no_data_set_is_refused_by_name(
    more: Files, words: str, tmp_path: Path, folders: DatasetFolders
) -> None:
    with pytest.raises(BadImport, match=words):
        import_dataset(as_zip(tmp_path, {**files(), **more}), "pets", folders)
    assert_nothing_is_left(folders)


def test_links_are_refused(tmp_path: Path, folders: DatasetFolders) -> None:
    path = as_zip(tmp_path, files())
    link(path)
    with pytest.raises(BadImport, match="link"):
        import_dataset(path, "pets", folders)
    folder = as_folder(tmp_path, files())
    (folder / "train/cats/link.png").symlink_to("/etc/passwd")
    with pytest.raises(BadImport, match="link"):
        import_dataset(folder, "pets", folders)
    assert_nothing_is_left(folders)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, folders: DatasetFolders) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files().items():
            archive.writestr(name, data)
        archive.writestr("train/cats/zeros.png", bytes(60 * 1024 * 1024))
    assert path.stat().st_size < 100_000
    with pytest.raises(BadImport, match=r"train/cats/zeros.png has 63 MB"):
        import_dataset(path, "pets", folders)
    huge = {**files(), "train/cats/huge.png": bomb()}
    with pytest.raises(BadImport, match=r"train/cats/huge.png can't be read: .* 50 million"):
        import_dataset(as_zip(tmp_path, huge), "pets", folders)
    assert_nothing_is_left(folders)


def test_many_small_bombs_are_one(
    tmp_path: Path, folders: DatasetFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = as_zip(tmp_path, files())
    monkeypatch.setattr("app.core.importing_files.MOST_BYTES", 1000)
    with pytest.raises(BadImport, match="together"):
        import_dataset(path, "pets", folders)
    monkeypatch.undo()
    monkeypatch.setattr("app.core.importing_files.MOST_PICTURES", 10)
    with pytest.raises(BadImport, match="more than 10 pictures"):
        import_dataset(path, "pets", folders)


def test_what_a_killed_import_left_is_gone_with_the_next(
    tmp_path: Path, folders: DatasetFolders
) -> None:
    (folders.kept / ".writing-left").mkdir(parents=True)
    (folders.kept / ".writing-left" / "pets.safetensors").write_bytes(b"half")
    import_dataset(as_zip(tmp_path, files()), "pets", folders)
    assert [path.name for path in folders.kept.iterdir()] == ["pets.safetensors"]


def test_a_damaged_picture_in_a_zip_is_named(tmp_path: Path, folders: DatasetFolders) -> None:
    path = as_zip(tmp_path, files())
    content = bytearray(path.read_bytes())
    at = content.index(b"train/cats/1.png") + 60
    content[at : at + 20] = bytes(20)
    path.write_bytes(content)
    with pytest.raises(BadImport, match=r"train/cats/1.png can't be read"):
        import_dataset(path, "pets", folders)
    assert_nothing_is_left(folders)


def bomb() -> bytes:
    """A small PNG of 100 million pixels."""
    file = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"hello"])
def test_a_file_that_is_no_zip_is_refused(
    content: bytes, tmp_path: Path, folders: DatasetFolders
) -> None:
    path = tmp_path / "pets.zip"
    path.write_bytes(content)
    with pytest.raises(BadImport, match="not a zip file"):
        import_dataset(path, "pets", folders)


@pytest.mark.parametrize("name", ["", "Pets", "../pets", "a/b", "x" * 65, "optdigits"])
def test_a_bad_name_is_refused(name: str, tmp_path: Path, folders: DatasetFolders) -> None:
    with pytest.raises(BadImport, match="name"):
        import_dataset(as_zip(tmp_path, files()), name, folders)


def test_a_name_is_given_once(tmp_path: Path, folders: DatasetFolders) -> None:
    path = as_zip(tmp_path, files())
    import_dataset(path, "pets", folders)
    before = folders.file("pets").read_bytes()
    with pytest.raises(BadImport, match="already"):
        import_dataset(path, "pets", folders)
    assert folders.file("pets").read_bytes() == before


def test_a_file_is_read_where_it_lies(tmp_path: Path, folders: DatasetFolders) -> None:
    import_dataset(as_zip(tmp_path, files()), "pets", folders)
    images = load_split("pets", "train", folders).images
    assert images.dtype == torch.uint8
    maps = Path("/proc/self/maps")
    if maps.exists():
        assert str(folders.file("pets")) in maps.read_text()


def test_a_name_that_is_known_brings_its_title(tmp_path: Path, folders: DatasetFolders) -> None:
    """As where CIFAR-10 is at hand as a folder of pictures."""
    assert import_dataset(as_zip(tmp_path, files()), "cifar10", folders).title == "CIFAR-10"
    assert import_dataset(as_zip(tmp_path, files()), "pets", folders).title == "pets"
