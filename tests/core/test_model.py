import pytest
import torch

from app.core.errors import UnknownLayer
from app.core.model import Model
from models.registry import blank_card, create_network

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(4)
    network = create_network("convnet-revisited").eval()
    return Model(blank_card("convnet-revisited"), network, CPU)


def pictures(count: int) -> torch.Tensor:
    return torch.rand(count, 1, 28, 28, generator=torch.Generator().manual_seed(count))


def test_predictions_are_those_of_the_network(model: Model) -> None:
    inputs = pictures(5)
    with torch.no_grad():
        logits = model.network(inputs)
    for found, expected in zip(model.predict(inputs), logits, strict=True):
        assert torch.equal(found.logits, expected)
        assert torch.equal(found.probabilities, expected.softmax(dim=0))
        assert found.best == int(expected.argmax())
        assert found.classes == model.card.classes


def test_a_batch_is_predicted_as_each_picture_alone(model: Model) -> None:
    inputs = pictures(64)
    together = model.predict(inputs)
    for found, one in zip(together, inputs, strict=True):
        (alone,) = model.predict(one[None])
        torch.testing.assert_close(found.probabilities, alone.probabilities, rtol=0, atol=1e-6)


def test_a_trace_ends_with_the_prediction(model: Model) -> None:
    (picture,) = pictures(1)
    traced = model.trace(picture)
    (predicted,) = model.predict(picture[None])
    torch.testing.assert_close(traced.logits, predicted.logits)
    assert torch.equal(traced.activations["softmax"], traced.probabilities)


def test_layers_are_listed_once(model: Model) -> None:
    assert model.layers is model.layers
    assert model.layer("conv2").name == "conv2"
    assert sum(layer.parameters for layer in model.layers) == model.card.parameters


def test_an_unknown_layer_is_told_which_there_are(model: Model) -> None:
    with pytest.raises(UnknownLayer, match=r"has no layer 'conv9'. Its layers are conv1, relu1,"):
        model.layer("conv9")
