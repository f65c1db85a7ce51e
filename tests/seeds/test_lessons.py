"""The worked examples of the five lessons that the project grew from, by the lesson's number.

Each is done the project's way: a network of one layer is traced, and its layers are described, as
every other network's.
"""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from app.core.layers import Layer
from app.core.model import Prediction
from app.core.tracing import list_layers, trace
from models.registry import OBJECTS, blank_card, create_network

Rows = Sequence[Sequence[float]]

COUNTING_UP = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]]
# Lesson 002's log-softmax, by class.
LAST_FOUR = [
    [-32.353, -47.827, -24.556, -0.0043907, -14.375, -5.4307, -13.595, -28.39, -44.619, -32.801],
    [-25.058, -42.708, -21.051, -7.3828, -22.477, -0.0006218, -20.211, -19.865, -33.112, -36.092],
    [-1.9073e-6, -19.862, -29.568, -12.988, -16.823, -24.511, -14.282, -17.671, -21.944, -33.232],
    [-54.293, -49.853, -24.284, -33.939, -15.435, -25.975, -40.547, 0.0, -52.675, -48.895],
]
# Lesson 004's four kernels.
EDGES: dict[str, Rows] = {
    "a": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    "b": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "c": [[0, -1, 0], [-2, 6, -2], [0, -1, 0]],
    "d": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
}
# Lesson 003's image and kernel.
SKEWED = [[1, 2, 3, 4, 5], [4, 5, 6, 7, 8], [7, 8, 9, 0, 1], [2, 3, 4, 5, 6], [5, 6, 7, 8, 9]]
STRIPES = [[1, 0, -1]] * 3
SHARPEN = [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]


def convolution(kernel: Rows, bias: float = 0.0) -> nn.Conv2d:
    layer = nn.Conv2d(1, 1, kernel_size=len(kernel))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(kernel, dtype=torch.float32)[None, None])
        layer.bias = nn.Parameter(torch.tensor([bias]))
    return layer


def output_of(layer: nn.Module, image: Rows) -> list[list[float]]:
    """What a trace tells of a layer's only map; a sum stands in for the classifier."""
    network = nn.Sequential(layer, nn.Flatten())
    tensor: Tensor = trace(network, torch.tensor(image, dtype=torch.float32)[None]).activations["0"]
    return tensor[0].tolist()


def layers_of(network: nn.Module, *shape: int) -> tuple[Layer, ...]:
    return list_layers(network.eval(), shape, signed_input=False)


