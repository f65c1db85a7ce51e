"""Edited networks beside torch, given weights that were changed by hand."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.core.checkpoints import encode_weights
from app.core.editing import card_of_edits, card_to_keep, edit_network, in_words
from app.core.edits import BadEdit, Edit, NewBias, NewKernel, NewWeight, Off
from app.core.model import Model
from models.registry import blank_card, create_network

CPU = torch.device("cpu")
SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


def create(name: str) -> Model:
    """A model with random weights, the statistics of its batch norms included."""
    torch.manual_seed(7)
    network = create_network(name).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.running_var, module.weight, module.bias):
                assert tensor is not None
                nn.init.uniform_(tensor, 0.5, 1.5)
    return Model.of(blank_card(name), network, CPU)


@pytest.fixture(scope="module")
def digits() -> Model:
    return create("digits")


@pytest.fixture(scope="module")
def normed() -> Model:
    """conv1 (3 x 3), bn1, relu1, pool1 ..."""
    return create("cifar-3conv")


def by_hand(model: Model, **changes: Tensor) -> nn.Module:
    """A copy of the network whose parameters are changed with torch alone."""
    network = deepcopy(model.network)
    state = network.state_dict()
    for name, value in changes.items():
        state[name.replace("__", ".")].copy_(value)
    return network


def parameter(model: Model, name: str) -> Tensor:
    return model.network.get_parameter(name).detach().clone()


def check(model: Model, edits: list[Edit], **changes: Tensor) -> None:
    """The edited network gives what the one changed by hand gives; the model is left alone."""
    pictures = torch.rand(3, *model.card.input_shape)
    before = encode_weights(model.network.state_dict())
    with torch.no_grad():
        said = model.network(pictures)
        found = edit_network(model, edits)(pictures)
        assert found.equal(by_hand(model, **changes)(pictures))
        assert not found.allclose(said)
        assert model.network(pictures).equal(said)
    assert encode_weights(model.network.state_dict()) == before


def test_a_channel_is_off(digits: Model) -> None:
    weight, bias = parameter(digits, "conv1.weight"), parameter(digits, "conv1.bias")
    weight[3], bias[3] = 0, 0
    check(digits, [Off("conv1", 3)], conv1__weight=weight, conv1__bias=bias)
    picture = torch.rand(1, 28, 28)
    edited = Model.of(digits.card, edit_network(digits, [Off("conv1", 3)]), CPU)
    traced, before = edited.trace(picture), digits.trace(picture)
    assert traced.activations["conv1"][3].count_nonzero() == 0
    assert before.activations["conv1"][3].count_nonzero() > 0
    others = [channel for channel in range(16) if channel != 3]
    assert traced.activations["conv1"][others].equal(before.activations["conv1"][others])


@pytest.mark.parametrize("layer", ["relu2", "pool2"])
def test_a_channel_of_a_layer_without_weights_goes_off_before_it(digits: Model, layer: str) -> None:
    weight, bias = parameter(digits, "conv2.weight"), parameter(digits, "conv2.bias")
    weight[40], bias[40] = 0, 0
    check(digits, [Off(layer, 40)], conv2__weight=weight, conv2__bias=bias)
    picture = torch.rand(1, 28, 28)
    edited = Model.of(digits.card, edit_network(digits, [Off(layer, 40)]), CPU)
    assert edited.trace(picture).activations[layer][40].count_nonzero() == 0


@pytest.mark.parametrize("layer", ["bn1", "relu1"])
def test_behind_a_batch_norm_it_is_that_which_is_off(normed: Model, layer: str) -> None:
    weight, bias = parameter(normed, "bn1.weight"), parameter(normed, "bn1.bias")
    weight[5], bias[5] = 0, 0
    check(normed, [Off(layer, 5)], bn1__weight=weight, bn1__bias=bias)
    picture = torch.rand(normed.card.input_shape)
    edited = Model.of(normed.card, edit_network(normed, [Off(layer, 5)]), CPU)
    assert edited.trace(picture).activations["relu1"][5].count_nonzero() == 0


@pytest.mark.parametrize("channel", [1, None])
def test_a_kernel_is_replaced_or_all_are(normed: Model, channel: int | None) -> None:
    kernel = tuple(tuple(float(7 * y - x) for x in range(7)) for y in range(7))
    weight = parameter(normed, "conv1.weight")
    weight[2, slice(None) if channel is None else channel] = torch.tensor(kernel)
    check(normed, [NewKernel("conv1", 2, kernel, channel)], conv1__weight=weight)


def test_sobels_kernel_finds_the_edge_of_a_step(digits: Model) -> None:
    edited = edit_network(digits, [NewKernel("conv3", 0, SOBEL), NewBias("conv3", 0, 0)])
    step = torch.zeros(1, 48, 7, 7)
    step[..., 4:] = 1
    with torch.no_grad():
        found = edited.get_submodule("conv3")(step)[0, 0, 1:-1, 1:-1]
    # A step of 1 times 1 + 2 + 1, in each of 48 channels, on both sides of the edge.
    assert found.equal(torch.tensor([0.0, 0, 192, 192, 0]).expand(5, 5))


def test_one_weight_and_one_bias_of_each_kind_of_layer(digits: Model, normed: Model) -> None:
    weight = parameter(digits, "conv2.weight")
    weight[7, 3, 1, 2] = 0.5
    check(digits, [NewWeight("conv2", 7, 0.5, 3, 1, 2)], conv2__weight=weight)
    bias = parameter(digits, "conv2.bias")
    bias[7] = -2
    check(digits, [NewBias("conv2", 7, -2)], conv2__bias=bias)
    weight, bias = parameter(digits, "fc1.weight"), parameter(digits, "fc1.bias")
    weight[9, 1151], bias[9] = 0.25, 3
    edits: list[Edit] = [NewWeight("fc1", 9, 0.25, 1151), NewBias("fc1", 9, 3)]
    check(digits, edits, fc1__weight=weight, fc1__bias=bias)
    weight = parameter(normed, "bn1.weight")
    weight[0] = -1
    check(normed, [NewWeight("bn1", 0, -1)], bn1__weight=weight)


def test_a_unit_of_a_linear_layer_is_off(digits: Model) -> None:
    weight, bias = parameter(digits, "fc1.weight"), parameter(digits, "fc1.bias")
    weight[4], bias[4] = 0, 0
    check(digits, [Off("fc1", 4)], fc1__weight=weight, fc1__bias=bias)


def test_edits_come_one_after_another(digits: Model) -> None:
    weight = parameter(digits, "conv1.weight")
    weight[3, 0] = 0
    weight[3, 0, 2, 2] = 1
    bias = parameter(digits, "conv1.bias")
    bias[3] = 0
    edits: list[Edit] = [Off("conv1", 3), NewWeight("conv1", 3, 1, 0, 2, 2)]
    check(digits, edits, conv1__weight=weight, conv1__bias=bias)


def test_what_nobody_edited_is_shared(digits: Model) -> None:
    network = edit_network(digits, [Off("conv1", 3)])
    for name, own in network.named_parameters():
        assert (own is digits.network.get_parameter(name)) == (not name.startswith("conv1."))
    for path, module in network.named_modules():
        assert module is not digits.network.get_submodule(path)


@pytest.mark.parametrize(
    ("edit", "key", "part"),
    [
        (Off("conv9", 0), "layer", "no layer 'conv9'. Its layers are conv1, relu1"),
        (Off("conv1", 16), "channel", "no channel 16: conv1's channels go from 0 to 15"),
        (Off("relu1", 16), "channel", "conv1's channels go from 0 to 15"),
        (Off("fc1", 10), "channel", "fc1's units go from 0 to 9"),
        (Off("flatten", 0), "layer", "flatten (flatten) has no weights, and reads pool3"),
        (Off("softmax", 0), "layer", "Switch off a channel of one of conv1, conv2, conv3, fc1"),
        (NewBias("relu1", 0, 1), "layer", "relu1 has no weights"),
        (NewKernel("conv1", 0, SOBEL), "kernel", "5 rows of 5 numbers, and this one has 3 of 3"),
        (NewKernel("fc1", 0, ((1.0,),)), "kernel", "fc1 has no kernels"),
        (NewKernel("conv3", 0, SOBEL, 48), "input_channel", "go from 0 to 47"),
        (NewWeight("conv1", 0, 1, 0, 5, 0), "y", "no y 5: y of conv1's weights go from 0 to 4"),
        (NewWeight("conv1", 0, 1, 0, 0), "x", "is found by input_channel, y, x"),
        (NewWeight("fc1", 0, 1, 0, 0), "y", "A weight of fc1 is found by input_channel."),
        (NewWeight("fc1", 0, 1, 1152), "input_channel", "go from 0 to 1151"),
    ],
)
def test_what_does_not_fit_is_refused_by_key(
    digits: Model, edit: Edit, key: str, part: str
) -> None:
    with pytest.raises(BadEdit) as refusal:
        edit_network(digits, [Off("conv1", 0), edit])
    assert part in str(refusal.value)
    assert refusal.value.faults == {f"edits.1.{key}": str(refusal.value)}


def test_a_batch_norm_has_one_weight_and_a_convolution_may_lack_a_bias(normed: Model) -> None:
    with pytest.raises(BadEdit, match="found by nothing but its channel"):
        edit_network(normed, [NewWeight("bn1", 0, 1, 0)])
    resnet = create("resnet18")
    with pytest.raises(BadEdit, match="conv1 has no bias"):
        edit_network(resnet, [NewBias("conv1", 0, 1)])


def test_a_sum_of_two_layers_is_not_switched_off() -> None:
    resnet = create("resnet18")
    with pytest.raises(BadEdit, match=r"layer1\.0\.add \(add\) has no weights, and reads"):
        edit_network(resnet, [Off("layer1.0.relu_1", 0)])


def test_a_card_says_what_was_edited(digits: Model) -> None:
    edits: list[Any] = [NewBias("fc1", 7, 1), Off("relu1", 3)]
    words = in_words(digits, edits)
    assert words == ["fc1 unit 7, bias is 1", "relu1 channel 3 off"]
    card = card_of_edits(digits.card, "digits~0", words)
    assert card.title == "Digits, edited: relu1 channel 3 off and 1 more"
    assert card.description.endswith("by hand: fc1 unit 7, bias is 1; relu1 channel 3 off.")
    assert (card.metrics, card.default, card.weights) == ({}, False, None)
    kept = card_to_keep(card, "mine")
    assert (kept.name, kept.title, kept.weights) == ("mine", "mine", "mine.safetensors")
    assert kept.description.endswith("All other weights are random.")
