"""The networks, one file each; importing the package registers them all."""

from models import (
    alexnet,
    cifar,
    cifar_3conv,
    cifar_4conv,
    cnn_classifier,
    convnet_revisited,
    digits,
    lenet5,
    lesson_06,
    resnet18,
    simple_cnn,
    vgg11,
)

__all__ = [
    "alexnet",
    "cifar",
    "cifar_3conv",
    "cifar_4conv",
    "cnn_classifier",
    "convnet_revisited",
    "digits",
    "lenet5",
    "lesson_06",
    "resnet18",
    "simple_cnn",
    "vgg11",
]
