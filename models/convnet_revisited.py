"""The network of the lesson "ConvNet revisited": two convolutions, two pools, one linear layer."""

from collections import OrderedDict

from torch import nn

from models.registry import AS_MNIST, DIGITS, ModelCard, register


@register(
    ModelCard(
        name="convnet-revisited",
        title="ConvNet revisited",
        description="Two 5 × 5 convolutions, each with ReLU and a 2 × 2 max-pool, and one linear "
        "layer: the smallest network that shows everything.",
        network="convnet-revisited",
        dataset="mnist",
        classes=DIGITS,
        input_shape=(1, 28, 28),
        preprocessing=AS_MNIST,
    )
)
class ConvNetRevisited(nn.Sequential):
    """(batch, 1, 28, 28) -> (batch, 10) logits; 28,938 parameters."""

    def __init__(self) -> None:
        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(1, 16, kernel_size=5, padding=2),  # (16, 28, 28)
                relu1=nn.ReLU(),
                pool1=nn.MaxPool2d(2),  # (16, 14, 14)
                conv2=nn.Conv2d(16, 32, kernel_size=5, padding=2),  # (32, 14, 14)
                relu2=nn.ReLU(),
                pool2=nn.MaxPool2d(2),  # (32, 7, 7)
                flatten=nn.Flatten(),  # (1568,)
                fc1=nn.Linear(32 * 7 * 7, 10),
            )
        )
