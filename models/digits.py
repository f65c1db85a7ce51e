"""The default: three convolutions, few enough layers to see at a glance, trained on real drawing.

There is no batch norm: without it every number on the screen is one sum of products away from
the numbers before it.
"""

from collections import OrderedDict

from torch import nn

from models.registry import AS_MNIST, DIGITS, ModelCard, register


@register(
    ModelCard(
        name="digits",
        title="Digits",
        description="Three convolutions, wide enough for digits as people really draw them: small, "
        "thin, thick, slanted, off-centre.",
        network="digits",
        dataset="mnist",
        classes=DIGITS,
        input_shape=(1, 28, 28),
        preprocessing=AS_MNIST,
        default=True,
    )
)
class Digits(nn.Sequential):
    """(batch, 1, 28, 28) -> (batch, 10) logits; 86,618 parameters."""

    def __init__(self) -> None:
        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(1, 16, kernel_size=5, padding=2),  # (16, 28, 28)
                relu1=nn.ReLU(),
                pool1=nn.MaxPool2d(2),  # (16, 14, 14)
                conv2=nn.Conv2d(16, 48, kernel_size=5, padding=2),  # (48, 14, 14)
                relu2=nn.ReLU(),
                pool2=nn.MaxPool2d(2),  # (48, 7, 7)
                conv3=nn.Conv2d(48, 128, kernel_size=3, padding=1),  # (128, 7, 7)
                relu3=nn.ReLU(),
                pool3=nn.MaxPool2d(2),  # (128, 3, 3)
                flatten=nn.Flatten(),  # (1152,)
                fc1=nn.Linear(128 * 3 * 3, 10),
            )
        )
