"""Labelled images by the name of their data set, whole in memory as tensors.

A split of MNIST is 47 MB as bytes, so training reads it once and never waits for a disk again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from app.core.errors import ConvScopeError, DatasetUnavailable
from app.core.torchvision_operators import declare_torchvision_operators

Part = Literal["train", "test"]
DIGITS = tuple("0123456789")


class UnknownDataset(ConvScopeError):
    """No data set has that name; the message lists those that there are."""


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
    """What a data set is called, what its labels mean, and how a part of it is read."""

    name: str
    title: str
    classes: tuple[str, ...]
    input_shape: tuple[int, int, int]
    read: Callable[[Path, Part], Split]


def list_datasets() -> list[str]:
    """The names of all data sets."""
    return list(_DATASETS)


def find_dataset(name: str) -> Dataset:
    """The data set called ``name``. Raises UnknownDataset."""
    if name not in _DATASETS:
        raise UnknownDataset(
            f"There is no data set called {name!r}. There are: {', '.join(_DATASETS)}."
        )
    return _DATASETS[name]


def load_split(name: str, part: Part, root: Path) -> Split:
    """Read the train or the test part of a data set that lies in, or is downloaded to, ``root``.

    ``root`` is laid out as torchvision does it. Raises UnknownDataset and DatasetUnavailable.
    """
    return find_dataset(name).read(root, part)


def split_off(split: Split, share: float, seed: int) -> tuple[Split, Split]:
    """Part ``split`` at random: the rest, and ``round(share * n)`` images for validation.

    The same seed parts it the same way on every machine. ``share`` is in 0..1; ValueError else.
    """
    if not 0 <= share < 1:
        raise ValueError(f"A share lies between 0 and 1, not at {share}.")
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(seed))
    held_out = round(share * len(split))
    return split.take(order[held_out:]), split.take(order[:held_out])


def _read_mnist(root: Path, part: Part) -> Split:
    declare_torchvision_operators()
    from torchvision.datasets import MNIST

    def read(download: bool) -> Split:
        digits = MNIST(str(root), train=part == "train", download=download)
        return Split(digits.data.unsqueeze(1), digits.targets.long())

    try:
        return read(download=False)
    except RuntimeError:  # torchvision's word for "not there"
        return _download("MNIST", root, lambda: read(download=True))


def _download(title: str, root: Path, read: Callable[[], Split]) -> Split:
    try:
        root.mkdir(parents=True, exist_ok=True)
        return read()
    except (OSError, RuntimeError) as error:
        raise DatasetUnavailable(
            f"{title} is not in {root} and could not be downloaded. Connect this machine to the "
            f"internet, or set CONVSCOPE_DATASETS_DIR to a folder that holds it in torchvision's "
            f'layout, or use "optdigits", which needs no download.'
        ) from error


def _read_optdigits(root: Path, part: Part) -> Split:
    """The 1,797 digits that come with scikit-learn; the last 360 of them are the test part.

    They are 8 x 8 and filled to the edge, so they are enlarged to 20 x 20 in the middle of
    28 x 28, which is where MNIST has its digits.
    """
    from sklearn.datasets import load_digits

    values, labels = load_digits(return_X_y=True)
    small = torch.from_numpy(values).float().reshape(-1, 1, 8, 8) / 16
    large = functional.interpolate(small, size=(20, 20), mode="bicubic", align_corners=False)
    images = functional.pad(large.clamp(0, 1) * 255, (4, 4, 4, 4)).round().to(torch.uint8)
    chosen = slice(0, -360) if part == "train" else slice(-360, None)
    return Split(images[chosen], torch.from_numpy(labels).long()[chosen])


_DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset("mnist", "MNIST", DIGITS, (1, 28, 28), _read_mnist),
        Dataset("optdigits", "Optical digits", DIGITS, (1, 28, 28), _read_optdigits),
    )
}
