"""Units against torch: each is computed again from its terms and must be what torch has stored."""

import re
from collections.abc import Callable, Iterator
from itertools import product

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from app.core.arithmetic import chain_behind, explain
from app.core.checkpoints import load_network
from app.core.errors import Unexplained, UnknownChannel, UnknownUnit
from app.core.layers import KINDS, Layer
from app.core.tracing import Trace, list_layers, trace
from app.core.units import Index, Unit
from models.registry import WEIGHTS, ModelCard, create_network, list_cards

SHIPPED = [card for card in list_cards() if card.weights]
LARGE = ["resnet18", "vgg11", "alexnet"]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """As in the server: for so little work, threads would wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pictures(card: ModelCard, count: int) -> Iterator[Tensor]:
    """Noise, sparse noise and a few blots, prepared as the card says."""
    draw = torch.Generator().manual_seed(len(card.name))
    for number in range(count):
        values = torch.rand(card.input_shape, generator=draw)
        if number % 3 == 1:
            values *= torch.rand(card.input_shape, generator=draw) < 0.2
        if number % 3 == 2:
            values = (functional.avg_pool2d(values, 5, 1, 2) > 0.52).float()
        mean, std = (
            torch.tensor(one)[:, None, None]
            for one in (card.preprocessing.mean, card.preprocessing.std)
        )
        yield (values - mean) / std


def some_units(layer: Layer, count: int, draw: torch.Generator) -> Iterator[Index]:
    """The first and the last unit, and random ones."""
    sizes = (*layer.output_shape, 1, 1)[:3]
    yield 0, 0, 0
    yield sizes[0] - 1, sizes[1] - 1, sizes[2] - 1
    for _ in range(count - 2):
        one = [int(torch.randint(size, (1,), generator=draw)) for size in sizes]
        yield one[0], one[1], one[2]


def check(unit: Unit, traced: Trace) -> None:
    stored = float(traced.activations[unit.layer.name][unit.index[: len(unit.layer.output_shape)]])
    assert unit.value == stored
    assert abs(unit.difference) <= 1e-5 * unit.magnitude, unit
    assert unit.agrees
    assert abs(unit.value - unit.own_computed) <= 1e-5 * unit.magnitude
    if unit.terms.products is not None and unit.sum is not None:
        assert unit.terms.weights is not None
        assert torch.equal(
            unit.terms.products, unit.terms.inputs.double() * unit.terms.weights.double()
        )
        subtotals = float(unit.terms.subtotals.sum()) + (unit.bias or 0)
        assert abs(subtotals - unit.sum) <= 1e-12 * unit.magnitude


def check_network(network: nn.Module, picture: Tensor, count: int, seed: int = 0) -> int:
    layers = list_layers(network, tuple(picture.shape), signed_input=True)
    traced, draw = trace(network, picture), torch.Generator().manual_seed(seed)
    checked = 0
    for layer in layers:
        for index in some_units(layer, count, draw):
            check(explain(network, layers, traced, layer.name, index), traced)
            checked += 1
    return checked


@pytest.mark.parametrize("card", SHIPPED, ids=lambda card: card.name)
def test_units_of_shipped_models_are_what_torch_stored(card: ModelCard) -> None:
    network = load_network(card, WEIGHTS)
    checked = 0
    for seed, picture in enumerate(pictures(card, 6)):
        checked += check_network(network, picture, 40, seed)
    assert checked > 2000


@pytest.mark.parametrize("name", LARGE)
def test_units_of_large_networks_are_what_torch_stored(name: str) -> None:
    torch.manual_seed(0)
    network = create_network(name).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.bias)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    check_network(network, torch.randn(3, 224, 224), 8)


PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))
MODES = ["zeros", "reflect", "replicate", "circular"]


@st.composite
def convolutions(draw: st.DrawFn) -> nn.Conv2d:
    kernel, dilation = draw(PAIRS), draw(PAIRS)
    padding: str | tuple[int, int] = draw(
        st.sampled_from(["same", "valid"]) | st.tuples(st.integers(0, 4), st.integers(0, 4))
    )
    return nn.Conv2d(
        4,
        draw(st.sampled_from([4, 8])),
        kernel,
        1 if padding == "same" else draw(PAIRS),
        padding,
        dilation,
        groups=draw(st.sampled_from([1, 2, 4])),
        bias=draw(st.booleans()),
        padding_mode=draw(st.sampled_from(MODES)),
    )


@st.composite
def pools(draw: st.DrawFn) -> nn.Module:
    kernel, stride, ceil = draw(PAIRS), draw(PAIRS), draw(st.booleans())
    padding = draw(st.integers(0, kernel[0] // 2)), draw(st.integers(0, kernel[1] // 2))
    kind = draw(st.sampled_from(["max", "mean", "adaptive max", "adaptive mean"]))
    if kind == "max":
        return nn.MaxPool2d(kernel, stride, padding, draw(PAIRS), ceil_mode=ceil)
    if kind == "mean":
        divisor = draw(st.none() | st.integers(1, 5))
        return nn.AvgPool2d(kernel, stride, padding, ceil, draw(st.booleans()), divisor)
    size = draw(st.tuples(st.integers(1, 9), st.none() | st.integers(1, 9)))
    return nn.AdaptiveMaxPool2d(size) if kind == "adaptive max" else nn.AdaptiveAvgPool2d(size)


def check_some(module: nn.Module, picture: Tensor) -> None:
    """The corners of a layer, the middle and some units in between, against torch."""
    module.eval()
    try:
        layers = list_layers(module, tuple(picture.shape), signed_input=True)
    except RuntimeError as error:
        assume(not re.search("(?i)size|padding", str(error)))  # The maps are too small.
        raise
    traced, (layer, *_) = trace(module, picture), layers
    channels, height, width = layer.output_shape
    rows, columns = ({0, 1 % size, size // 2, size - 1} for size in (height, width))
    for y, x in product(rows, columns):
        index = (3 * y + x) % channels, y, x
        check(explain(module, layers, traced, layer.name, index), traced)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@given(convolutions(), st.integers(0, 99))
@settings(max_examples=80, deadline=None)
def test_any_convolution_is_what_torch_computes(module: nn.Conv2d, seed: int) -> None:
    check_some(module, torch.randn(4, 7, 6, generator=torch.Generator().manual_seed(seed)))


@given(pools(), st.integers(0, 99))
@settings(max_examples=80, deadline=None)
def test_any_pool_is_what_torch_computes(module: nn.Module, seed: int) -> None:
    check_some(module, torch.randn(4, 7, 6, generator=torch.Generator().manual_seed(seed)))


class Both(nn.Module):
    """Everything that isn't a window: norms, sums, functions of one number, softmaxes."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.activation = activation
        self.bare = nn.BatchNorm2d(4, affine=False)
        self.own = nn.BatchNorm2d(4, track_running_stats=False)
        self.across, self.along = nn.Softmax(dim=1), nn.LogSoftmax(dim=-1)
        self.rows = nn.Linear(6, 3)
        self.fc = nn.Linear(4 * 7 * 3, 5, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        maps = self.own(self.bare(self.activation(maps)) + maps)
        maps = self.rows(self.along(maps) + self.across(maps))
        return torch.as_tensor(self.activation(self.fc(maps.flatten(1))))


POINTWISE = [
    *(nn.ReLU(), nn.ReLU(inplace=True), nn.LeakyReLU(0.3), nn.GELU(), nn.GELU("tanh"), nn.SiLU()),
    *(nn.Tanh(), nn.Sigmoid(), nn.ReLU6(), nn.Hardtanh(-0.5, 0.7), nn.Hardsigmoid()),
    *(nn.Hardswish(), nn.PReLU(init=0.1), nn.ELU(0.7), nn.CELU(1.2), nn.SELU(), nn.Mish()),
    *(nn.Softplus(2.0), nn.Softsign(), nn.LogSigmoid(), nn.Tanhshrink()),
    *(nn.Dropout(0.4), nn.Identity()),
]


@pytest.mark.parametrize("number", range(len(POINTWISE)))
def test_norms_sums_and_functions_are_what_torch_computes(number: int) -> None:
    torch.manual_seed(number)
    network = Both(POINTWISE[number]).eval()
    assert network.bare.running_mean is not None
    nn.init.normal_(network.bare.running_mean)
    nn.init.normal_(network.own.weight)
    assert check_network(network, 3 * torch.randn(4, 7, 6), 20) == 20 * 12


def test_a_slope_per_channel_and_dropped_maps() -> None:
    slopes = nn.PReLU(4)
    nn.init.uniform_(slopes.weight)
    network = nn.Sequential(slopes, nn.Dropout2d(0.5), nn.Flatten(), nn.Linear(168, 3)).eval()
    check_network(network, torch.randn(4, 7, 6), 40)


def test_every_declared_kind_is_explained() -> None:
    tested = {type(one) for one in POINTWISE}
    assert set(KINDS) - tested == {
        *(nn.Conv2d, nn.BatchNorm2d, nn.Linear, nn.Flatten, nn.Softmax, nn.LogSoftmax),
        *(nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Dropout2d),
        next(one for one in KINDS if one.__name__ == "Addition"),
    }


def explained(network: nn.Module, picture: Tensor, layer: str, index: Index) -> Unit:
    network.eval()
    layers = list_layers(network, tuple(picture.shape), signed_input=True)
    return explain(network, layers, trace(network, picture), layer, index)


def test_a_small_convolution_by_hand() -> None:
    network = nn.Conv2d(2, 1, 2, stride=2, padding=1)
    nn.init.constant_(network.bias, 0.5)  # type: ignore[arg-type]
    network.weight.data = torch.arange(8.0).view(1, 2, 2, 2)
    picture = torch.arange(8.0).view(2, 2, 2) + 1
    unit = explained(network, picture, "conv2d", (0, 0, 1))
    assert unit.window is not None
    assert unit.window.rows == (None, 0)
    assert unit.window.columns == (1, None)
    assert unit.window.padding == "zeros"
    first, second = unit.terms.page(0, 2)
    assert (first.channel, first.subtotal, second.channel, second.subtotal) == (1, 36.0, 0, 4.0)
    assert first.inputs.tolist() == [[0.0, 0.0], [6.0, 0.0]]
    assert first.weights is not None
    assert first.weights.tolist() == [[4.0, 5.0], [6.0, 7.0]]
    assert first.products is not None
    assert first.products.tolist() == [[0.0, 0.0], [36.0, 0.0]]
    assert (unit.bias, unit.sum, unit.value, unit.magnitude) == (0.5, 40.5, 40.5, 40.5)
    assert (unit.formula, first.source, first.index) == ("Σ w · x + b", "input", None)


def test_terms_come_by_their_size_and_in_pages() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Tanh(), nn.Linear(12, 2))
    unit = explained(network, torch.randn(3, 2, 2), "2", (1, 0, 0))
    whole = unit.terms.page(0, 100)
    assert [abs(one.subtotal) for one in whole] == sorted(
        (abs(one.subtotal) for one in whole), reverse=True
    )
    pages = [one for start in range(0, 12, 5) for one in unit.terms.page(start, 5)]
    assert [one.channel for one in pages] == [one.channel for one in whole]
    assert {one.index for one in whole} == {(number, 0, 0) for number in range(12)}
    assert unit.window is None


