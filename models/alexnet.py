"""AlexNet as torchvision has it (Krizhevsky, "One weird trick", 2014).

The names of the parameters are torchvision's, so that its ImageNet weights fit.
"""

from collections import OrderedDict

from torch import nn

from models.registry import AS_IMAGENET, UNNAMED_CLASSES, ModelCard, register


@register(
    ModelCard(
        name="alexnet",
        title="AlexNet",
        description="Five convolutions and three linear layers, which hold nearly all of its "
        "61 million parameters: with such a network it was shown in 2012 what depth can do.",
        network="alexnet",
        dataset="imagenet",
        classes=UNNAMED_CLASSES,
        input_shape=(3, 224, 224),
        preprocessing=AS_IMAGENET,
    )
)
class AlexNet(nn.Sequential):
    """(batch, 3, 224, 224) -> (batch, 1000) logits; 61,100,840 parameters."""

    def __init__(self) -> None:
        features = nn.Sequential(
            nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2),  # (64, 55, 55)
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),  # (64, 27, 27)
            nn.Conv2d(64, 192, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),  # (192, 13, 13)
            nn.Conv2d(192, 384, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),  # (256, 6, 6)
        )
        classifier = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, 1000),
        )
        super().__init__(
            OrderedDict(
                features=features,
                avgpool=nn.AdaptiveAvgPool2d(6),
                flatten=nn.Flatten(),  # (9216,)
                classifier=classifier,
            )
        )
