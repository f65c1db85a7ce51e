"""What changes while a network is trained, and the one step that changes it."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.core.augmenting import create_augmentation
from app.core.averaging import Average
from app.core.dataset_files import Split
from app.core.devices import choose_device, choose_precision
from app.core.evaluating import Evaluation, evaluate, to_input
from app.core.events import Started
from app.core.recipes import Recipe, create_optimizer, find_schedule
from models.registry import blank_card, create_network
from models.whitening import WhiteningConv2d

AVERAGING = 0.998
# Images whose patches a whitening convolution is fitted to.
WHITENED = 5000


class Learner:
    """What changes while a network is trained: its weights, their average, the random states."""

    def __init__(self, recipe: Recipe, training: Split) -> None:
        self.recipe = recipe
        self.device = choose_device(recipe.device)
        self.images = training.images.to(self.device)
        self.labels = training.labels.to(self.device)
        self.batches = math.ceil(len(training) / recipe.batch_size)
        self.card = blank_card(recipe.network)
        self.augment = create_augmentation(recipe.augmentation)
        self.shuffling = torch.Generator().manual_seed(recipe.seed)
        self.chance = torch.Generator(self.device).manual_seed(recipe.seed)
        self.steps = 0
        with self._seeded():
            network = create_network(recipe.network)
        self._whiten(network)
        self.network = network.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = Average(self.network, AVERAGING)
        self.optimizer = create_optimizer(recipe, self.network)
        self.schedule = find_schedule(recipe.schedule)
        self.precision = choose_precision(self.device)

    def _whiten(self, network: nn.Module) -> None:
        inputs = to_input(self.images[:WHITENED].cpu() / 255, self.card)
        for module in network.modules():
            if isinstance(module, WhiteningConv2d):
                module.fit(inputs)

    def describe(self, validation_images: int) -> Started:
        """What to tell before the first batch."""
        return Started(
            recipe=self.recipe,
            parameters=sum(parameter.numel() for parameter in self.network.parameters()),
            training_images=len(self.labels),
            validation_images=validation_images,
            device=str(self.device),
            precision=str(self.precision).removeprefix("torch."),
        )

    def shuffle(self) -> Iterator[Tensor]:
        """The indices of each batch of an epoch, in an order of its own."""
        order = torch.randperm(len(self.labels), generator=self.shuffling)
        return iter(torch.split(order.to(self.device), self.recipe.batch_size))

    @property
    def progress(self) -> float:
        """The share of the run that is done, in 0..1."""
        return self.steps / (self.batches * self.recipe.epochs)

    def step(self, indices: Tensor) -> float:
        """Train on one batch; returns its loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * self.schedule(self.progress)
        images = self.augment(self.images[indices] / 255, self.chance)
        with self._seeded():
            loss = self._loss(to_input(images, self.card), self.labels[indices])
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.average.update(self.network)
        self.steps += 1
        return loss.item()

    def snapshot(self) -> dict[str, Tensor]:
        """A copy of the averaged weights, in torch's own memory format."""
        state = self.average.network.state_dict()
        return {
            name: value.cpu().clone(memory_format=torch.contiguous_format)
            for name, value in state.items()
        }

    def _loss(self, inputs: Tensor, labels: Tensor) -> Tensor:
        self.network.train()
        half = self.precision != torch.float32
        with torch.autocast(self.device.type, dtype=self.precision, enabled=half):
            logits = self.network(inputs)
        smoothing = self.recipe.label_smoothing
        return functional.cross_entropy(logits.float(), labels, label_smoothing=smoothing)

    def validate(self, validation: Split) -> Evaluation:
        """Evaluate the averaged weights."""
        return evaluate(self.average.network, validation, self.card)

    @contextmanager
    def _seeded(self) -> Iterator[None]:
        """Initialisation and dropout know only torch's global random state: lend them a seeded one.

        Between two steps other code may draw from it, and it shall not notice the training either.
        """
        here = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=here):
            torch.manual_seed(self.recipe.seed + self.steps)
            yield