@pytest.mark.parametrize("between", [[], [nn.Dropout(0.5)], [nn.Identity(), nn.Dropout()]])
def test_a_linear_layer_reads_the_maps_in_front_of_its_flatten(between: list[nn.Module]) -> None:
    network = nn.Sequential(nn.Tanh(), nn.Flatten(), *between, nn.Linear(30, 2))
    picture = torch.randn(5, 3, 2)
    unit = explained(network, picture, str(2 + len(between)), (1, 0, 0))
    assert unit.window is not None
    assert (unit.window.rows, unit.window.columns) == ((0, 1, 2), (0, 1))
    assert len(unit.terms) == 5
    for term in unit.terms.page(0, 5):
        assert term.source == "0"
        assert torch.equal(term.inputs, picture[term.channel].tanh())
        linear = network[-1]
        assert isinstance(linear, nn.Linear)
        assert term.weights is not None
        assert torch.equal(term.weights, linear.weight[1].view(5, 3, 2)[term.channel])
    folded = unit.details["folded"]
    assert isinstance(folded, torch.Tensor)
    linear = network[-1]
    assert isinstance(linear, nn.Linear)
    products = picture.tanh().double() * linear.weight[1].view(5, 3, 2).detach().double()
    assert torch.allclose(folded, products.sum(dim=0))