def test_000_convolving_5_by_5_with_3_by_3() -> None:
    image = [[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]]
    kernel: Rows = [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
    assert output_of(convolution(kernel), image) == [[4, 3, 4], [2, 4, 3], [2, 3, 4]]


def test_001_a_window_that_searches_for_vertical_lines() -> None:
    four = [[0, 1, 0, 1, 0], [0, 1, 0, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 1, 0], [0, 0, 0, 1, 0]]
    window: Rows = [[0, 1, 0], [0, 1, 0], [0, 1, 0]]
    found = output_of(convolution(window), four)
    assert found[0][0] == 3
    assert found == [[3, 1, 3], [2, 1, 3], [1, 1, 3]]


def test_001_problem_1_max_pooling() -> None:
    image = [[1, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]]
    assert output_of(nn.MaxPool2d(kernel_size=2, stride=2), image) == [[6, 8], [3, 4]]


@pytest.mark.parametrize(
    ("bias", "wanted"), [(5.0, [[11, 12], [15, 16]]), (0.0, [[6, 7], [10, 11]])]
)
def test_001_problems_2_and_4_sharpening(bias: float, wanted: Rows) -> None:
    assert output_of(convolution(SHARPEN, bias), COUNTING_UP) == wanted


def test_001_problem_3_a_kernel_of_ones_sums() -> None:
    image = torch.rand(6, 6, generator=torch.Generator().manual_seed(0))
    summed = torch.tensor(output_of(convolution([[1.0] * 3] * 3), image.tolist()))
    by_hand = [[image[y : y + 3, x : x + 3].sum() for x in range(4)] for y in range(4)]
    torch.testing.assert_close(summed, torch.tensor(by_hand))


@pytest.mark.parametrize(
    ("i", "f", "o", "count"), [(1, 2, 3, 15), (3, 2, 1, 13), (2, 2, 3, 27)], ids=["1", "2", "3"]
)
def test_001_counting_parameters(i: int, f: int, o: int, count: int) -> None:
    (layer, *_) = layers_of(nn.Sequential(nn.Conv2d(i, o, f), nn.Flatten()), i, 4, 4)
    assert layer.parameters == count


def test_001_a_2_by_2_pool_keeps_a_quarter_of_the_pixels_not_half() -> None:
    (pool, *_) = layers_of(nn.Sequential(nn.MaxPool2d(2), nn.Flatten()), 1, 4, 4)
    before, after = (torch.Size(shape).numel() for shape in (pool.input_shape, pool.output_shape))
    assert (before, after) == (16, 4)


def test_001_the_classifier_s_shapes_and_parameters() -> None:
    layers = {layer.name: layer for layer in layers_of(create_network("cnn-classifier"), 1, 28, 28)}
    assert sum(layer.parameters for layer in layers.values()) == 149_798
    wanted = {"conv1": 640, "conv2": 73_856, "conv3": 73_792, "fc1": 1_300, "fc2": 210}
    assert {name: layers[name].parameters for name in wanted} == wanted
    shapes = [layers[name].output_shape for name in ("conv1", "pool1", "conv2", "pool2", "conv3")]
    assert shapes == [(64, 26, 26), (64, 13, 13), (128, 11, 11), (128, 5, 5), (64, 3, 3)]
    assert layers["pool3"].output_shape == (64, 1, 1)


def test_001_a_pool_rounds_down_where_the_lesson_s_formula_rounds_up() -> None:
    # ceil((5 - 2) / 2 + 1) is 3.
    for up, side in ((False, 2), (True, 3)):
        network = nn.Sequential(nn.MaxPool2d(2, 2, ceil_mode=up), nn.Flatten())
        assert network(torch.zeros(1, 1, 5, 5)).shape == (1, side * side)
        assert layers_of(network, 1, 5, 5)[0].output_shape == (1, side, side)
    convolved = layers_of(nn.Sequential(nn.Conv2d(1, 1, 2, stride=2), nn.Flatten()), 1, 5, 5)
    assert convolved[0].output_shape == (1, 2, 2)


@pytest.mark.parametrize(
    ("i", "o", "count"), [(1, 1, 10), (1, 5, 50), (3, 5, 140)], ids=["1", "2", "3"]
)
def test_001_the_last_exercises(i: int, o: int, count: int) -> None:
    (layer, *_) = layers_of(nn.Sequential(nn.Conv2d(i, o, 3), nn.Flatten()), i, 10, 10)
    assert layer.parameters == count
    assert layer.output_shape == (o, 8, 8)


def test_002_the_chain_of_shapes() -> None:
    layers = {layer.name: layer for layer in layers_of(create_network("cifar-3conv"), 3, 32, 32)}
    chain = ["conv1", "pool1", "conv2", "pool2", "conv3", "pool3", "flatten", "fc1", "fc2"]
    assert [layers[name].output_shape for name in chain] == [
        *((16, 32, 32), (16, 16, 16), (32, 16, 16), (32, 8, 8), (64, 8, 8), (64, 4, 4)),
        *((1024,), (100,), (10,)),
    ]


def test_002_the_last_batch_has_four_pictures() -> None:
    batches = torch.split(torch.arange(10_000), 49)
    assert len(batches) == 205
    assert len(batches[-1]) == 4


def test_002_the_labels_of_the_last_four_pictures() -> None:
    printed = torch.tensor(LAST_FOUR)
    torch.testing.assert_close(printed.log_softmax(dim=1), printed, rtol=1e-4, atol=1e-6)
    said = [Prediction(OBJECTS, row, row.softmax(dim=0)) for row in printed]
    assert [one.best for one in said] == printed.argmax(dim=1).tolist() == [3, 5, 0, 7]
    assert [one.classes[one.best] for one in said] == ["cat", "dog", "airplane", "horse"]


def test_003_the_manual_convolution() -> None:
    assert output_of(convolution(STRIPES), SKEWED) == [[-6, 4, 4]] * 3


def test_003_the_formula_turns_the_kernel_and_torch_does_not() -> None:
    by_formula = [
        [
            sum(
                SKEWED[m][n] * STRIPES[x - m][y - n]
                for m in range(x - 2, x + 1)
                for n in range(y - 2, y + 1)
            )
            for y in range(2, 5)
        ]
        for x in range(2, 5)
    ]
    assert by_formula == [[6, -4, -4]] * 3
    turned = [row[::-1] for row in STRIPES[::-1]]
    assert output_of(convolution(turned), SKEWED) == by_formula


def test_003_what_the_last_layer_reads() -> None:
    layers = {layer.name: layer for layer in layers_of(create_network("simple-cnn"), 1, 28, 28)}
    assert layers["flatten"].output_shape == (16 * 5 * 5,)
    without_pools = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Conv2d(8, 16, 3), nn.Flatten())
    flatten = layers_of(without_pools, 1, 28, 28)[2]
    assert flatten.output_shape == (24 * 24 * 16,) == (9216,)


