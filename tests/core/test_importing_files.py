"""Zips that lie, zips that are locked, and names that systems write in different ways."""

import io
import os
import sys
import tracemalloc
import unicodedata
import zipfile
from pathlib import Path
from zlib import crc32

import pytest
from PIL import Image

from app.core.dataset_files import PARTS, DatasetFolders
from app.core.importing import MOST_PIXELS, MOST_PIXELS_TOGETHER, import_dataset
from app.core.importing_files import MOST_BYTES, BadImport
from tests.core.test_importing import (
    Files,
    as_folder,
    as_zip,
    assert_nothing_is_left,
    files,
    picture,
)
from tests.fuzz.seeding import CORPUS

MEGABYTE = 2**20
NAME = "train/cats/lies.png"
CAFE, DECOMPOSED = "café", unicodedata.normalize("NFD", "café")


@pytest.fixture
def folders(tmp_path: Path) -> DatasetFolders:
    return DatasetFolders(tmp_path / "downloads", tmp_path / "kept")


def refuse(source: Path, folders: DatasetFolders, words: str) -> None:
    with pytest.raises(BadImport, match=words):
        import_dataset(source, "pets", folders)
    assert_nothing_is_left(folders)


def lying_zip(folder: Path, packing: int, content: bytes, size: int, checksum: int) -> Path:
    """A zip whose list says of one file that it has ``size`` bytes of that checksum."""
    path = as_zip(folder, files())
    with zipfile.ZipFile(path, "a", packing) as archive:
        archive.writestr(NAME, content)
        archive.getinfo(NAME).file_size = size
        archive.getinfo(NAME).CRC = checksum
    return path


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("checked", ["all", "what is declared", "one byte more"])
def test_no_more_is_unpacked_than_the_zip_declares(
    packing: int, checked: str, tmp_path: Path, folders: DatasetFolders
) -> None:
    honest = picture(9)
    content = honest + bytes(64 * MEGABYTE)
    end = {"all": len(content), "what is declared": len(honest), "one byte more": len(honest) + 1}
    checksum = crc32(content[: end[checked]])
    path = lying_zip(tmp_path, packing, content, len(honest), checksum)
    del content
    tracemalloc.start()
    try:
        refuse(path, folders, f"{NAME} can't be read")
        assert tracemalloc.get_traced_memory()[1] < 4 * MEGABYTE
    finally:
        tracemalloc.stop()


def test_a_file_of_less_than_the_zip_declares_is_refused(
    tmp_path: Path, folders: DatasetFolders
) -> None:
    honest = picture(9)
    path = lying_zip(tmp_path, zipfile.ZIP_DEFLATED, honest, len(honest) + 1, crc32(honest + b"\0"))
    refuse(path, folders, f"{NAME} can't be read")


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packings_that_unpack_without_a_limit_are_refused(
    packing: int, tmp_path: Path, folders: DatasetFolders
) -> None:
    path = lying_zip(tmp_path, packing, bytes(MEGABYTE), 100, crc32(bytes(100)))
    refuse(path, folders, f"{NAME} is packed in a way that isn't read here: .* usual Deflate")


def test_a_zip_with_a_password_is_told_so(tmp_path: Path, folders: DatasetFolders) -> None:
    path = as_zip(tmp_path, files())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(NAME, picture(9))
        archive.getinfo(NAME).flag_bits |= 0x1
    refuse(path, folders, f"has a password: {NAME} .* without one")


def test_what_is_not_read_may_be_packed_in_any_way(tmp_path: Path, folders: DatasetFolders) -> None:
    path = as_zip(tmp_path, files())
    with zipfile.ZipFile(path, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("__MACOSX/train/cats/._1.png", b"x")
    assert import_dataset(path, "pets", folders).train_images == 9


def test_a_path_comes_once(tmp_path: Path, folders: DatasetFolders) -> None:
    path = as_zip(tmp_path, files())
    with zipfile.ZipFile(path, "a") as archive:
        for _ in range(2):
            with pytest.warns(UserWarning, match="Duplicate name"):
                archive.writestr("train/cats/1.png", picture(9))
    refuse(path, folders, "^train/cats/1.png is there more than once")


def cafes(*names: str) -> Files:
    """The plain classes, and another in each part under one of the names, in turn."""
    more = {
        f"{part}/{name}/{number}.png": picture(number)
        for part in PARTS
        for number, name in enumerate(names)
    }
    return {**files(), **more}


@pytest.mark.parametrize("make", [as_zip, as_folder])
def test_a_class_is_one_however_its_letters_are_written(
    make: type, tmp_path: Path, folders: DatasetFolders
) -> None:
    source = make(tmp_path, cafes(CAFE, DECOMPOSED))
    assert import_dataset(source, "pets", folders).classes == ("ants", CAFE, "cats", "dogs")


@pytest.mark.parametrize("make", [as_zip, as_folder])
def test_a_path_comes_once_however_its_letters_are_written(
    make: type, tmp_path: Path, folders: DatasetFolders
) -> None:
    twice = {f"train/{name}/0.png": picture(9) for name in (CAFE, DECOMPOSED)}
    source = make(tmp_path, {**cafes(CAFE), **twice})
    refuse(source, folders, f"^train/{CAFE}/0.png is there more than once")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (CAFE.encode(), CAFE),
        (DECOMPOSED.encode(), CAFE),
        (CAFE.encode("cp437"), CAFE),
        ("猫".encode(), "猫"),
        ("é".encode("cp437") * 2, "éé"),
    ],
)
def test_names_that_do_not_say_how_they_are_written(
    written: bytes, read: str, tmp_path: Path, folders: DatasetFolders
) -> None:
    held = "@" * len(written)
    path = as_zip(tmp_path, cafes(held))
    path.write_bytes(path.read_bytes().replace(held.encode() + b"/", written + b"/"))
    classes = import_dataset(path, "pets", folders).classes
    assert classes == tuple(sorted({"ants", "cats", "dogs", read}))


