"""Traces against torch itself: the same network run by hand, one module after the other."""

from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from app.core.tracing import Trace, list_layers, trace, weights_of
from models.registry import blank_card, create_network, list_networks


def picture(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def trace_and_reads(network: nn.Module, *shape: int) -> tuple[Trace, dict[str, tuple[str, ...]]]:
    network.eval()
    layers = list_layers(network, shape, signed_input=False)
    traced = trace(network, picture(*shape))
    assert [layer.name for layer in layers] == list(traced.activations)
    for layer in layers:
        assert tuple(traced.activations[layer.name].shape) == layer.output_shape
    return traced, {layer.name: layer.reads for layer in layers}


# What is larger is held against torchvision's own, in tests/models.
SMALL = [name for name in list_networks() if blank_card(name).parameters < 1e6]


@pytest.mark.parametrize("name", SMALL)
def test_every_activation_is_what_the_modules_give_by_hand(name: str) -> None:
    torch.manual_seed(1)
    network = create_network(name).eval()
    shape = blank_card(name).input_shape
    assert isinstance(network, nn.Sequential)
    traced, reads = trace_and_reads(network, *shape)
    with torch.no_grad():
        value, before = picture(*shape)[None], "input"
        for layer, module in network.named_children():
            value = module(value)
            assert torch.equal(traced.activations[layer], value[0]), layer
            assert reads[layer] == (before,)
            before = layer
    assert torch.equal(traced.logits, value[0])
    assert torch.equal(traced.activations["softmax"], value[0].softmax(dim=0))
    assert torch.equal(traced.probabilities, traced.activations["softmax"])
    assert torch.equal(traced.input, picture(*shape))


def test_tracing_leaves_the_network_as_it_was() -> None:
    network = create_network("convnet-revisited").eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    list_layers(network, (1, 28, 28), signed_input=False)
    trace(network, picture(1, 28, 28))
    assert not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_network_that_fails_keeps_no_hooks() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(5, 2))
    with pytest.raises(RuntimeError):
        trace(network, picture(1, 4, 4))
    assert not any(module._forward_hooks for module in network.modules())


def test_an_in_place_module_does_not_change_what_was_seen_before_it() -> None:
    convolution = nn.Conv2d(1, 3, 3)
    network = nn.Sequential(
        OrderedDict(
            first=nn.ReLU(inplace=True),
            conv=convolution,
            relu=nn.ReLU(inplace=True),
            flatten=nn.Flatten(),
            fc=nn.Linear(108, 2),
        )
    )
    traced, reads = trace_and_reads(network, 1, 8, 8)
    with torch.no_grad():
        expected = convolution(picture(1, 8, 8)[None])[0]
    assert (expected < 0).any()
    torch.testing.assert_close(traced.activations["conv"], expected)
    torch.testing.assert_close(traced.activations["relu"], expected.relu())
    assert reads == {
        "first": ("input",),
        "conv": ("first",),
        "relu": ("conv",),
        "flatten": ("relu",),
        "fc": ("flatten",),
        "softmax": ("fc",),
    }


