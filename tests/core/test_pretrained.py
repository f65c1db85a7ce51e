"""Weights of others, fetched from a server of this test's own instead of torchvision's."""

import hashlib
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from app.core.checkpoints import load_network, read_card
from app.core.pretrained import (
    PRETRAINED,
    Pretrained,
    WeightsUnavailable,
    fetch_model,
    find_pretrained,
)
from models.registry import create_network
from tests.conftest import free_port


@dataclass
class Host:
    """A server of files; of those in ``cut`` it sends only the first half."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)


@pytest.fixture
def host() -> Iterator[Host]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = served.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if self.path in served.cut else content)

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = Host(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield served
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def checkpoint() -> tuple[bytes, dict[str, torch.Tensor]]:
    """A file as torchvision publishes it, and the weights in it. Old ones count no batches."""
    torch.manual_seed(11)
    weights = create_network("resnet18").state_dict()
    file = io.BytesIO()
    torch.save({k: v for k, v in weights.items() if "num_batches" not in k}, file)
    return file.getvalue(), weights


Checkpoint = tuple[bytes, dict[str, torch.Tensor]]


def publish(host: Host, content: bytes) -> Pretrained:
    """Put a file on the host, and say of it what torchvision says of its own."""
    host.files["/resnet18.pth"] = content
    checksum = hashlib.sha256(content).hexdigest()[:8]
    classes = tuple(f"thing {number}" for number in range(1000))
    url = f"{host.address}/resnet18.pth"
    return Pretrained("resnet18", "IMAGENET1K_V1", url, checksum, classes, 0.69758)


def refusal(pretrained: Pretrained, folder: Path) -> str:
    """The words with which a fetch is refused; it must leave nothing behind."""
    before = sorted(folder.rglob("*"))
    with pytest.raises(WeightsUnavailable) as refused:
        fetch_model(pretrained, folder, "resnet18")
    assert sorted(folder.rglob("*")) == before
    return str(refused.value)


def test_what_was_fetched_is_the_published_network(
    host: Host, checkpoint: Checkpoint, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content, weights = checkpoint
    path = fetch_model(publish(host, content), tmp_path, "resnet18")
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "resnet18.json",
        "resnet18.safetensors",
    ]
    card = read_card(path)
    found = load_network(card, tmp_path).state_dict()
    assert all(torch.equal(found[name], weight) for name, weight in weights.items())
    assert "100%" in capfd.readouterr().err  # the bar


def test_the_card_says_whose_weights_they_are_and_measures_nothing(
    host: Host, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    pretrained = publish(host, checkpoint[0])
    card = read_card(fetch_model(pretrained, tmp_path, "resnet18"))
    assert card.origin
    for words in ("torchvision", "IMAGENET1K_V1", "ImageNet", pretrained.url, "reports", "69.8%"):
        assert words in card.origin
    assert (card.metrics, card.recipe, card.dataset) == ({}, {}, "imagenet")
    assert card.classes == pretrained.classes
    assert (card.name, card.title, card.default) == ("resnet18", "ResNet-18", False)
    assert card.parameters == 11_689_512


def test_a_file_that_is_cut_short_is_refused(
    host: Host, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    pretrained = publish(host, checkpoint[0])
    host.cut.add("/resnet18.pth")
    assert "cut short" in refusal(pretrained, tmp_path)


def test_another_file_than_the_published_one_is_refused(
    host: Host, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    pretrained = replace(publish(host, checkpoint[0]), checksum="00000000")
    assert "SHA-256 doesn't begin with 00000000" in refusal(pretrained, tmp_path)


@pytest.mark.parametrize("port", [None, "free"])
def test_without_a_host_or_its_file_it_says_what_to_do(
    host: Host, tmp_path: Path, port: str | None
) -> None:
    pretrained = publish(host, b"")
    host.files.clear()
    if port:  # where nobody listens
        pretrained = replace(pretrained, url=f"http://127.0.0.1:{free_port()}/resnet18.pth")
    words = refusal(pretrained, tmp_path)
    assert "could not be downloaded" in words
    assert ("Connection refused" if port else "404") in words
    assert "Connect this machine to the internet" in words


class Trap:
    """What a pickle may hold: a call."""

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (open, ("trapped", "w"))


@pytest.mark.parametrize("content", [{"conv1.weight": torch.zeros(3)}, Trap(), []])
def test_what_is_not_the_network_s_weights_is_refused(
    host: Host, content: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = io.BytesIO()
    torch.save(content, file)
    folder = tmp_path / "models"
    folder.mkdir()
    assert "doesn't hold the weights" in refusal(publish(host, file.getvalue()), folder)
    assert not (tmp_path / "trapped").exists()


def test_a_model_of_that_name_stays(host: Host, checkpoint: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "resnet18.json").write_text("mine")
    assert "--name" in refusal(publish(host, checkpoint[0]), tmp_path)
    assert (tmp_path / "resnet18.json").read_text() == "mine"
    card = read_card(fetch_model(publish(host, checkpoint[0]), tmp_path, "other"))
    assert (card.name, card.title, card.weights) == ("other", "other", "other.safetensors")


@pytest.mark.parametrize("network", PRETRAINED)
def test_torchvision_says_where_its_weights_are(network: str) -> None:
    found = find_pretrained(network)
    assert found.url.startswith("https://")
    assert found.url.endswith(f"-{found.checksum}.pth")
    assert network in found.url
    assert len(set(found.classes)) > 990  # two cranes and two maillots
    assert len(found.classes) == 1000
    assert 0.5 < found.accuracy < 0.8


def test_a_network_without_published_weights_says_which_have_some() -> None:
    with pytest.raises(WeightsUnavailable, match="only for alexnet, resnet18, vgg11"):
        find_pretrained("digits")
