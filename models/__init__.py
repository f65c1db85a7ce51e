"""The networks, one file each; importing the package registers them all."""

from models import (
    cifar,
    cifar_3conv,
    cifar_4conv,
    cnn_classifier,
    convnet_revisited,
    digits,
    lenet5,
    lesson_06,
    simple_cnn,
)

__all__ = [
    "cifar",
    "cifar_3conv",
    "cifar_4conv",
    "cnn_classifier",
    "convnet_revisited",
    "digits",
    "lenet5",
    "lesson_06",
    "simple_cnn",
]
