"""The pixels that a unit depends on, against gradients: torch itself says which they are."""

import copy
import re
from collections.abc import Iterator
from typing import Literal

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from app.core.layers import Layer
from app.core.tracing import list_layers, trace
from app.core.unit_fields import Padded, UnitField, effective_field, unit_field
from app.core.units import Index
from app.core.watching import Call, watch_layers
from models.registry import blank_card, create_network, list_networks

Box = tuple[int, int, int, int]
Shape = tuple[int, int, int]
Mode = Literal["zeros", "reflect", "replicate", "circular"]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """As in the server: for so little work, threads would wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def opened(network: nn.Module) -> nn.Module:
    """A copy in which nothing hides a dependency: positive weights, no maximum, no function."""
    network = copy.deepcopy(network).eval()
    for path, module in list(network.named_modules()):
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            module.weight.data /= module.weight[0].numel()  # Gradients stay in range.
        elif type(module).__module__ == "torch.nn.modules.activation":
            put(network, path, nn.Identity())
        elif isinstance(module, nn.MaxPool2d):
            window = module.kernel_size, module.stride, module.padding, module.ceil_mode
            put(network, path, nn.AvgPool2d(*window))
        elif isinstance(module, nn.AdaptiveMaxPool2d):
            put(network, path, nn.AdaptiveAvgPool2d(module.output_size))
    return network


def put(network: nn.Module, path: str, module: nn.Module) -> None:
    before, _, name = path.rpartition(".")
    setattr(network.get_submodule(before), name, module)


def hull_of(seen: Tensor) -> Box:
    rows, columns = seen.any(dim=1).nonzero(), seen.any(dim=0).nonzero()
    if not len(rows):
        return 0, 0, 0, 0
    top, left = int(rows.min()), int(columns.min())
    return top, left, int(rows.max()) + 1 - top, int(columns.max()) + 1 - left


def box_of(field: UnitField) -> Box:
    return field.top, field.left, field.height, field.width


class Seen:
    """All activations of one pass over an empty picture, and which pixels each depends on."""

    def __init__(self, network: nn.Module, shape: Shape) -> None:
        self.activations: dict[str, Tensor] = {}
        self.picture = torch.ones(shape, requires_grad=True)
        with watch_layers(network, self.keep):
            network(self.picture[None].clone())

    def keep(self, call: Call, out: Tensor) -> None:
        self.activations[call.name] = out[0].clone()

    def by(self, layer: str, index: Index) -> Box:
        activation = self.activations[layer]
        unit = activation[index[: activation.ndim]]
        (gradient,) = torch.autograd.grad(
            unit, self.picture, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        return hull_of(gradient.abs().sum(dim=0) > 0)


def check_layer(
    network: nn.Module, layers: tuple[Layer, ...], layer: Layer, shape: Shape, seen: Seen
) -> None:
    channels, height, width = (*layer.output_shape, 1, 1)[:3]
    places = {(0, 0), (height // 2, width // 2), (height // 3, width - 1), (height - 1, 0)}
    numbers = {0, channels // 2} if height == width == 1 else {0}
    for index in [(number, *place) for number in numbers for place in places]:
        field = unit_field(network, layers, shape, layer.name, index)
        assert box_of(field) == seen.by(layer.name, index), (layer.name, index)


def check_network(network: nn.Module, shape: Shape, step: int = 1) -> None:
    """Check every ``step``-th layer, the last one included."""
    network = opened(network)
    layers = list_layers(network, shape, signed_input=False)
    seen = Seen(network, shape)
    for layer in layers[-2::-step]:
        check_layer(network, layers, layer, shape, seen)
    # The gradients of a softmax cancel out.
    index: Index = 0, 0, 0
    before, last = (unit_field(network, layers, shape, one.name, index) for one in layers[-2:])
    assert before == last


SMALL = [name for name in list_networks() if blank_card(name).parameters < 2e6]


@pytest.mark.parametrize("name", SMALL)
def test_units_of_small_networks(name: str) -> None:
    torch.manual_seed(0)
    check_network(create_network(name), blank_card(name).input_shape)


def test_units_of_a_network_with_skips() -> None:
    torch.manual_seed(0)
    check_network(create_network("resnet18"), (3, 64, 48), step=11)


PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def windows(draw: st.DrawFn) -> nn.Module:
    kernel, stride = draw(PAIRS), draw(PAIRS)
    padding = draw(st.integers(0, kernel[0] // 2)), draw(st.integers(0, kernel[1] // 2))
    kind = draw(st.sampled_from(["max", "mean", "adaptive", "same", "convolution", "convolution"]))
    if kind == "max":
        return nn.MaxPool2d(kernel, stride, padding, ceil_mode=draw(st.booleans()))
    if kind == "mean":
        return nn.AvgPool2d(kernel, stride, padding, ceil_mode=draw(st.booleans()))
    if kind == "adaptive":
        return nn.AdaptiveMaxPool2d(draw(PAIRS))
    modes: list[Mode] = ["zeros", "reflect", "replicate", "circular"]
    mode = draw(st.sampled_from(modes))
    dilation = draw(PAIRS)
    if kind == "same":
        return nn.Conv2d(2, 2, kernel, 1, "same", dilation, padding_mode=mode)
    padding = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    return nn.Conv2d(2, 2, kernel, stride, padding, dilation, padding_mode=mode)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@given(st.lists(windows() | st.just(nn.ReLU()), min_size=1, max_size=4), st.integers(7, 12))
@settings(max_examples=60, deadline=None)
def test_units_of_any_stack_of_windows(modules: list[nn.Module], side: int) -> None:
    shape = 2, side, side + 1
    network = opened(nn.Sequential(*modules))
    try:
        layers = list_layers(network, shape, signed_input=False)
    except RuntimeError as error:
        assume(not re.search("(?i)size|padding", str(error)))  # The maps are too small.
        raise
    check_layer(network, layers, layers[-2], shape, Seen(network, shape))


class Branches(nn.Module):
    """A narrow and a wide way to a sum, and a third past a pool; then all units of its maps."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Conv2d(2, 2, (7, 3), padding=(3, 1), dilation=1)
        self.narrow, self.far = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 2, dilation=4, padding=2)
        self.pool, self.rows, self.fc = nn.MaxPool2d(5), nn.Linear(2, 3), nn.Linear(12, 4)
        self.late = nn.Linear(4, 4)

    def forward(self, maps: Tensor) -> Tensor:
        both = self.narrow(maps)
        both += self.wide(maps)
        pooled = self.pool(torch.relu(both + self.far(maps)))
        return torch.as_tensor(self.late(self.fc(self.rows(pooled).flatten(1))))


