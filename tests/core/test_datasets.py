import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from app.core.dataset_files import PARTS, DatasetFolders, Split
from app.core.datasets import UnknownDataset, list_datasets, load_split, split_off
from app.core.errors import DatasetUnavailable
from app.core.torchvision_operators import declare_torchvision_operators
from tests.conftest import free_port

NOWHERE = DatasetFolders(Path("/nonexistent"), Path("/nonexistent"))


def numbered(n: int) -> Split:
    return Split(torch.arange(n, dtype=torch.uint8).reshape(n, 1, 1, 1), torch.arange(n))


def test_optdigits_needs_no_files_and_looks_like_mnist() -> None:
    train, test = (load_split("optdigits", part, NOWHERE) for part in PARTS)
    assert train.images.shape == (1437, 1, 28, 28)
    assert test.images.shape == (360, 1, 28, 28)
    assert train.images.dtype == torch.uint8
    assert train.labels.dtype == torch.int64
    assert set(train.labels.tolist()) == set(range(10))
    frame = train.images.clone()
    frame[:, :, 4:24, 4:24] = 0
    assert not frame.any()


def test_optdigits_are_the_digits_of_scikit_learn_enlarged() -> None:
    from sklearn.datasets import load_digits

    split = load_split("optdigits", "test", NOWHERE)
    inner = split.images[:, 0, 4:24, 4:24].float()
    small = torch.nn.functional.adaptive_avg_pool2d(inner[:, None], 8)[:, 0] / 255 * 16
    expected = torch.from_numpy(load_digits().images[-360:]).float()
    assert torch.corrcoef(torch.stack([small.flatten(), expected.flatten()]))[0, 1] > 0.95
    assert split.labels.tolist() == load_digits().target[-360:].tolist()


def test_splitting_off_keeps_every_image_once_with_its_label() -> None:
    rest, held_out = split_off(numbered(100), 0.2, seed=3)
    assert (len(rest), len(held_out)) == (80, 20)
    together = torch.cat([rest.labels, held_out.labels])
    assert sorted(together.tolist()) == list(range(100))
    assert rest.images.flatten().tolist() == rest.labels.tolist()


def test_the_seed_decides_what_is_split_off() -> None:
    first, again, other = (split_off(numbered(100), 0.2, seed)[1].labels for seed in (1, 1, 2))
    assert first.equal(again)
    assert not first.equal(other)


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_outside_of_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        split_off(numbered(10), share, seed=0)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownDataset, match="optdigits"):
        load_split("nist", "train", NOWHERE)
    names = [dataset.name for dataset in list_datasets(NOWHERE)]
    assert names == ["mnist", "fashion-mnist", "cifar10", "optdigits"]


def test_what_cannot_be_downloaded_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare_torchvision_operators()
    from torchvision.datasets import MNIST

    def offline(self: object) -> None:
        raise RuntimeError("no route to host")

    monkeypatch.setattr(MNIST, "download", offline)
    with pytest.raises(DatasetUnavailable, match="CONVSCOPE_DATASETS_DIR"):
        load_split("mnist", "train", DatasetFolders(tmp_path, tmp_path / "kept"))


def write_idx(path: Path, values: torch.Tensor) -> None:
    header = bytes([0, 0, 8, values.ndim])
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    path.write_bytes(header + sizes + values.numpy().tobytes())


def write_mnist(root: Path, images: torch.Tensor) -> Path:
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    labels = torch.tensor([7, 2, 1, 0, 4], dtype=torch.uint8)
    for part in ("train", "t10k"):
        write_idx(raw / f"{part}-images-idx3-ubyte", images)
        write_idx(raw / f"{part}-labels-idx1-ubyte", labels)
    return raw


