"""ResNet-18 as torchvision has it (He, Zhang, Ren and Sun, 2015): each block adds to its input.

The names of the parameters are torchvision's, so that its ImageNet weights fit.
"""

from torch import Tensor, nn

from models.registry import AS_IMAGENET, UNNAMED_CLASSES, ModelCard, register


class Block(nn.Module):
    """Two 3 × 3 convolutions, and their input added to what comes of them.

    Where the size changes, a 1 × 1 convolution brings the input to the new one.
    """

    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or before != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, maps: Tensor) -> Tensor:
        """(batch, before, height, width) -> (batch, channels, height / stride, width / stride)."""
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(maps)))))
        same: Tensor = maps if self.downsample is None else self.downsample(maps)
        return self.relu(out + same)  # type: ignore[no-any-return]


def _blocks(before: int, channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(Block(before, channels, stride), Block(channels, channels, 1))


@register(
    ModelCard(
        name="resnet18",
        title="ResNet-18",
        description="Eight blocks of two 3 × 3 convolutions. Each adds its input to its output, so "
        "that a network can be deep and still be trained.",
        network="resnet18",
        dataset="imagenet",
        classes=UNNAMED_CLASSES,
        input_shape=(3, 224, 224),
        preprocessing=AS_IMAGENET,
    )
)
class ResNet18(nn.Module):
    """(batch, 3, 224, 224) -> (batch, 1000) logits; 11,689,512 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _blocks(64, 64, stride=1)
        self.layer2 = _blocks(64, 128, stride=2)
        self.layer3 = _blocks(128, 256, stride=2)
        self.layer4 = _blocks(256, 512, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(512, 1000)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, pictures: Tensor) -> Tensor:
        """(batch, 3, 224, 224) -> (batch, 1000) logits."""
        out = self.maxpool(self.relu(self.bn1(self.conv1(pictures))))  # (64, 56, 56)
        out = self.layer2(self.layer1(out))  # (128, 28, 28)
        out = self.layer4(self.layer3(out))  # (512, 7, 7)
        return self.fc(self.flatten(self.avgpool(out)))  # type: ignore[no-any-return]
