"""The network of lesson 06, which takes pictures of 200 x 200 pixels."""

from collections import OrderedDict

from torch import nn

from models.registry import AS_MNIST, DIGITS, ModelCard, register


@register(
    ModelCard(
        name="lesson-06",
        title="Lesson 06",
        description="Pictures of 200 × 200 pixels, each max-pool before its ReLU, and one linear "
        "layer that reads 20,000 numbers.",
        network="lesson-06",
        dataset="mnist",
        classes=DIGITS,
        input_shape=(1, 200, 200),
        preprocessing=AS_MNIST,
    )
)
class Lesson06(nn.Sequential):
    """(batch, 1, 200, 200) -> (batch, 10) logits; 204,730 parameters."""

    def __init__(self) -> None:
        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(1, 16, kernel_size=2, stride=2),  # (16, 100, 100)
                pool1=nn.MaxPool2d(2),  # (16, 50, 50)
                relu1=nn.ReLU(),
                conv2=nn.Conv2d(16, 32, kernel_size=3, padding=1),  # (32, 50, 50)
                pool2=nn.MaxPool2d(2),  # (32, 25, 25)
                relu2=nn.ReLU(),
                flatten=nn.Flatten(),  # (20000,)
                dropout=nn.Dropout(0.5),
                fc=nn.Linear(32 * 25 * 25, 10),
            )
        )
