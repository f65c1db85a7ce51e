"""The first network of the lesson on CIFAR-10."""

from collections import OrderedDict

from torch import nn

from models.registry import AS_CIFAR10, OBJECTS, ModelCard, register


@register(
    ModelCard(
        name="cifar-3conv",
        title="CIFAR, three convolutions",
        description="Convolutions of 7 × 7, 5 × 5 and 3 × 3, each with batch norm, ReLU and a "
        "max-pool, then two linear layers: small pictures in colour.",
        network="cifar-3conv",
        dataset="cifar10",
        classes=OBJECTS,
        input_shape=(3, 32, 32),
        preprocessing=AS_CIFAR10,
    )
)
class Cifar3Conv(nn.Sequential):
    """(batch, 3, 32, 32) -> (batch, 10) logits; 137,430 parameters."""

    def __init__(self) -> None:
        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(3, 16, kernel_size=7, padding=3),  # (16, 32, 32)
                bn1=nn.BatchNorm2d(16),
                relu1=nn.ReLU(),
                pool1=nn.MaxPool2d(2),  # (16, 16, 16)
                conv2=nn.Conv2d(16, 32, kernel_size=5, padding=2),  # (32, 16, 16)
                bn2=nn.BatchNorm2d(32),
                relu2=nn.ReLU(),
                pool2=nn.MaxPool2d(2),  # (32, 8, 8)
                conv3=nn.Conv2d(32, 64, kernel_size=3, padding=1),  # (64, 8, 8)
                bn3=nn.BatchNorm2d(64),
                relu3=nn.ReLU(),
                pool3=nn.MaxPool2d(2),  # (64, 4, 4)
                flatten=nn.Flatten(),  # (1024,)
                fc1=nn.Linear(64 * 4 * 4, 100),
                relu4=nn.ReLU(),
                fc2=nn.Linear(100, 10),
            )
        )
