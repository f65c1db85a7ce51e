"""The digit classifier of the lesson on convolution, pooling and counting parameters."""

from collections import OrderedDict

from torch import nn

from models.registry import AS_MNIST, DIGITS, ModelCard, register


@register(
    ModelCard(
        name="cnn-classifier",
        title="CNN classifier",
        description="Three 3 × 3 convolutions of 64, 128 and 64 channels that bring a digit down "
        "to 64 numbers, and a head of two linear layers.",
        network="cnn-classifier",
        dataset="mnist",
        classes=DIGITS,
        input_shape=(1, 28, 28),
        preprocessing=AS_MNIST,
    )
)
class CNNClassifier(nn.Sequential):
    """(batch, 1, 28, 28) -> (batch, 10) logits; 149,798 parameters."""

    def __init__(self) -> None:
        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(1, 64, kernel_size=3),  # (64, 26, 26)
                relu1=nn.ReLU(),
                pool1=nn.MaxPool2d(2),  # (64, 13, 13)
                conv2=nn.Conv2d(64, 128, kernel_size=3),  # (128, 11, 11)
                relu2=nn.ReLU(),
                pool2=nn.MaxPool2d(2),  # (128, 5, 5)
                conv3=nn.Conv2d(128, 64, kernel_size=3),  # (64, 3, 3)
                relu3=nn.ReLU(),
                pool3=nn.MaxPool2d(2),  # (64, 1, 1)
                flatten=nn.Flatten(),  # (64,)
                fc1=nn.Linear(64, 20),
                relu4=nn.ReLU(),
                fc2=nn.Linear(20, 10),
            )
        )
