"""The lessons' own way to train: torchvision's MNIST, ToTensor, DataLoader, Adam.

Nothing in it is ours but the network, so that it can be measured beside ``train``. A worker of the
loader may begin as a new process that imports this module, so torchvision is imported here.
"""

import time
from dataclasses import dataclass

from torch import Tensor, nn, optim
from torch.utils.data import DataLoader

from app.core.dataset_files import Split
from app.core.torchvision_operators import declare_torchvision_operators

declare_torchvision_operators()
from torchvision.datasets import MNIST  # noqa: E402
from torchvision.transforms import ToTensor  # noqa: E402


@dataclass(frozen=True)
class Loop:
    """What a lesson trains, and with which batch size and learning rate for Adam."""

    lesson: str
    network: str
    batch_size: int
    learning_rate: float


LOOPS = (Loop("000", "convnet-revisited", 100, 0.01), Loop("003", "simple-cnn", 64, 0.001))


class InMemory(MNIST):  # type: ignore[misc]
    """torchvision's MNIST, by its own code for each image, of a split that is in memory already."""

    def __init__(self, split: Split) -> None:
        super(MNIST, self).__init__("", transform=ToTensor())
        self.data, self.targets = split.images.squeeze(1), split.labels


def run_epoch(loop: Loop, network: nn.Module, training: Split) -> float:
    """Train the network for an epoch; returns the seconds from asking for the first batch."""
    loader: DataLoader[tuple[Tensor, Tensor]] = DataLoader(
        InMemory(training), loop.batch_size, shuffle=True, num_workers=1
    )
    optimizer = optim.Adam(network.parameters(), lr=loop.learning_rate)
    loss_function = nn.CrossEntropyLoss()
    network.train()
    start = time.perf_counter()
    for images, labels in loader:
        loss = loss_function(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - start
