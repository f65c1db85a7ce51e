"""Receptive fields against gradients: torch itself says which pixels a unit depends on."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from app.core.layers import Layer
from app.core.receptive_fields import ReceptiveField
from app.core.tracing import list_layers
from models.registry import create_network

SIDES = st.tuples(st.integers(14, 22), st.integers(14, 22))
Box = tuple[int, int, int, int]


PAIRS = st.tuples(st.integers(1, 4), st.integers(1, 4))


@st.composite
def windows(draw: st.DrawFn) -> nn.Module:
    kernel, stride = draw(PAIRS), draw(PAIRS)
    padding = draw(st.integers(0, kernel[0] // 2)), draw(st.integers(0, kernel[1] // 2))
    kind = draw(st.sampled_from(["max", "mean", "same", "convolution"]))
    if kind == "max":
        return nn.MaxPool2d(kernel, stride, padding, ceil_mode=draw(st.booleans()))
    if kind == "mean":
        return nn.AvgPool2d(kernel, stride, padding, ceil_mode=draw(st.booleans()))
    dilation = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    if kind == "same":
        return nn.Conv2d(2, 2, kernel, 1, "same", dilation)
    return nn.Conv2d(2, 2, kernel, stride, padding, dilation)


STACKS = st.lists(
    windows() | st.sampled_from([nn.ReLU(), nn.BatchNorm2d(2)]), min_size=1, max_size=4
)


def layers_of(network: nn.Module, sides: tuple[int, int]) -> tuple[Layer, ...]:
    return list_layers(network, (2, *sides), signed_input=False)


def open_up(network: nn.Module) -> nn.Module:
    """The same windows with nothing that could hide a dependency: positive weights, no maximum."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 0.5)
    modules = [
        nn.AvgPool2d(m.kernel_size, m.stride, m.padding, m.ceil_mode)
        if isinstance(m, nn.MaxPool2d)
        else m
        for m in network.modules()
        if not isinstance(m, nn.Sequential | nn.ReLU)
    ]
    return nn.Sequential(*modules).double()


def seen_by(network: nn.Module, sides: tuple[int, int], y: int, x: int) -> Tensor:
    """Which pixels (height, width) the unit (y, x) of the last layer depends on."""
    picture = torch.ones(1, 2, *sides, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(picture)[0, :, y, x].sum(), picture)
    return gradient[0].abs().sum(dim=0) > 0


def box_of(field: ReceptiveField, y: int, x: int) -> Box:
    top, left = field.top + y * field.stride_y, field.left + x * field.stride_x
    return top, left, top + field.height, left + field.width


def hull_of(seen: Tensor) -> Box:
    rows, columns = seen.any(dim=1).nonzero(), seen.any(dim=0).nonzero()
    return int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1


# Kernels of even size are padded on one side more than on the other, as they should be here.
@pytest.mark.filterwarnings("ignore:Using padding='same'")
@given(STACKS, SIDES)
@settings(max_examples=60, deadline=None)
def test_a_unit_depends_on_its_receptive_field(
    modules: list[nn.Module], sides: tuple[int, int]
) -> None:
    network = nn.Sequential(*modules).eval()
    try:
        last = layers_of(network, sides)[-2]
    except RuntimeError:
        return  # The picture is too small for so many strides.
    opened = open_up(network)
    _, height, width = last.output_shape
    for y, x in {(0, 0), (height - 1, width - 1), (height // 2, width // 2)}:
        seen = seen_by(opened, sides, y, x)
        top, left, bottom, right = box_of(last.receptive_field, y, x)
        outside = seen.clone()
        outside[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = False
        assert not outside.any()
        if top >= 0 and left >= 0 and bottom <= sides[0] and right <= sides[1]:
            assert hull_of(seen) == (top, left, bottom, right)


def field_after(*modules: nn.Module) -> ReceptiveField:
    return layers_of(nn.Sequential(*modules), (12, 12))[-2].receptive_field


def test_an_adaptive_pool_that_divides_its_input_is_a_window() -> None:
    assert field_after(nn.AdaptiveAvgPool2d(3)) == field_after(nn.AvgPool2d(4))
    assert field_after(nn.AdaptiveAvgPool2d((3, None))) == ReceptiveField(4, 1, 0, 0, 4, 1)


@pytest.mark.parametrize(
    "module",
    [nn.AdaptiveAvgPool2d(5), nn.GroupNorm(1, 2), nn.Upsample(scale_factor=2), nn.Linear(12, 3)],
)
def test_what_cannot_be_told_is_the_whole_picture(module: nn.Module) -> None:
    assert field_after(nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3, padding=2), module) == ReceptiveField(
        12, 12, 0, 0, 0, 0
    )


class Branches(nn.Module):
    """Two convolutions of different sizes side by side, and a scaled picture."""

    def __init__(self, rescale: bool) -> None:
        super().__init__()
        self.small, self.large = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 7, padding=3)
        self.relu = nn.ReLU()
        self.rescale = rescale

    def forward(self, picture: Tensor) -> Tensor:
        both = self.small(picture) + self.large(picture)
        return torch.relu(self.relu(nn.functional.avg_pool2d(both, 2) if self.rescale else both))


def test_branches_see_what_the_wider_one_sees() -> None:
    assert layers_of(Branches(False), (12, 12))[2].receptive_field == ReceptiveField(
        7, 7, -3, -3, 1, 1
    )


def test_a_linear_layer_sees_no_more_than_the_maps_that_it_reads() -> None:
    layers = list_layers(create_network("cnn-classifier").eval(), (1, 28, 28), signed_input=False)
    fields = {layer.name: layer.receptive_field for layer in layers}
    assert fields["pool3"] == ReceptiveField(22, 22, 0, 0, 8, 8)
    for name in ("fc1", "relu4", "fc2", "softmax"):
        assert fields[name] == ReceptiveField(22, 22, 0, 0, 0, 0)


def test_a_function_that_rescales_makes_the_field_unknown() -> None:
    assert layers_of(Branches(True), (12, 12))[3].receptive_field.stride_y == 0