@pytest.mark.parametrize("left", [0, 2, 100])
def test_files_of_torchvision_s_that_are_cut_are_named_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    raw = write_mnist(tmp_path, torch.zeros(5, 28, 28, dtype=torch.uint8))
    cut = raw / "train-images-idx3-ubyte"
    cut.write_bytes(cut.read_bytes()[:left])
    from torchvision.datasets import MNIST

    monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{free_port()}/"])
    with pytest.raises(DatasetUnavailable, match=r"MNIST can't be read .* CONVSCOPE_DATASETS_DIR"):
        load_split("mnist", "train", DatasetFolders(tmp_path, tmp_path / "kept"))


def test_mnist_is_read_in_torchvision_s_layout(tmp_path: Path) -> None:
    images = torch.randint(0, 256, (5, 28, 28), dtype=torch.uint8)
    write_mnist(tmp_path, images)
    split = load_split("mnist", "train", DatasetFolders(tmp_path, tmp_path / "kept"))
    assert split.images.equal(images.unsqueeze(1))
    assert split.labels.tolist() == [7, 2, 1, 0, 4]


class Trap:
    """What a pickle may hold: a call, here one that makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return (Path.touch, (self.path,))


def without_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    declare_torchvision_operators()
    from torchvision.datasets import CIFAR10

    monkeypatch.setattr(CIFAR10, "url", f"http://127.0.0.1:{free_port()}/cifar-10-python.tar.gz")


def write_cifar10(root: Path, **changed: bytes) -> dict[str, str]:
    """Files of CIFAR-10's names, two pictures in each batch; returns the MD5 of each."""
    from torchvision.datasets import CIFAR10

    batch = pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [3, 5]})
    contents = {name: batch for name, _ in CIFAR10.train_list + CIFAR10.test_list}
    contents[CIFAR10.meta["filename"]] = pickle.dumps({"label_names": ["cat", "dog"]})
    contents.update(changed)
    folder = root / CIFAR10.base_folder
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: hashlib.md5(content).hexdigest() for name, content in contents.items()}


def publish(monkeypatch: pytest.MonkeyPatch, hashes: dict[str, str]) -> None:
    """Let torchvision take these files for CIFAR-10's."""
    from torchvision.datasets import CIFAR10

    for part in ("train_list", "test_list"):
        named = [[name, hashes[name]] for name, _ in getattr(CIFAR10, part)]
        monkeypatch.setattr(CIFAR10, part, named)
    meta = CIFAR10.meta
    monkeypatch.setattr(CIFAR10, "meta", {**meta, "md5": hashes[meta["filename"]]})


@pytest.mark.parametrize("name", ["data_batch_1", "data_batch_5", "test_batch", "batches.meta"])
def test_a_changed_file_of_cifar10_is_refused_before_it_is_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    without_a_host(monkeypatch)
    trapped = tmp_path / "trapped"
    publish(monkeypatch, write_cifar10(tmp_path))
    split = load_split("cifar10", "test", DatasetFolders(tmp_path, tmp_path / "as published"))
    assert split.labels.tolist() == [3, 5]
    hashes = write_cifar10(tmp_path, **{name: pickle.dumps(Trap(trapped))})
    folders = DatasetFolders(tmp_path, tmp_path / "changed")
    with pytest.raises(DatasetUnavailable, match="CIFAR-10"):
        load_split("cifar10", "test", folders)
    assert not trapped.exists()
    # It would have made the file, were it the one that was published.
    publish(monkeypatch, hashes)
    with pytest.raises(DatasetUnavailable, match="CIFAR-10"):
        load_split("cifar10", "test", folders)
    assert trapped.exists()


def test_only_the_published_files_of_cifar10_are_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_a_host(monkeypatch)
    trapped = tmp_path / "trapped"
    trap = pickle.dumps(Trap(trapped))
    write_cifar10(tmp_path, **dict.fromkeys(write_cifar10(tmp_path), trap))
    with pytest.raises(DatasetUnavailable, match="CIFAR-10"):
        load_split("cifar10", "test", DatasetFolders(tmp_path, tmp_path / "kept"))
    assert not trapped.exists()
