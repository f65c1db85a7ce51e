"""The networks of ImageNet, against torchvision's own with the same weights."""

import pytest
import torch
from torch import Tensor, nn

from app.core.receptive_fields import ReceptiveField
from app.core.torchvision_operators import declare_torchvision_operators
from app.core.tracing import Trace, list_layers, trace
from models.registry import blank_card, create_hollow_network, create_network

PARAMETERS = {"alexnet": 61_100_840, "resnet18": 11_689_512, "vgg11": 132_863_336}


def create_theirs(name: str) -> nn.Module:
    declare_torchvision_operators()
    from torchvision import models

    torch.manual_seed(3)
    network: nn.Module = models.get_model(name, weights=None).eval()
    return network


@pytest.fixture(scope="module", params=PARAMETERS)
def pair(request: pytest.FixtureRequest) -> tuple[str, nn.Module, nn.Module]:
    """Our network and torchvision's, which share their weights' memory: one at a time is 0.5 GB."""
    theirs = create_theirs(request.param)
    ours = create_hollow_network(request.param)
    ours.load_state_dict(theirs.state_dict(), assign=True)  # strict: the keys are the same
    return request.param, ours.eval(), theirs


def picture() -> Tensor:
    return torch.randn(3, 224, 224, generator=torch.Generator().manual_seed(0))


Pair = tuple[str, nn.Module, nn.Module]


def test_keys_and_parameters_are_torchvision_s(pair: Pair) -> None:
    name, ours, theirs = pair
    shapes = {key: value.shape for key, value in theirs.state_dict().items()}
    assert {key: value.shape for key, value in ours.state_dict().items()} == shapes
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert sum(parameter.numel() for parameter in ours.parameters()) == PARAMETERS[name]
    card = blank_card(name)
    assert (card.name, card.parameters, card.weights) == (name, PARAMETERS[name], None)
    assert (card.dataset, card.input_shape, len(card.classes)) == ("imagenet", (3, 224, 224), 1000)


def test_logits_and_traces_are_torchvision_s(pair: Pair) -> None:
    _, ours, theirs = pair
    with torch.inference_mode():
        logits = theirs(picture()[None])[0]
    assert logits.std() > 0
    # torchvision's ReLUs overwrite what they read; a trace has it all the same.
    wanted, found = trace(theirs, picture()), trace(ours, picture())
    assert torch.equal(found.logits, logits)
    assert list(found.activations) == list(wanted.activations)  # its flatten is a function
    for name, activation in wanted.activations.items():
        assert torch.equal(found.activations[name], activation), name


def test_layers_before_a_relu_keep_what_is_negative(pair: Pair) -> None:
    _, ours, theirs = pair
    for network in (ours, theirs):
        traced = trace(network, picture()).activations
        layers = list_layers(network, (3, 224, 224), signed_input=True)
        assert [layer.name for layer in layers] == list(traced)
        for layer in layers:
            if layer.kind == "relu":
                (*_, last) = layer.reads
                assert (traced[last] < 0).any(), layer.name
                assert not (traced[layer.name] < 0).any(), layer.name


def test_random_weights_are_drawn_as_torchvision_draws_them() -> None:
    torch.manual_seed(3)
    ours = create_network("resnet18").state_dict()
    theirs = create_theirs("resnet18").state_dict()
    assert all(torch.equal(ours[key], value) for key, value in theirs.items())


@pytest.fixture(scope="module")
def resnet() -> tuple[Trace, dict[str, tuple[str, ...]], dict[str, ReceptiveField]]:
    torch.manual_seed(5)
    network = create_network("resnet18").eval()
    layers = list_layers(network, (3, 224, 224), signed_input=True)
    reads = {layer.name: layer.reads for layer in layers}
    return trace(network, picture()), reads, {one.name: one.receptive_field for one in layers}


ResNet = tuple[Trace, dict[str, tuple[str, ...]], dict[str, ReceptiveField]]


def test_a_block_adds_its_input(resnet: ResNet) -> None:
    traced, reads, _ = resnet
    found = traced.activations
    assert reads["layer1.0.add"] == ("maxpool", "layer1.0.bn2")
    assert torch.equal(found["layer1.0.add"], found["maxpool"] + found["layer1.0.bn2"])
    assert set(reads["layer4.0.add"]) == {"layer4.0.bn2", "layer4.0.downsample.1"}
    expected = found["layer4.0.bn2"] + found["layer4.0.downsample.1"]
    assert torch.equal(found["layer4.0.add"], expected)
    for block in ("layer1.0", "layer4.0"):
        assert reads[f"{block}.relu_1"] == (f"{block}.add",)
        assert torch.equal(found[f"{block}.relu_1"], found[f"{block}.add"].relu())
    assert reads["layer4.0.downsample.0"] == ("layer3.1.relu_1",)


def sizes(field: ReceptiveField) -> tuple[int, int, int]:
    return field.height, field.top, field.stride_y


def test_receptive_fields_go_through_both_branches(resnet: ResNet) -> None:
    fields = resnet[2]
    # 7 x 7, stride 2, pad 3; then a window of 3 with steps of 2; then each 3 x 3 adds 2 steps of 4.
    assert sizes(fields["conv1"]) == (7, -3, 2)
    assert sizes(fields["maxpool"]) == (11, -5, 4)
    assert sizes(fields["layer1.0.conv2"]) == (27, -13, 4)
    assert sizes(fields["layer1.0.relu_1"]) == (27, -13, 4)  # not the 11 of the shorter branch
    assert sizes(fields["layer2.0.downsample.0"]) == (43, -21, 8)
    assert sizes(fields["layer2.0.relu_1"]) == (67, -33, 8)
    # What is known of ResNet-18 (Araujo, Norris and Sim, 2019): 435 pixels, in steps of 32.
    assert sizes(fields["layer4.1.relu_1"])[::2] == (435, 32)


def test_a_unit_depends_on_nothing_outside_its_field(resnet: ResNet) -> None:
    field = resnet[2]["layer2.0.relu_1"]
    torch.manual_seed(5)
    network = create_network("resnet18").eval()
    open_ = picture()[None].requires_grad_()
    stem = network.maxpool(network.relu(network.bn1(network.conv1(open_))))  # type: ignore[operator]
    unit = network.layer2[0](network.layer1(stem))[0, :, 14, 12].sum()  # type: ignore[index,operator]
    (gradient,) = torch.autograd.grad(unit, open_)
    seen = gradient[0].abs().sum(dim=0) > 0
    top, left = field.top + 14 * field.stride_y, field.left + 12 * field.stride_x
    outside = seen.clone()
    outside[top : top + field.height, left : left + field.width] = False
    assert seen.any()
    assert not outside.any()