@pytest.mark.parametrize("rows", [[0, 0, 0, 1, 1, 1], [0, 0, 1, 0, 0]], ids=["edge", "line"])
def test_004_kernel_d_finds_what_is_horizontal(rows: list[int]) -> None:
    lying = torch.tensor(rows, dtype=torch.float32)[:, None].expand(-1, len(rows))
    found = {
        name: [
            torch.tensor(output_of(convolution(kernel), image.tolist())).abs().max().item()
            for image in (lying, lying.T)
        ]
        for name, kernel in EDGES.items()
    }
    assert found["d"] == [4, 0]
    assert found["b"] == [0, 4]
    # These two find what stands as well as what lies, or better.
    assert found["a"][0] == found["a"][1] > 0
    assert 0 < found["c"][0] < found["c"][1]


def test_004_nll_loss_wants_log_softmax_not_softmax() -> None:
    logits, label = torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([0])
    wanted = nn.CrossEntropyLoss()(logits, label)
    loss = nn.NLLLoss()
    assert wanted.item() == pytest.approx(0.408, abs=5e-4)
    torch.testing.assert_close(loss(nn.LogSoftmax(dim=1)(logits), label), wanted)
    assert loss(nn.Softmax(dim=1)(logits), label).item() == pytest.approx(-0.665, abs=5e-4)


def test_004_a_200_by_200_picture() -> None:
    assert blank_card("lesson-06").input_shape == (1, 200, 200)
    layers = {layer.name: layer for layer in layers_of(create_network("lesson-06"), 1, 200, 200)}
    names = ("conv1", "pool1", "conv2", "pool2", "flatten")
    assert [layers[name].output_shape for name in names] == [
        *((16, 100, 100), (16, 50, 50), (32, 50, 50), (32, 25, 25)),
        (20_000,),
    ]


def test_004_same_size_takes_a_padding_that_the_lesson_s_line_lacks() -> None:
    with_padding, without = (
        layers_of(nn.Sequential(nn.Conv2d(16, 32, 3, padding=p), nn.Flatten()), 16, 50, 50)[0]
        for p in (1, 0)
    )
    assert with_padding.output_shape == (32, 50, 50)
    assert without.output_shape == (32, 48, 48)


def test_004_the_shape_questions_and_why_5120_are_activations() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 10, 3),
        nn.MaxPool2d(4, 4),
        nn.Conv2d(10, 20, 5, padding=2),
        nn.MaxPool2d(2, 2),
        nn.Flatten(),
    )
    layers = layers_of(network, 3, 130, 130)
    assert [layer.output_shape[-1] for layer in layers[:4]] == [128, 32, 32, 16]
    assert layers[3].output_shape == (20, 16, 16)
    assert layers[4].output_shape == (5120,)
    # Of parameters there are 3 x 3 x 3 x 10 + 10 and 5 x 5 x 10 x 20 + 20.
    assert sum(layer.parameters for layer in layers) == 280 + 5020 == 5300


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2, 4), nn.MaxPool2d(4, 4)])
def test_004_down_by_a_factor_of_4(pool: nn.Module) -> None:
    assert layers_of(nn.Sequential(pool, nn.Flatten()), 1, 32, 32)[0].output_shape == (1, 8, 8)


def test_004_a_kernel_of_7_keeps_the_size_with_a_padding_of_3() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 7, padding=3), nn.Flatten())
    assert layers_of(network, 1, 20, 20)[0].output_shape == (1, 20, 20)
