import pytest
import torch
from torch import Tensor, nn

from app.core.layers import KINDS, TIMES, Addition, Layer, kind_of
from app.core.tracing import list_layers


def describe(module: nn.Module, signed_input: bool = False) -> Layer:
    return list_layers(module.eval(), (4, 12, 12), signed_input)[0]


@pytest.mark.parametrize(
    ("module", "kind", "summary"),
    [
        (nn.Conv2d(4, 8, 5), "conv2d", "5 x 5"),
        (nn.Conv2d(4, 8, 3, 2, 1), "conv2d", "3 x 3, stride 2, pad 1"),
        (nn.Conv2d(4, 8, 3, padding="same", dilation=2), "conv2d", "3 x 3, pad 2, dilation 2"),
        (nn.Conv2d(4, 8, (3, 1), padding=(1, 0)), "conv2d", "3 x 1, pad 1 x 0"),
        (nn.Conv2d(4, 8, 3, padding="valid"), "conv2d", "3 x 3"),
        (nn.MaxPool2d(2), "max_pool2d", "max 2 x 2"),
        (nn.MaxPool2d(3, 2, 1), "max_pool2d", "max 3 x 3, stride 2, pad 1"),
        (nn.AvgPool2d(2), "avg_pool2d", "mean 2 x 2"),
        (nn.AdaptiveAvgPool2d((2, 3)), "adaptive_avg_pool2d", "mean to 2 x 3"),
        (nn.AdaptiveMaxPool2d((None, 3)), "adaptive_max_pool2d", "max to its height x 3"),
        (nn.ReLU6(), "relu6", "min(max(0, x), 6)"),
        (nn.Hardtanh(-2, 3), "hardtanh", "min(max(-2, x), 3)"),
        (nn.BatchNorm2d(4), "batch_norm2d", "normalise"),
        (nn.LeakyReLU(0.1), "leaky_relu", "max(0.1 x, x)"),
        (nn.Linear(12, 3), "linear", "12 → 3"),
        (nn.GroupNorm(2, 4), "groupnorm", "GroupNorm"),
    ],
)
def test_a_layer_says_what_it_is(module: nn.Module, kind: str, summary: str) -> None:
    layer = describe(module)
    assert (layer.kind, layer.summary.replace(TIMES, "x")) == (kind, summary)
    assert layer.parameters == sum(parameter.numel() for parameter in module.parameters())


MODULES = [
    nn.Conv2d(4, 4, 3),
    nn.BatchNorm2d(4),
    nn.ReLU(),
    nn.LeakyReLU(),
    nn.GELU(),
    nn.SiLU(),
    nn.Tanh(),
    nn.Sigmoid(),
    nn.ReLU6(),
    nn.Hardtanh(),
    nn.Hardsigmoid(),
    nn.Hardswish(),
    nn.PReLU(4),
    nn.ELU(),
    nn.CELU(),
    nn.SELU(),
    nn.Mish(),
    nn.Softplus(),
    nn.Softsign(),
    nn.LogSigmoid(),
    nn.Tanhshrink(),
    nn.MaxPool2d(2),
    nn.AvgPool2d(2),
    nn.AdaptiveAvgPool2d(2),
    nn.AdaptiveMaxPool2d(2),
    nn.Dropout(),
    nn.Dropout2d(),
    nn.Identity(),
    Addition(),
    nn.Flatten(),
    nn.Linear(12, 4),
    nn.Softmax(dim=1),
    nn.LogSoftmax(dim=1),
]


def test_every_declared_kind_is_tested_here() -> None:
    assert {type(module) for module in MODULES} == set(KINDS)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: type(module).__name__)
@pytest.mark.parametrize("signed_input", [False, True])
def test_a_layer_that_is_not_signed_is_never_negative(
    module: nn.Module, signed_input: bool
) -> None:
    torch.manual_seed(0)
    picture = torch.randn(1, 4, 12, 12) if signed_input else torch.rand(1, 4, 12, 12)
    negative = bool((module.eval()(picture) < 0).any())
    assert describe(module, signed_input).signed or not negative


def test_a_layer_is_as_signed_as_what_it_reads() -> None:
    assert describe(nn.MaxPool2d(2), signed_input=True).signed
    assert not describe(nn.MaxPool2d(2), signed_input=False).signed


def test_a_subclass_is_of_its_parents_kind() -> None:
    class Rectifier(nn.ReLU):
        pass

    assert kind_of(Rectifier()).name == "relu"


def test_an_unknown_module_may_be_anything() -> None:
    class Odd(nn.Module):
        def forward(self, picture: Tensor) -> Tensor:
            return picture - 1

    layer = describe(Odd())
    assert (layer.kind, layer.signed, layer.weight_shape) == ("odd", True, None)
    assert layer.receptive_field.stride_y == 0


@pytest.mark.parametrize(
    "module",
    [*MODULES, nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 4, 3, groups=2)],
    ids=lambda module: f"{type(module).__name__}-{getattr(module, 'groups', '')}",
)
def test_a_channelwise_layer_hands_each_channel_on_alone(module: nn.Module) -> None:
    torch.manual_seed(0)
    before = torch.randn(1, 4, 12, 12)
    after = before.clone()
    after[:, 2] += 1
    changed = (module.eval()(before) != module(after)).transpose(0, 1).flatten(1).any(1)
    alone = len(changed) == 4 and changed.tolist() == [False, False, True, False]
    # Linear and softmax work along other axes here, and flatten has no channels left.
    several = isinstance(module, nn.Linear | nn.Softmax | nn.LogSoftmax | nn.Flatten)
    assert describe(module).channelwise == (alone and not several)
