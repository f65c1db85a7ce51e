"""Where the known data sets come from: torchvision's loaders and scikit-learn's digits."""

from collections.abc import Callable
from functools import partial
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from app.core.dataset_files import Part, Split
from app.core.errors import DatasetUnavailable
from app.core.torchvision_operators import declare_torchvision_operators
from app.core.whole_files import remove_leftovers, unfinished_folder

FASHION = (
    *("t-shirt", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
# A host that takes longer is taken for one that isn't there.
HOST_SECONDS = 5
# Reads both parts from a torchvision root, downloading them into it where it is told to.
_Read = Callable[[Path, bool], tuple[Split, Split]]


def fetch_mnist(downloads: Path, kept: Path) -> tuple[Split, Split]:
    """MNIST from ``downloads``, else from its hosts. Raises DatasetUnavailable."""
    return _fetch("MNIST", partial(_read_mnist_like, "MNIST"), downloads, kept)


def fetch_fashion_mnist(downloads: Path, kept: Path) -> tuple[Split, Split]:
    """Fashion-MNIST from ``downloads``, else from its hosts. Raises DatasetUnavailable."""
    return _fetch("Fashion-MNIST", partial(_read_mnist_like, "FashionMNIST"), downloads, kept)


def _read_mnist_like(loader: str, root: Path, download: bool) -> tuple[Split, Split]:
    from torchvision import datasets

    load = getattr(datasets, loader)
    sets = [load(str(root), train, download=download) for train in (True, False)]
    train, test = (Split(one.data.unsqueeze(1), one.targets.long()) for one in sets)
    return train, test


def fetch_cifar10(downloads: Path, kept: Path) -> tuple[Split, Split]:
    """CIFAR-10 from ``downloads``, else from its host. Raises DatasetUnavailable."""

    def read(root: Path, download: bool) -> tuple[Split, Split]:
        from torchvision.datasets import CIFAR10

        sets = [CIFAR10(str(root), train, download=download) for train in (True, False)]
        train, test = (
            Split(torch.from_numpy(one.data).permute(0, 3, 1, 2), torch.tensor(one.targets))
            for one in sets
        )
        return train, test

    return _fetch("CIFAR-10", read, downloads, kept)


def _fetch(title: str, read: _Read, downloads: Path, kept: Path) -> tuple[Split, Split]:
    """Read what lies in ``downloads``, or download it into a folder that is gone afterwards.

    torchvision shows the progress and checks the hashes; what was broken off leaves nothing, and
    what was killed is gone with the next.
    """
    declare_torchvision_operators()
    remove_leftovers(kept)
    state = "is not in"
    try:
        return read(downloads, False)
    except Exception as error:  # Empty and cut files raise nearly anything.
        if "not found" not in str(error):
            state = f"can't be read ({type(error).__name__}: {error}) in"
    try:
        kept.mkdir(parents=True, exist_ok=True)
        with unfinished_folder(kept) as folder:
            return read(folder, True)
    except (OSError, HTTPException, RuntimeError) as error:
        raise _unavailable(title, downloads, state) from error


def _unavailable(title: str, downloads: Path, state: str = "is not in") -> DatasetUnavailable:
    return DatasetUnavailable(
        f"{title} {state} {downloads} and could not be downloaded. Connect this machine to the "
        f"internet, or set CONVSCOPE_DATASETS_DIR to a folder that holds it in torchvision's "
        f'layout, or use "optdigits", which needs no download.'
    )


def check_hosts(title: str, loader: str, downloads: Path) -> None:
    """Raise DatasetUnavailable where ``downloads`` has nothing of a data set of torchvision's and
    none of its hosts answers."""
    declare_torchvision_operators()
    from torchvision import datasets

    load = getattr(datasets, loader)
    if (downloads / getattr(load, "base_folder", loader)).is_dir():
        return
    hosts = getattr(load, "mirrors", None) or [load.url]
    if not any(_answers(host) for host in hosts):
        raise _unavailable(title, downloads)


def _answers(address: str) -> bool:
    try:
        urlopen(Request(address, method="HEAD"), timeout=HOST_SECONDS).close()
    except HTTPError:
        return True  # It answers, whatever it thinks of this address.
    except (OSError, HTTPException):
        return False
    return True


def read_optdigits(part: Part) -> Split:
    """The 1,797 digits that come with scikit-learn; the last 360 of them are the test part.

    They are 8 x 8 and filled to the edge, so they are enlarged to 20 x 20 in the middle of
    28 x 28, which is where MNIST has its digits.
    """
    table = _digits_of_scikit_learn()
    small, labels = table[:, :-1].float().reshape(-1, 1, 8, 8) / 16, table[:, -1].long()
    large = functional.interpolate(small, size=(20, 20), mode="bicubic", align_corners=False)
    images = functional.pad(large.clamp(0, 1) * 255, (4, 4, 4, 4)).round().to(torch.uint8)
    chosen = slice(0, -360) if part == "train" else slice(-360, None)
    return Split(images[chosen], labels[chosen])


def _digits_of_scikit_learn() -> Tensor:
    """What ``sklearn.datasets.load_digits`` reads: (digits, 65), 64 values of 0..16 and the label.

    Its file is read without it: a training process would wait two seconds for it to be imported.
    """
    package = find_spec("sklearn")
    assert package is not None
    assert package.origin is not None
    path = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    return torch.from_numpy(np.loadtxt(path, delimiter=","))
