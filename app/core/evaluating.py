"""How good a model is: accuracy, loss, and which class is taken for which."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.core.dataset_files import Split
from app.core.resizing import in_channels, resize
from models.registry import ModelCard

# Of equal width, as Guo et al. have them.
BINS = 15
# Images at a time, and numbers of their inputs: of larger inputs there are fewer.
BATCH, BATCH_NUMBERS = 500, 500 * 200 * 200
# The same beside other work, which waits for what is at hand.
PART, PART_NUMBERS = 64, 64 * 28 * 28


@dataclass(frozen=True)
class Bin:
    """The images whose largest probability lies in one range: how many there are, the mean of that
    probability, and the share of them that was recognised."""

    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Confused:
    """How often one class, by its index, was taken for another."""

    true: int
    predicted: int
    count: int


@dataclass(frozen=True)
class Progress:
    """How many of a split's images are done, and how many of those were recognised."""

    done: int
    total: int
    right: int

    @property
    def accuracy(self) -> float:
        """The share of those that are done that were recognised, in 0..1."""
        return self.right / self.done


@dataclass(frozen=True)
class Evaluation:
    """What a network made of a split.

    ``confusion`` is int64 (classes, classes): a row per true class, a column per predicted one.
    ``loss`` is the average cross-entropy in nats. ``calibration`` has the bins that aren't empty,
    by rising probability.
    """

    confusion: Tensor
    loss: float
    calibration: tuple[Bin, ...]

    @property
    def accuracy(self) -> float:
        """The share of images that were recognised, in 0..1."""
        return int(self.confusion.diag().sum()) / int(self.confusion.sum())

    @property
    def class_accuracy(self) -> list[float]:
        """The share of each class's images that were recognised; NaN for a class without any."""
        confusion = self.confusion.double()
        shares: list[float] = (confusion.diag() / confusion.sum(dim=1)).tolist()
        return shares

    @property
    def calibration_error(self) -> float:
        """By how much probabilities miss the share that is right, on average over the images.

        Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", 2017.
        """
        total = sum(one.count for one in self.calibration)
        return (
            sum(one.count * abs(one.accuracy - one.confidence) for one in self.calibration) / total
        )

    def most_confused(self, count: int) -> list[Confused]:
        """The pairs of classes that are confused most often, at most ``count`` of them."""
        wrong = self.confusion - self.confusion.diag().diag()
        pairs = [
            Confused(true, predicted, int(wrong[true, predicted]))
            for true, predicted in wrong.nonzero().tolist()
        ]
        return sorted(pairs, key=lambda pair: -pair.count)[:count]


def to_input(images: Tensor, card: ModelCard) -> Tensor:
    """Values 0..1 (n, channels, height, width) as the card's network wants them.

    They are brought to its size, and are then (value - mean) / std.
    """
    images, preprocessing = resize(images, card.input_shape[1:]), card.preprocessing
    mean = images.new_tensor(preprocessing.mean).reshape(1, -1, 1, 1)
    std = images.new_tensor(preprocessing.std).reshape(1, -1, 1, 1)
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def compute_logits(network: nn.Module, images: Tensor, card: ModelCard) -> Tensor:
    """The logits (n, classes) of uint8 images (n, channels, height, width), in evaluation mode."""
    network.eval()
    size = max(1, min(BATCH, BATCH_NUMBERS // _numbers(images, card)))
    return torch.cat([_logits(network, batch, card) for batch in torch.split(images, size)])


def _numbers(images: Tensor, card: ModelCard) -> int:
    """How many numbers an image has where it has most: as it lies there, or as an input."""
    return max(math.prod(card.input_shape), math.prod(images.shape[1:]))


def _logits(network: nn.Module, images: Tensor, card: ModelCard) -> Tensor:
    device = next(network.parameters()).device
    pixels = in_channels(images.to(device), card.input_shape[0])
    logits: Tensor = network(to_input(pixels / 255, card)).cpu()
    return logits


def score(logits: Tensor, labels: Tensor) -> Evaluation:
    """Compare logits (n, classes) with the true labels (n,); n is at least 1."""
    classes = logits.shape[1]
    pairs = labels * classes + logits.argmax(dim=1)
    confusion = torch.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
    loss = functional.cross_entropy(logits.double(), labels).item()
    return Evaluation(confusion, loss, _calibration(logits, labels))


def _calibration(logits: Tensor, labels: Tensor) -> tuple[Bin, ...]:
    confidence, predicted = logits.double().softmax(dim=1).max(dim=1)
    right = (predicted == labels).double()
    place = (confidence * BINS).ceil().long().clamp(1, BINS) - 1
    bins = [place == number for number in range(BINS)]
    return tuple(
        Bin(int(inside.sum()), confidence[inside].mean().item(), right[inside].mean().item())
        for inside in bins
        if inside.any()
    )


def evaluate(network: nn.Module, split: Split, card: ModelCard) -> Evaluation:
    """Run the network over a split that isn't empty and compare with its labels."""
    return score(compute_logits(network, split.images, card), split.labels.cpu())


@torch.inference_mode()
def evaluate_in_parts(
    network: nn.Module, split: Split, card: ModelCard
) -> Iterator[Progress | Evaluation]:
    """The same, a few images at a time: after each part how far it is, in the end the result."""
    network.eval()
    size = max(1, min(PART, PART_NUMBERS // _numbers(split.images, card)))
    labels, found, right = split.labels.cpu(), list[Tensor](), 0
    for images in torch.split(split.images, size):
        found.append(_logits(network, images, card))
        done = sum(map(len, found))
        right += int((found[-1].argmax(dim=1) == labels[done - len(images) : done]).sum())
        yield Progress(done, len(labels), right)
    yield score(torch.cat(found), labels)
