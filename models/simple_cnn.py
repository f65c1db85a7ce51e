"""The network of the lesson "DL demystified": the seed's SimpleCNN."""

from collections import OrderedDict

from torch import nn

from models.registry import AS_MNIST, DIGITS, ModelCard, register


@register(
    ModelCard(
        name="simple-cnn",
        title="Simple CNN",
        description="Two 3 × 3 convolutions without padding and one linear layer: about as small "
        "as a network can be that reads digits.",
        network="simple-cnn",
        dataset="mnist",
        classes=DIGITS,
        input_shape=(1, 28, 28),
        preprocessing=AS_MNIST,
    )
)
class SimpleCNN(nn.Sequential):
    """(batch, 1, 28, 28) -> (batch, 10) logits; 5,258 parameters."""

    def __init__(self) -> None:
        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(1, 8, kernel_size=3),  # (8, 26, 26)
                relu1=nn.ReLU(),
                pool1=nn.MaxPool2d(2),  # (8, 13, 13)
                conv2=nn.Conv2d(8, 16, kernel_size=3),  # (16, 11, 11)
                relu2=nn.ReLU(),
                pool2=nn.MaxPool2d(2),  # (16, 5, 5)
                flatten=nn.Flatten(),  # (400,)
                fc=nn.Linear(16 * 5 * 5, 10),
            )
        )
