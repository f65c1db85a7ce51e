"""ConvScope's own network for colour pictures, made to be trained on a processor."""

from collections import OrderedDict

from torch import nn

from models.registry import AS_CIFAR10, OBJECTS, ModelCard, register
from models.whitening import WhiteningConv2d


@register(
    ModelCard(
        name="cifar",
        title="CIFAR",
        description="A fixed convolution that whitens, and three blocks of two convolutions each, "
        "for small pictures in colour.",
        network="cifar",
        dataset="cifar10",
        classes=OBJECTS,
        input_shape=(3, 32, 32),
        preprocessing=AS_CIFAR10,
    )
)
class Cifar(nn.Sequential):
    """(batch, 3, 32, 32) -> (batch, 10) logits; 1,972,802 parameters.

    The plan is that of Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024.
    """

    def __init__(self) -> None:
        super().__init__(
            OrderedDict(
                conv1=WhiteningConv2d(3, kernel_size=2),  # (24, 31, 31)
                gelu1=nn.GELU(),
                **_block(1, 24, 64),  # (64, 15, 15)
                **_block(2, 64, 256),  # (256, 7, 7)
                **_block(3, 256, 256),  # (256, 3, 3)
                pool4=nn.MaxPool2d(3),  # (256, 1, 1)
                flatten=nn.Flatten(),
                fc=nn.Linear(256, 10),
            )
        )


def _identity_conv2d(in_channels: int, out_channels: int) -> nn.Conv2d:
    """A 3 x 3 convolution without bias whose first filters pass on the channel of their number.

    Signal and gradient reach every layer from the first step on. After Zagoruyko and Komodakis,
    "DiracNets", 2017.
    """
    layer = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False)
    nn.init.dirac_(layer.weight.data[:in_channels])
    return layer


def _block(number: int, in_channels: int, out_channels: int) -> dict[str, nn.Module]:
    """Two convolutions, a pool that halves the maps, and normalisations: the layers of a stage."""
    first, second = 2 * number, 2 * number + 1
    return {
        f"conv{first}": _identity_conv2d(in_channels, out_channels),
        f"pool{number}": nn.MaxPool2d(2),
        f"bn{first}": nn.BatchNorm2d(out_channels),
        f"gelu{first}": nn.GELU(),
        f"conv{second}": _identity_conv2d(out_channels, out_channels),
        f"bn{second}": nn.BatchNorm2d(out_channels),
        f"gelu{second}": nn.GELU(),
    }