@pytest.mark.skipif(sys.platform != "linux", reason="Elsewhere every file's name is text.")
@pytest.mark.parametrize("name", [b"train/caf\xe9/1.png", b"test/cats/caf\xe9.png"])
def test_a_name_in_a_folder_that_is_not_utf_8_is_told(
    name: bytes, tmp_path: Path, folders: DatasetFolders
) -> None:
    source = as_folder(tmp_path, files(**{os.fsdecode(name): picture(9)}))
    refuse(source, folders, r"^The name of t\S+caf\\udce9\S* is not in UTF-8. Rename it")


@pytest.mark.parametrize("name", ["train/cats/..", "..", "/train/cats"])
def test_a_path_that_leads_out_of_the_zip_does_so_in_any_letters(
    name: str, tmp_path: Path, folders: DatasetFolders
) -> None:
    path = as_zip(tmp_path, {**files(), f"{name}/@@.png": picture(9)})
    path.write_bytes(path.read_bytes().replace(b"@@", "é".encode()))
    refuse(path, folders, f"{name}/é.png' leads out of")


def test_a_small_zip_of_many_large_pictures_is_refused_before_one_is_decoded(
    tmp_path: Path, folders: DatasetFolders
) -> None:
    file = io.BytesIO()
    Image.new("1", (7000, 7000)).save(file, "PNG")
    count = MOST_PIXELS_TOGETHER // 7000**2 + 1
    assert MOST_PIXELS >= 7000**2
    path = tmp_path / "pets.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            part, label = PARTS[number % 2], "ab"[number // 2 % 2]
            archive.writestr(f"{part}/{label}/{number}.png", file.getvalue())
    assert path.stat().st_size < MEGABYTE

    def stop(done: int, total: int) -> None:
        raise AssertionError("A picture was decoded.")

    with pytest.raises(BadImport, match=r"together have more than 68\.7 billion pixels"):
        import_dataset(path, "pets", folders, progress=stop)
    assert_nothing_is_left(folders)


@pytest.mark.parametrize(
    ("name", "much"), [("notes.png", "100 notes"), ("profiles.png", "one"), ("scans.jpg", "100")]
)
def test_a_picture_of_costly_parts_is_refused_before_it_is_opened(
    name: str, much: str, tmp_path: Path, folders: DatasetFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    costly = (CORPUS / "pictures" / name).read_bytes()
    opened: list[bytes] = []
    open_image = Image.open

    def watch(file: io.BytesIO, formats: tuple[str, ...]) -> Image.Image:
        opened.append(file.getvalue())
        return open_image(file, formats=formats)

    monkeypatch.setattr(Image, "open", watch)
    source = as_zip(tmp_path, {**files(), NAME: costly})
    refuse(source, folders, f"{NAME} can't be decoded. .* more than {much}")
    assert opened
    assert costly not in opened


def test_as_many_pixels_are_taken_as_the_limit_says(
    tmp_path: Path, folders: DatasetFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = as_zip(tmp_path, files())
    monkeypatch.setattr("app.core.importing.MOST_PIXELS_TOGETHER", 15 * 8 * 6 - 1)
    refuse(path, folders, "All pictures together have more than .* pixels")
    monkeypatch.setattr("app.core.importing.MOST_PIXELS_TOGETHER", 15 * 8 * 6)
    assert import_dataset(path, "pets", folders).train_images == 9


def test_the_limit_on_pixels_leaves_room_for_photographs_of_a_bit_per_pixel() -> None:
    assert MOST_PIXELS_TOGETHER >= 8 * MOST_BYTES
    assert MOST_PIXELS_TOGETHER >= 1_000_000 * 256 * 256
