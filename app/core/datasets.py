"""Data sets by name: downloaded ones, those of the user's own, and one that is always here."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from app.core.dataset_files import (
    ENDING,
    Dataset,
    DatasetFolders,
    Part,
    Split,
    read_dataset,
    read_split,
    save_dataset,
)
from app.core.dataset_sources import (
    FASHION,
    check_hosts,
    fetch_cifar10,
    fetch_fashion_mnist,
    fetch_mnist,
    read_optdigits,
)
from app.core.errors import ConvScopeError, DatasetUnavailable
from models.registry import DIGITS, OBJECTS

_log = logging.getLogger(__name__)
Fetch = Callable[[Path, Path], tuple[Split, Split]]


class UnknownDataset(ConvScopeError):
    """No data set has that name; the message lists those that there are."""


BUNDLED = Dataset("optdigits", "Optical digits", DIGITS, (1, 28, 28), 1437, 360)

_FETCHED: dict[str, tuple[Dataset, Fetch]] = {
    dataset.name: (dataset, fetch)
    for dataset, fetch in (
        (Dataset("mnist", "MNIST", DIGITS, (1, 28, 28)), fetch_mnist),
        (Dataset("fashion-mnist", "Fashion-MNIST", FASHION, (1, 28, 28)), fetch_fashion_mnist),
        (Dataset("cifar10", "CIFAR-10", OBJECTS, (3, 32, 32)), fetch_cifar10),
    )
}
# By what torchvision calls them.
_LOADERS = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "cifar10": "CIFAR10"}


def list_datasets(folders: DatasetFolders) -> list[Dataset]:
    """Every data set that is here or can be fetched, those of the user's own last. Damaged ones are
    left out, and the log says so; whoever names one is told."""
    own = {path.name.removesuffix(ENDING) for path in _kept_files(folders)}
    names = [*_FETCHED, BUNDLED.name, *sorted(own - {*_FETCHED, BUNDLED.name})]
    return [dataset for name in names if (dataset := _unless_damaged(name, folders))]


def _unless_damaged(name: str, folders: DatasetFolders) -> Dataset | None:
    try:
        return find_dataset(name, folders)
    except DatasetUnavailable as error:
        _log.warning("%s It is left out.", error)
        return None


def find_dataset(name: str, folders: DatasetFolders) -> Dataset:
    """What is known of the data set called ``name``. Raises UnknownDataset."""
    if name == BUNDLED.name:
        return BUNDLED
    if _is_kept(name, folders):
        return read_dataset(folders.file(name))
    if name in _FETCHED:
        return _FETCHED[name][0]
    names = ", ".join(dataset.name for dataset in list_datasets(folders))
    raise UnknownDataset(f"There is no data set called {name!r}. There are: {names}.")


def title_of(name: str) -> str:
    """The title that a data set of that name is known by; else the name itself."""
    return _FETCHED[name][0].title if name in _FETCHED else name


def _is_kept(name: str, folders: DatasetFolders) -> bool:
    # A name comes from a user: it may neither lead out of the folder nor be too long to look for.
    return Path(name).name == name and folders.file(name) in _kept_files(folders)


def _kept_files(folders: DatasetFolders) -> list[Path]:
    return list(folders.kept.glob(f"[!.]*{ENDING}"))


def load_split(name: str, part: Part, folders: DatasetFolders) -> Split:
    """The train or the test part of a data set, fetched and kept if need be.

    Raises UnknownDataset and DatasetUnavailable.
    """
    path = keep_dataset(name, folders)
    return read_optdigits(part) if path is None else read_split(path, part)


def keep_dataset(name: str, folders: DatasetFolders) -> Path | None:
    """The file of a data set, fetched if need be; None for the one that is always here.

    Raises UnknownDataset and DatasetUnavailable.
    """
    if name == BUNDLED.name:
        return None
    dataset = find_dataset(name, folders)
    if not _is_kept(name, folders):
        train, test = _FETCHED[name][1](folders.downloads, folders.kept)
        counted = replace(dataset, train_images=len(train), test_images=len(test))
        save_dataset(folders.kept, counted, train, test)
    return folders.file(name)


def check_within_reach(name: str, folders: DatasetFolders) -> None:
    """Raise DatasetUnavailable for a data set that is neither here nor at a host that answers.

    Raises UnknownDataset, too.
    """
    dataset = find_dataset(name, folders)
    if name in _LOADERS and not _is_kept(name, folders):
        check_hosts(dataset.title, _LOADERS[name], folders.downloads)


def split_off(split: Split, share: float, seed: int) -> tuple[Split, Split]:
    """Part ``split`` at random: the rest, and ``round(share * n)`` images for validation.

    The same seed parts it the same way on every machine. ``share`` is in 0..1; ValueError else.
    """
    if not 0 <= share < 1:
        raise ValueError(f"A share lies between 0 and 1, not at {share}.")
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(seed))
    held_out = round(share * len(split))
    return split.take(order[held_out:]), split.take(order[:held_out])
