"""Downloads from a real host, on this machine: whole, broken off and damaged ones."""

import gzip
import hashlib
import struct
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch

from app.core.dataset_files import DatasetFolders
from app.core.datasets import check_within_reach, find_dataset, load_split
from app.core.errors import DatasetUnavailable
from app.core.torchvision_operators import declare_torchvision_operators
from app.core.whole_files import unfinished_folder
from tests.conftest import free_port

declare_torchvision_operators()
MNIST = pytest.importorskip("torchvision.datasets").MNIST

COUNTS = {"train": 20, "t10k": 10}
NO_HTTP = b"220 mail.example.org at your service\r\n\r\n"
BROKEN_CHUNK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nand no more"


class Host(ThreadingHTTPServer):
    """Serves ``files`` by name, half of each unless ``whole``, or ``instead`` of any."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.files: dict[str, bytes] = {}
        self.whole = True
        self.instead = b""
        self.asked: list[str] = []


class _Answer(BaseHTTPRequestHandler):
    server: Host

    def do_HEAD(self) -> None:
        if self.server.instead:
            self.wfile.write(self.server.instead)
        else:
            self.send_error(501)

    def do_GET(self) -> None:
        if self.server.instead:
            self.wfile.write(self.server.instead)
            return
        name = self.path.rpartition("/")[2]
        self.server.asked.append(name)
        data = self.server.files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data if self.server.whole else data[: len(data) // 2])

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def images(part: str) -> torch.Tensor:
    count = COUNTS[part]
    chance = torch.Generator().manual_seed(count)
    return torch.randint(0, 256, (count, 28, 28), generator=chance, dtype=torch.uint8)


def idx(values: torch.Tensor) -> bytes:
    """The format of MNIST's files, as its authors describe it, gzipped."""
    head = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    return gzip.compress(head + values.numpy().tobytes())


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A host of a small MNIST, of which torchvision is told address and hashes."""
    host = Host()
    for part, count in COUNTS.items():
        host.files[f"{part}-images-idx3-ubyte.gz"] = idx(images(part))
        host.files[f"{part}-labels-idx1-ubyte.gz"] = idx(
            torch.arange(count, dtype=torch.uint8) % 10
        )
    hashes = [
        (name, hashlib.md5(data, usedforsecurity=False).hexdigest())
        for name, data in host.files.items()
    ]
    monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{host.server_port}/mnist/"])
    monkeypatch.setattr(MNIST, "resources", hashes)
    Thread(target=host.serve_forever, daemon=True).start()
    yield host
    host.shutdown()
    host.server_close()


@pytest.fixture
def folders(tmp_path: Path) -> DatasetFolders:
    return DatasetFolders(tmp_path / "downloads", tmp_path / "kept")


def test_a_data_set_is_downloaded_once_and_kept(host: Host, folders: DatasetFolders) -> None:
    train, test = (load_split("mnist", part, folders) for part in ("train", "test"))
    assert train.images.equal(images("train").unsqueeze(1))
    assert test.labels.equal(torch.arange(10))
    assert set(host.asked) == host.files.keys()
    assert [path.name for path in folders.kept.iterdir()] == ["mnist.safetensors"]
    assert find_dataset("mnist", folders).train_images == 20


def test_a_broken_download_leaves_nothing_and_can_be_tried_again(
    host: Host, folders: DatasetFolders
) -> None:
    host.whole = False
    refused(folders)
    host.whole = True
    assert len(load_split("mnist", "train", folders)) == 20


@pytest.mark.parametrize("instead", [NO_HTTP, BROKEN_CHUNK])
def test_an_answer_that_is_no_whole_http_is_as_good_as_none(
    host: Host, folders: DatasetFolders, instead: bytes
) -> None:
    host.instead = instead
    refused(folders)
    host.instead = b""
    assert len(load_split("mnist", "train", folders)) == 20


def test_what_a_killed_download_left_is_gone_with_the_next(
    host: Host, folders: DatasetFolders
) -> None:
    leave_half(folders)
    load_split("mnist", "train", folders)
    assert [path.name for path in folders.kept.iterdir()] == ["mnist.safetensors"]


def test_what_is_at_hand_clears_up_behind_a_killed_download_too(
    host: Host, folders: DatasetFolders
) -> None:
    MNIST(str(folders.downloads), download=True)
    host.instead = NO_HTTP
    leave_half(folders)
    load_split("mnist", "train", folders)
    assert [path.name for path in folders.kept.iterdir()] == ["mnist.safetensors"]


def test_nothing_is_cleared_up_while_another_process_writes(
    host: Host, folders: DatasetFolders
) -> None:
    half = leave_half(folders)
    with unfinished_folder(folders.kept) as others:
        load_split("mnist", "train", folders)
        assert others.exists()
        assert half.exists()


def leave_half(folders: DatasetFolders) -> Path:
    """What a killed download leaves."""
    half = folders.kept / ".writing-left" / "MNIST" / "raw" / "train-images-idx3-ubyte.gz"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    return half


def test_a_damaged_file_is_not_taken(host: Host, folders: DatasetFolders) -> None:
    host.files["train-images-idx3-ubyte.gz"] = idx(images("t10k"))
    refused(folders)


def test_what_is_within_reach_is_told_without_a_download(
    host: Host, folders: DatasetFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_within_reach("mnist", folders)
    assert host.asked == []
    host.instead = NO_HTTP
    with pytest.raises(DatasetUnavailable, match=r"could not be downloaded\. Connect"):
        check_within_reach("mnist", folders)
    monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{free_port()}/mnist/"])
    with pytest.raises(DatasetUnavailable, match=r"could not be downloaded\. Connect"):
        check_within_reach("mnist", folders)
    check_within_reach("optdigits", folders)
    (folders.downloads / "MNIST").mkdir(parents=True)
    check_within_reach("mnist", folders)


def refused(folders: DatasetFolders) -> None:
    with pytest.raises(DatasetUnavailable, match=r"could not be downloaded\. Connect"):
        load_split("mnist", "train", folders)
    assert list(folders.kept.iterdir()) == []
    assert not folders.downloads.exists()