def test_a_flatten_tells_where_its_number_was() -> None:
    network = nn.Sequential(nn.Tanh(), nn.Flatten())
    unit = explained(network, torch.randn(5, 3, 2), "1", (17, 0, 0))
    (term,) = unit.terms.page(0, 9)
    assert (term.source, term.index, term.channel) == ("0", (2, 2, 1), 2)


def test_a_maximum_has_a_winner_and_a_mean_a_divisor() -> None:
    picture = torch.tensor([[[1.0, 5.0, 2.0], [5.0, 0.0, 9.0], [3.0, 4.0, 8.0]]])
    unit = explained(nn.MaxPool2d(2, 1), picture, "maxpool2d", (0, 0, 0))
    assert unit.details["winner"] == (0, 1)  # the first of two that are the largest
    padded = explained(nn.MaxPool2d(2, 2, 1), picture - 10, "maxpool2d", (0, 0, 0))
    assert padded.details["winner"] == (0, 0)
    assert padded.value == -9
    mean = explained(nn.AvgPool2d(2, 2, 1), picture, "avgpool2d", (0, 0, 1))
    assert (mean.sum, mean.details["divisor"], mean.value) == (7, 4, 1.75)
    counted = nn.AvgPool2d(2, 2, 1, count_include_pad=False)
    mean = explained(counted, picture, "avgpool2d", (0, 0, 1))
    assert (mean.sum, mean.details["divisor"], mean.value) == (7, 2, 3.5)