class Residual(nn.Module):
    """A block as ResNet's, which calls one ReLU twice, with functions in between."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(4 * 36, 3)

    def forward(self, picture: Tensor) -> Tensor:
        stem = self.relu(self.stem(picture))
        out = self.conv(stem)
        out += stem
        flat = torch.flatten(functional.dropout(self.relu(out), training=False), 1)
        return functional.linear(self.fc(flat), torch.eye(3))


def test_a_module_that_is_called_twice_is_two_layers() -> None:
    torch.manual_seed(2)
    network = Residual().eval()
    traced, reads = trace_and_reads(network, 1, 6, 6)
    with torch.no_grad():
        stem = network.stem(picture(1, 6, 6)[None]).relu()
        conv = network.conv(stem)
    torch.testing.assert_close(traced.activations["relu"], stem[0])
    torch.testing.assert_close(traced.activations["conv"], conv[0])
    torch.testing.assert_close(traced.activations["add"], (conv + stem)[0])
    torch.testing.assert_close(traced.activations["relu_1"], (conv + stem)[0].relu())
    assert reads == {
        "stem": ("input",),
        "relu": ("stem",),
        "conv": ("relu",),
        "add": ("relu", "conv"),  # in forward order, though it is conv + relu
        "relu_1": ("add",),
        "flatten": ("relu_1",),  # The dropout is no layer, and is seen through.
        "fc": ("flatten",),
        "softmax": ("fc",),
    }


class Outer(nn.Module):
    """Sums and flattens in each form that Python has, within a module and outside of one."""

    shift: Tensor

    def __init__(self, form: str) -> None:
        super().__init__()
        self.block = Block(form)
        self.register_buffer("shift", torch.full((1, 2, 4, 4), 3.0))

    def forward(self, picture: Tensor) -> Tensor:
        # None of these adds two activations.
        shifted = torch.relu(picture + self.shift + 1 + picture.mean(dim=1, keepdim=True))
        blocked = self.block(shifted)
        return blocked.view(len(blocked), -1)  # type: ignore[no-any-return]


class Block(nn.Module):
    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form
        self.one, self.two = nn.Conv2d(2, 2, 1), nn.LayerNorm(4)  # A norm adds within itself.

    def forward(self, maps: Tensor) -> Tensor:
        one, two = self.one(maps), self.two(maps)
        if self.form == "operator":
            return torch.as_tensor(one + two)
        if self.form == "in place":
            one += two
            return torch.as_tensor(one)
        if self.form == "function":
            return torch.add(one, other=two)
        return torch.as_tensor(one.add_(two))


@pytest.mark.parametrize("form", ["operator", "in place", "function", "method"])
def test_sums_and_flattens_that_are_no_modules_are_layers(form: str) -> None:
    torch.manual_seed(4)
    network = Outer(form).eval()
    traced, reads = trace_and_reads(network, 2, 4, 4)
    shifted = picture(2, 4, 4)[None] + 4
    shifted = (shifted + picture(2, 4, 4)[None].mean(dim=1, keepdim=True)).detach()
    with torch.inference_mode():
        one, two = network.block.one(shifted), network.block.two(shifted)
    torch.testing.assert_close(traced.activations["block.one"], one[0])
    torch.testing.assert_close(traced.activations["block.add"], (one + two)[0])
    torch.testing.assert_close(traced.activations["flatten"], (one + two).flatten())
    assert reads == {
        "block.one": ("input",),
        "block.two": ("input",),
        "block.add": ("block.one", "block.two"),
        "flatten": ("block.add",),
        "softmax": ("flatten",),
    }
    layers = list_layers(network, (2, 4, 4), signed_input=False)
    assert layers[2].operands == ("block.one", "block.two")


@pytest.mark.parametrize(
    "flatten",
    [
        lambda maps: torch.flatten(maps, 1),
        lambda maps: maps.flatten(start_dim=1),
        lambda maps: maps.view(-1, 32),
        lambda maps: maps.reshape(maps.shape[0], -1),
    ],
    ids=["function", "method", "view", "reshape"],
)
def test_a_flatten_is_a_layer_however_it_is_written(flatten: Callable[[Tensor], Tensor]) -> None:
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act, self.fc = nn.Tanh(), nn.Linear(32, 2)

        def forward(self, maps: Tensor) -> Tensor:
            return torch.as_tensor(self.fc(flatten(self.act(maps))))

    traced, reads = trace_and_reads(Flat(), 2, 4, 4)
    assert reads == {
        "act": ("input",),
        "flatten": ("act",),
        "fc": ("flatten",),
        "softmax": ("fc",),
    }
    assert torch.equal(traced.activations["flatten"], traced.activations["act"].flatten())


def test_a_layer_knows_what_it_takes_as_it_is() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act, self.one, self.two = nn.ReLU(inplace=True), nn.Tanh(), nn.Tanh()

        def forward(self, maps: Tensor) -> Tensor:
            act = self.act(self.one(maps))
            both = self.two(2 * act) + act
            return torch.as_tensor((both + both).flatten(1))

    layers = list_layers(Mixed(), (1, 2, 2), signed_input=False)
    assert {layer.name: layer.operands for layer in layers} == {
        "one": ("input",),
        "act": ("one",),
        "two": (None,),  # Twice the activation of act is no layer's.
        "add": ("two", "act"),
        "add_1": ("add", "add"),
        "flatten": ("add_1",),
        "softmax": ("flatten",),
    }
    assert {layer.name: layer.reads for layer in layers}["two"] == ("act",)


def test_a_trace_leaves_its_picture_as_it_was() -> None:
    network = nn.Sequential(nn.Tanh(), nn.ReLU(inplace=True), nn.Flatten())
    network = nn.Sequential(nn.LeakyReLU(-1, inplace=True), network)
    negative = -picture(1, 2, 2)
    traced = trace(network, negative.clone())
    assert torch.equal(traced.input, negative)
    assert torch.equal(traced.activations["0"], -negative)


class Clashing(nn.Module):
    """Names that a trace gives itself, and one called twice beside one that has its number."""

    def __init__(self) -> None:
        super().__init__()
        self.input = nn.Flatten()
        self.act = nn.ReLU()
        self.act_1 = nn.Tanh()
        self.softmax = nn.Linear(9, 4)

    def forward(self, picture: Tensor) -> Tensor:
        flat = self.act(self.act(self.input(picture)))
        return torch.as_tensor(self.softmax(self.act_1(flat)))


def test_no_two_layers_have_one_name() -> None:
    traced, _ = trace_and_reads(Clashing(), 1, 3, 3)
    assert list(traced.activations) == [
        "input_1",
        "act",
        "act_1",
        "act_1_1",
        "softmax",
        "softmax_1",
    ]
    assert torch.equal(traced.activations["softmax_1"], traced.probabilities)


def test_a_network_may_be_a_single_module() -> None:
    class Flat(nn.Linear):
        def forward(self, picture: Tensor) -> Tensor:
            return super().forward(picture.flatten(1))

    network = Flat(16, 2)
    traced, reads = trace_and_reads(network, 1, 4, 4)
    assert reads == {"flat": ("input",), "softmax": ("flat",)}
    torch.testing.assert_close(traced.logits, network(picture(1, 4, 4)[None])[0].detach())


def test_dropout_is_off_and_reads_on() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), nn.Linear(16, 2))
    traced, reads = trace_and_reads(network, 1, 4, 4)
    assert torch.equal(traced.activations["1"], picture(1, 4, 4).flatten())
    assert reads["2"] == ("1",)


def test_weights_are_those_of_each_layer() -> None:
    network = Residual()
    weights = weights_of(network, list_layers(network, (1, 6, 6), signed_input=False))
    assert list(weights) == ["stem", "conv", "fc"]
    assert torch.equal(weights["conv"], network.conv.weight.detach())


def test_a_layer_that_is_called_twice_has_its_weights_twice() -> None:
    shared = nn.Conv2d(2, 2, 1)
    network = nn.Sequential(OrderedDict(a=shared, b=nn.ReLU(), c=shared, d=nn.Flatten()))
    layers = list_layers(network, (2, 2, 2), signed_input=False)
    assert [layer.name for layer in layers] == ["a", "b", "a_1", "d", "softmax"]
    assert list(weights_of(network, layers)) == ["a", "a_1"]


def test_channels_last_changes_no_shape_and_no_order() -> None:
    torch.manual_seed(3)
    network = create_network("convnet-revisited").eval()
    expected = trace(network, picture(1, 28, 28))
    found = trace(network.to(memory_format=torch.channels_last), picture(1, 28, 28))  # type: ignore[call-overload]
    for name, activation in expected.activations.items():
        assert found.activations[name].is_contiguous()
        torch.testing.assert_close(found.activations[name], activation)