def test_branches_are_united_and_functions_that_are_no_layers_keep_the_place() -> None:
    torch.manual_seed(0)
    check_network(Branches(), (2, 13, 13))


def field(network: nn.Module, shape: tuple[int, int, int], layer: str, index: Index) -> UnitField:
    layers = list_layers(network.eval(), shape, signed_input=False)
    return unit_field(network, layers, shape, layer, index)


def test_what_lies_in_the_padding_is_told_apart() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 5, padding=2), nn.Conv2d(1, 1, 3, 2, padding=1))
    # Unit (0, 2) of the second reads rows -1 to 1 and columns 3 to 5 of the first.
    assert field(network, (1, 6, 6), "1", (0, 0, 2)) == UnitField(0, 1, 4, 5, Padded(3, 0, 0, 2))


def test_a_linear_layer_sees_what_its_maps_see() -> None:
    network = create_network("cnn-classifier")
    pool = field(network, (1, 28, 28), "pool3", (0, 0, 0))
    assert (pool.height, pool.width) < (28, 28)
    assert field(network, (1, 28, 28), "fc1", (3, 0, 0)) == pool
    assert field(network, (1, 28, 28), "softmax", (9, 0, 0)) == pool


def test_what_is_not_known_sees_everything() -> None:
    network = nn.Sequential(nn.GroupNorm(1, 1), nn.Upsample(scale_factor=2))
    for layer in ("0", "1"):
        assert box_of(field(network, (1, 4, 4), layer, (0, 1, 1))) == (0, 0, 4, 4)


def test_a_unit_that_reads_nothing_but_padding_sees_nothing() -> None:
    network = nn.Conv2d(1, 1, 1, padding=1)
    assert box_of(field(network, (1, 4, 4), "conv2d", (0, 0, 0))) == (0, 0, 0, 0)
    assert box_of(field(network, (1, 4, 4), "conv2d", (0, 1, 1))) == (0, 0, 1, 1)


def test_an_effective_field_is_the_gradient_of_the_unit() -> None:
    torch.manual_seed(0)
    network = create_network("lenet5").eval()
    picture = torch.rand(1, 28, 28)
    units: list[tuple[str, Index]] = [("conv2", (3, 4, 5)), ("fc3", (7, 0, 0))]
    for layer, index in [*units, ("softmax", (7, 0, 0))]:
        found = effective_field(network, picture, layer, index)
        # Against differences: each unit is smooth in each pixel.
        pixel = int(found.argmax())
        step = torch.zeros(784).index_fill(0, torch.tensor(pixel), 1e-4).view(1, 28, 28).double()
        exact = copy.deepcopy(network).double()
        after, before = (
            value_of(exact, picture.double() + sign * step, layer, index) for sign in (1, -1)
        )
        assert abs(after - before) / 2e-4 == pytest.approx(float(found.view(-1)[pixel]), rel=1e-3)


def value_of(network: nn.Module, picture: Tensor, layer: str, index: Index) -> float:
    activation = trace(network, picture).activations[layer]
    return float(activation[index[: activation.ndim]])