def test_a_dead_relu_says_so() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU())
    conv = network[0]
    assert isinstance(conv, nn.Conv2d)
    assert conv.bias is not None
    conv.weight.data.fill_(1.0)
    conv.bias.data = torch.tensor([-9.0, -0.5])
    picture = torch.tensor([[[0.0, 1.0]]])
    assert explained(network, picture, "1", (0, 0, 0)).details["dead"] is True
    assert explained(network, picture, "1", (1, 0, 0)).details["dead"] is False


def test_softmax_is_taken_apart() -> None:
    network = nn.Sequential(nn.Flatten())
    picture = torch.tensor([[[3.0, 1.0, -200.0]]])
    unit = explained(network, picture, "softmax", (1, 0, 0))
    total = 1 + torch.tensor(-2.0).double().exp() + torch.tensor(-203.0).double().exp()
    assert unit.details["shift"] == 3
    assert unit.sum == unit.details["total"] == float(total)
    assert unit.computed == float(torch.tensor(-2.0).double().exp() / total)
    assert [term.channel for term in unit.terms.page(0, 3)] == [0, 1, 2]
    assert explained(network, picture, "softmax", (2, 0, 0)).agrees


def test_what_is_not_there_is_refused() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten())
    picture = torch.rand(1, 6, 5)
    with pytest.raises(UnknownChannel, match="0 to 1"):
        explained(network, picture, "0", (2, 0, 0))
    for index in [(0, 4, 0), (0, 0, 3), (0, -1, 0)]:
        with pytest.raises(UnknownUnit, match="rows are 0 to 3 and its columns 0 to 2"):
            explained(network, picture, "0", index)
    with pytest.raises(UnknownUnit, match="rows are 0 to 0"):
        explained(network, picture, "1", (0, 0, 1))


class Doubled(nn.Conv2d):
    def forward(self, maps: Tensor) -> Tensor:
        return 2 * super().forward(maps)


class Between(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.as_tensor(self.two(torch.relu(self.one(maps))))


UNKNOWN: list[tuple[Callable[[], nn.Module], str, str]] = [
    (lambda: nn.GroupNorm(1, 1), "groupnorm", "GroupNorm of torch"),
    (lambda: Doubled(1, 1, 3), "doubled", "Doubled of"),
    (Between, "two", "made of one by functions"),
]


@pytest.mark.parametrize(("make", "layer", "said"), UNKNOWN, ids=["kind", "subclass", "function"])
def test_what_is_not_known_is_not_made_up(
    make: Callable[[], nn.Module], layer: str, said: str
) -> None:
    with pytest.raises(Unexplained, match=said):
        explained(make(), torch.rand(1, 6, 5), layer, (0, 0, 0))


def test_a_network_in_training_is_refused() -> None:
    network = nn.Sequential(nn.Dropout(0.5)).eval()
    layers = list_layers(network, (1, 2, 2), signed_input=True)
    traced = trace(network, torch.rand(1, 2, 2))
    with pytest.raises(Unexplained, match="eval"):
        explain(network.train(), layers, traced, "0", (0, 0, 0))


def test_the_chain_behind_ends_where_it_branches() -> None:
    layers = list_layers(create_network("resnet18").eval(), (3, 64, 64), signed_input=True)
    names = {
        layer: [one.name for one in chain_behind(layers, layer)]
        for layer in ("conv1", "bn1", "maxpool", "layer1.0.conv2", "layer1.0.add", "fc")
    }
    assert names == {
        "conv1": ["bn1", "relu"],
        "bn1": ["relu"],
        "maxpool": [],  # The first block reads it twice.
        "layer1.0.conv2": ["layer1.0.bn2"],
        "layer1.0.add": ["layer1.0.relu_1"],
        "fc": [],
    }
