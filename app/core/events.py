"""What a training reports while it runs."""

from dataclasses import dataclass

from torch import Tensor

from app.core.recipes import Recipe
from app.core.tuning import Tuning


@dataclass(frozen=True)
class Started:
    """The images are in memory and the first batch is about to be trained.

    ``precision`` is "float32" or "bfloat16" and ``layout`` "channels_last" or "contiguous_format",
    whichever train faster on ``device``.
    """

    recipe: Recipe
    parameters: int
    training_images: int
    validation_images: int
    device: str
    precision: str
    layout: str


@dataclass(frozen=True)
class BatchDone:
    """One step of the optimizer; ``progress`` is the share of the whole run, in 0..1."""

    epoch: int
    batch: int
    batches: int
    progress: float
    loss: float
    images_per_second: float


@dataclass(frozen=True)
class EpochDone:
    """One pass over the training images, validated with the averaged weights; the first is 1.

    ``train_loss`` is the average over the epoch's augmented images, with label smoothing.
    """

    epoch: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    seconds: float


@dataclass(frozen=True)
class Snapshot:
    """The averaged weights at a point of the training, on the processor, and how good they are.

    ``epoch`` is how many epochs are done: 0 before training, 0.25 after a quarter of the first.
    ``confusion`` counts the validation images: a row per true class, a column per predicted one.
    """

    epoch: float
    weights: dict[str, Tensor]
    validation_loss: float
    validation_accuracy: float
    confusion: list[list[int]]


@dataclass(frozen=True)
class State:
    """All that a training needs to go on after an epoch as if it had never stopped.

    It goes back into ``train``, in another process if need be; states.py makes a file of it.
    ``epochs`` are those that are done, ``best_epoch`` the one that validated best, and
    ``best_weights`` its averaged weights. ``learner`` holds the learner's tensors. ``version`` says
    what made it, and ``digest`` tells the data that it has learned from any others.
    """

    version: str
    recipe: Recipe
    tuning: Tuning
    training_images: int
    digest: str
    epochs: tuple[EpochDone, ...]
    seconds: float
    best_epoch: int
    best_weights: dict[str, Tensor]
    learner: dict[str, Tensor]


@dataclass(frozen=True)
class Finished:
    """The end of a run, with the weights of the epoch that validated best."""

    epoch: int
    validation_accuracy: float
    validation_loss: float
    seconds: float
    weights: dict[str, Tensor]


Event = Started | BatchDone | EpochDone | Snapshot | State | Finished
