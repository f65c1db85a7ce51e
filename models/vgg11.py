"""VGG-11 as torchvision has it (Simonyan and Zisserman, 2014, configuration A).

The names of the parameters are torchvision's, so that its ImageNet weights fit.
"""

from collections import OrderedDict

from torch import nn

from models.registry import AS_IMAGENET, UNNAMED_CLASSES, ModelCard, register

# The channels of each convolution; 0 is a max-pool, which halves height and width.
LAYERS = (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0)


@register(
    ModelCard(
        name="vgg11",
        title="VGG-11",
        description="Eight 3 × 3 convolutions of up to 512 channels and three linear layers: "
        "simple, deep, and with 133 million parameters the largest here.",
        network="vgg11",
        dataset="imagenet",
        classes=UNNAMED_CLASSES,
        input_shape=(3, 224, 224),
        preprocessing=AS_IMAGENET,
    )
)
class VGG11(nn.Sequential):
    """(batch, 3, 224, 224) -> (batch, 1000) logits; 132,863,336 parameters."""

    def __init__(self) -> None:
        classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, 1000),
        )
        super().__init__(
            OrderedDict(
                features=_convolutions(),
                avgpool=nn.AdaptiveAvgPool2d(7),
                flatten=nn.Flatten(),  # (25088,)
                classifier=classifier,
            )
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)


def _convolutions() -> nn.Sequential:
    modules: list[nn.Module] = []
    before = 3
    for channels in LAYERS:
        if channels:
            modules += [nn.Conv2d(before, channels, kernel_size=3, padding=1), nn.ReLU()]
            before = channels
        else:
            modules.append(nn.MaxPool2d(2))
    return nn.Sequential(*modules)  # (512, 7, 7)
