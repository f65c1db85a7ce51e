"""Data sets on disk: all pictures and labels in one safetensors file that is read where it lies.

A file opens in milliseconds whatever its size, since its tensors are mapped into memory and come
from the disk as they are looked at.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from app.core.declared_types import fits
from app.core.errors import DatasetUnavailable, StorageUnavailable
from app.core.whole_files import unfinished_folder

Part = Literal["train", "test"]
PARTS: tuple[Part, ...] = ("train", "test")
ENDING = ".safetensors"
# Of grey images and of coloured ones.
CHANNELS = (1, 3)


@dataclass(frozen=True)
class DatasetFolders:
    """Where data sets lie.

    ``kept`` holds ConvScope's own files, one per data set. ``downloads`` is laid out as torchvision
    does it, and is only read.
    """

    downloads: Path
    kept: Path

    def file(self, name: str) -> Path:
        """The file of a data set, whether it is there or not."""
        return self.kept / f"{name}{ENDING}"


@dataclass(frozen=True)
class Split:
    """Images and their labels: uint8 (n, channels, height, width) and int64 (n,)."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Tensor) -> "Split":
        """The images and labels at ``indices``, an int64 tensor (k,)."""
        return Split(self.images[indices], self.labels[indices])

    def first(self, count: int) -> "Split":
        """The first ``count`` images and labels, or all if there are fewer."""
        return Split(self.images[:count], self.labels[:count])


@dataclass(frozen=True)
class Dataset:
    """What a data set is called, what its labels mean, and how many images each part has.

    ``input_shape`` is (channels, height, width). The counts are None while it is not here.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    input_shape: tuple[int, int, int]
    train_images: int | None = None
    test_images: int | None = None


def save_dataset(folder: Path, dataset: Dataset, train: Split, test: Split) -> Path:
    """Write ``<name>.safetensors``, whole or not at all; returns its path.

    Raises StorageUnavailable where the folder can't be written.
    """
    metadata = {"title": dataset.title, "classes": json.dumps(dataset.classes)}
    tensors = {}
    for part, split in zip(PARTS, (train, test), strict=True):
        tensors[f"{part}.images"] = split.images.contiguous()
        tensors[f"{part}.labels"] = split.labels
    path = folder / f"{dataset.name}{ENDING}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with unfinished_folder(folder) as beside:
            whole = beside / path.name
            save_file(tensors, whole, metadata)
            with whole.open("rb+") as file:
                os.fsync(file.fileno())
            whole.replace(path)
    except (OSError, SafetensorError) as error:
        raise StorageUnavailable(
            f"The data set {dataset.name} can't be written to {folder}: {error}. "
            "Make room there, or set CONVSCOPE_DATA_DIR to another folder."
        ) from error
    return path


def read_dataset(path: Path) -> Dataset:
    """What the file at ``path`` holds, without its images. Raises DatasetUnavailable."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            shapes = {part: _shape_of(file, part) for part in PARTS}
            if not fits(path.name, str):
                raise ValueError("its name is no text")
            if shapes["train"][1:] != shapes["test"][1:]:
                raise ValueError("its parts have pictures of different sizes")
            return Dataset(
                name=path.name.removesuffix(ENDING),
                title=metadata["title"],
                classes=_classes_of(metadata),
                input_shape=shapes["train"][1:],
                train_images=shapes["train"][0],
                test_images=shapes["test"][0],
            )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error


def read_split(path: Path, part: Part) -> Split:
    """One part of the file at ``path``, mapped into memory. Raises DatasetUnavailable."""
    try:
        with safe_open(path, "pt") as file:
            _shape_of(file, part)
            classes = len(_classes_of(file.metadata()))
            split = Split(file.get_tensor(f"{part}.images"), file.get_tensor(f"{part}.labels"))
            if not ((split.labels >= 0) & (split.labels < classes)).all():
                raise ValueError(f"it has labels of more than its {classes} classes")
            return split
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error


def _classes_of(metadata: dict[str, str]) -> tuple[str, ...]:
    """Raises ValueError where they are no list of names."""
    classes = json.loads(metadata["classes"])
    if not fits(classes, list[str]):
        raise ValueError("its classes are no list of names")
    return tuple(classes)


def _shape_of(file: safe_open, part: Part) -> tuple[int, int, int, int]:
    """Of a part's images, without reading them. Raises ValueError where they are no images, or
    their labels no labels."""
    images = file.get_slice(f"{part}.images")  # type: ignore[no-untyped-call]
    labels = file.get_slice(f"{part}.labels")  # type: ignore[no-untyped-call]
    count, *shape = images.get_shape()
    if (images.get_dtype(), labels.get_dtype()) != ("U8", "I64"):
        raise ValueError(f"its {part} images are no bytes, or its labels no whole numbers")
    if len(shape) != 3 or 0 in shape or labels.get_shape() != [count]:
        raise ValueError(f"its {part} images and labels are not of shapes that belong together")
    channels, height, width = shape
    if channels not in CHANNELS:
        raise ValueError(
            f"its {part} images have {channels} channels; grey ones have 1 and coloured ones 3"
        )
    return count, channels, height, width


def _unreadable(path: Path, error: Exception) -> DatasetUnavailable:
    # safetensors says of such a file that it isn't there.
    if path.is_file() and not os.access(path, os.R_OK):
        return DatasetUnavailable(
            f"{path} may not be read by this program. Let it: chmod u+r {path}, or give the file "
            "to the user that runs ConvScope."
        )
    return DatasetUnavailable(
        f"{path} is no data set of ConvScope's, or it is damaged ({error}). Remove the file and "
        "import the data set again."
    )
