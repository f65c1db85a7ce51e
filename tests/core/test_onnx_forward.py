"""ONNX Runtime's forward passes against torch's own."""

import builtins
import logging
from collections.abc import Callable
from types import ModuleType

import onnx
import pytest
import torch
from torch import Tensor, nn

from app.core import onnx_forward
from app.core.onnx_graph import NotInOnnx, to_onnx
from app.core.tracing import list_layers
from app.services.model_library import ModelLibrary
from models.registry import list_cards

SHAPE = (3, 16, 16)


class Branches(nn.Module):
    """Sums of branches, one of them by a function, and a flatten that is no module."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, (3, 5), padding="same", groups=4)
        self.pool = nn.AdaptiveAvgPool2d((4, 2))
        self.fc = nn.Linear(64, 5, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        first = self.bn1(self.conv1(inputs))
        return torch.as_tensor(self.fc(torch.flatten(self.pool(first + self.conv2(first)), 1)))


def chain(*layers: nn.Module, features: int) -> nn.Sequential:
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, 4)).eval()


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "branches": Branches,
    "strides": lambda: chain(
        nn.Conv2d(3, 4, (5, 3), stride=(2, 1), padding=(2, 0), dilation=(1, 2)),
        nn.Dropout(),
        nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True),
        features=4 * 5 * 7,
    ),
    "even kernel": lambda: chain(nn.Conv2d(3, 4, 4, padding="same"), features=4 * 256),
    "means": lambda: chain(
        nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=False),
        nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False),
        nn.Identity(),
        features=3 * 16,
    ),
    "functions": lambda: chain(
        *(nn.ReLU(), nn.LeakyReLU(0.2), nn.ELU(0.7), nn.GELU(), nn.GELU(approximate="tanh")),
        *(nn.Tanh(), nn.Sigmoid(), nn.Hardswish(), nn.Mish(), nn.Softsign()),
        features=3 * 256,
    ),
}


def make(name: str) -> nn.Module:
    torch.manual_seed(0)
    network = NETWORKS[name]()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in [*module.parameters(), module.running_mean, module.running_var]:
                assert tensor is not None
                nn.init.uniform_(tensor, 0.5, 2)
    return network.eval()


# Torch tells that it pads an even kernel's input beforehand.
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("name", NETWORKS)
def test_it_gives_torchs_logits(name: str) -> None:
    network = make(name)
    layers = list_layers(network, SHAPE, signed_input=True)
    forward = onnx_forward.onnx_forward(network, layers, SHAPE)
    assert forward is not None
    for size in (1, 5):
        inputs = torch.randn(size, *SHAPE)
        with torch.inference_mode():
            torch.testing.assert_close(forward(inputs), network(inputs), rtol=1e-5, atol=1e-5)


SMALL = [card.name for card in list_cards() if card.weights]


@pytest.mark.parametrize("name", SMALL)
def test_every_shipped_model_is_predicted_so(name: str) -> None:
    model = ModelLibrary(torch.device("cpu")).get(name)
    assert model._faster is not None
    inputs = torch.rand(3, *model.card.input_shape)
    with torch.inference_mode():
        right = model.network(inputs)
    found = torch.stack([one.logits for one in model.predict(inputs)])
    torch.testing.assert_close(found, right, rtol=1e-5, atol=1e-5)


def test_the_graph_is_valid_and_names_the_layers() -> None:
    network = make("branches")
    layers = list_layers(network, SHAPE, signed_input=True)
    graph = to_onnx(network, layers, SHAPE)
    onnx.checker.check_model(graph, full_check=True)
    named = [node.output[0] for node in graph.graph.node]
    assert named == ["conv1", "bn1", "conv2", "add", "pool", "flatten", "fc", "logits"]


REFUSED: dict[str, Callable[[], nn.Module]] = {
    "0 pads with reflect.": lambda: chain(
        nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"), features=768
    ),
    "0 is a softplus, which isn't written in ONNX here.": lambda: chain(
        nn.Softplus(), features=768
    ),
    "0 has windows of several sizes.": lambda: chain(nn.AdaptiveAvgPool2d(5), features=75),
    "0 divides by a number of its own.": lambda: chain(
        nn.AvgPool2d(2, divisor_override=3), features=192
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_it_cannot_write_is_left_to_torch(why: str) -> None:
    network = REFUSED[why]()
    layers = list_layers(network, SHAPE, signed_input=True)
    with pytest.raises(NotInOnnx) as refusal:
        to_onnx(network, layers, SHAPE)
    assert str(refusal.value) == why
    assert onnx_forward.onnx_forward(network, layers, SHAPE) is None


class Doubled(nn.Module):
    """Multiplies by two outside of any layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3)
        self.flatten = nn.Flatten()

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.as_tensor(self.flatten(2 * self.conv(inputs)))


def test_what_happens_between_layers_is_left_to_torch() -> None:
    network = Doubled().eval()
    layers = list_layers(network, SHAPE, signed_input=True)
    assert onnx_forward.onnx_forward(network, layers, SHAPE) is None


def test_other_logits_than_torchs_are_not_taken(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    network = make("branches")
    layers = list_layers(network, SHAPE, signed_input=True)
    graph = to_onnx(network, layers, SHAPE)
    other = next(one for one in graph.graph.initializer if one.name == "fc.weight")
    scaled = onnx.numpy_helper.to_array(other) * 1.0001
    other.CopyFrom(onnx.numpy_helper.from_array(scaled, "fc.weight"))
    monkeypatch.setattr("app.core.onnx_graph.to_onnx", lambda *_: graph)
    with caplog.at_level(logging.WARNING):
        assert onnx_forward.onnx_forward(network, layers, SHAPE) is None
    assert "from torch's, which goes on" in caplog.text


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_torch_does_it_where_the_extra_is_missing(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = make("branches")
    layers = list_layers(network, SHAPE, signed_input=True)
    whole = builtins.__import__

    def without(name: str, *words: object, **more: object) -> ModuleType:
        if name == missing or (missing == "onnx" and name == "app.core.onnx_graph"):
            raise ModuleNotFoundError(name=missing)
        return whole(name, *words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    assert onnx_forward.onnx_forward(network, layers, SHAPE) is None
