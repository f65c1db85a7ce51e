"""What changes while a network is trained, and the one step that changes it."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import update_bn

from app.core.augmenting import create_augmentation
from app.core.averaging import Average
from app.core.dataset_files import Split
from app.core.devices import choose_device
from app.core.evaluating import Evaluation, evaluate, to_input
from app.core.events import Started
from app.core.recipes import Recipe, create_optimizer, find_schedule
from app.core.reordering import pool_first
from app.core.resizing import in_channels
from app.core.tuning import DEFAULT, Tuning, find_tuning, images_to_time
from models.registry import ModelCard, create_network
from models.whitening import WhiteningConv2d

AVERAGING = 0.998
# Images whose patches a whitening convolution is fitted to.
WHITENED = 5000
FITTED_AT_ONCE = 100
# Images that tell averaged weights what their batch norms will see.
CALIBRATED = 2048


class Learner:
    """What changes while a network is trained: its weights, their average, the random states."""

    def __init__(self, recipe: Recipe, training: Split, card: ModelCard) -> None:
        """A new one; ``card`` tells what it learns."""
        self.recipe = recipe
        self.device = choose_device(recipe.device)
        self.images = training.images.to(self.device)
        self.labels = training.labels.to(self.device)
        self.batches = math.ceil(len(training) / recipe.batch_size)
        self.card = card
        self.augment = create_augmentation(recipe.augmentation)
        self.shuffling = torch.Generator().manual_seed(recipe.seed)
        self.chance = torch.Generator(self.device).manual_seed(recipe.seed)
        self.schedule = find_schedule(recipe.schedule)
        self.steps = 0
        with self._seeded():
            self.network = self._create().to(self.device).train()
        self._whiten()
        self.tune(DEFAULT)

    def tune(self, tuning: Tuning) -> None:
        """Train as the tuning says; to be called before the first step."""
        self.tuning = tuning
        self.network.to(memory_format=tuning.memory_format)  # type: ignore[call-overload]
        self.quick = pool_first(self.network)
        self.average = Average(self.network, AVERAGING)
        self.optimizer = create_optimizer(self.recipe, self.network)

    def find_tuning(self, folder: Path) -> Tuning:
        """The tuning that is the fastest here, as ``folder`` remembers it or as it is timed."""
        count = images_to_time(self.recipe.batch_size, self.card.input_shape)
        inputs = to_input(self._pixels(slice(count)), self.card)
        return find_tuning(self.recipe.network, self.quick, inputs, self.labels[:count], folder)

    def _whiten(self) -> None:
        for module in self.network.modules():
            if isinstance(module, WhiteningConv2d):
                first = torch.arange(min(WHITENED, len(self.labels)))
                parts = torch.split(first, FITTED_AT_ONCE)
                module.fit(torch.cat([to_input(self._pixels(part), self.card) for part in parts]))

    def _create(self) -> nn.Module:
        return create_network(self.recipe.network, len(self.card.classes))

    def _pixels(self, indices: Tensor | slice) -> Tensor:
        """Images (n, channels, height, width) of 0..1, with the network's channels."""
        return in_channels(self.images[indices], self.card.input_shape[0]) / 255

    def describe(self, validation_images: int) -> Started:
        """What to tell before the first batch."""
        return Started(
            recipe=self.recipe,
            parameters=sum(parameter.numel() for parameter in self.network.parameters()),
            training_images=len(self.labels),
            validation_images=validation_images,
            device=str(self.device),
            precision=self.tuning.precision,
            layout=self.tuning.layout,
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
        images = self.augment(self._pixels(indices), self.chance)
        inputs, labels = to_input(images, self.card), self.labels[indices]
        with self._seeded():
            logits = self.tuning.logits(self.quick, inputs)
        smoothing = self.recipe.label_smoothing
        loss = functional.cross_entropy(logits, labels, label_smoothing=smoothing)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        with self.tuning.autocast(self.device):
            self.optimizer.step()
        self.average.update()
        self.steps += 1
        return loss.item()

    def snapshot(self) -> dict[str, Tensor]:
        """A copy of the averaged weights, in torch's own memory format."""
        return _copied(self.average.network.state_dict())

    def state(self) -> dict[str, Tensor]:
        """A copy of everything that changes while training, for ``restore``."""
        kept: dict[str, Mapping[str, Any]] = {
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "chance": {"order": self.shuffling.get_state(), "images": self.chance.get_state()},
            "count": {"steps": torch.tensor(self.steps)},
        }
        for number, values in self.optimizer.state_dict()["state"].items():
            kept[f"optimizer.{number}"] = values
        return {f"{part}.{name}": v for part in kept for name, v in _copied(kept[part]).items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on as the learner would have that gave ``state``; its recipe and tuning were these.

        Raises KeyError or RuntimeError for the state of another network.
        """
        self.network.load_state_dict(_part(state, "network"))
        self.average.network.load_state_dict(_part(state, "average"))
        self.shuffling.set_state(state["chance.order"])
        self.chance.set_state(state["chance.images"])
        self.steps = self.average.updates = int(state["count.steps"])
        self._restore_optimizer(_part(state, "optimizer"))

    def _restore_optimizer(self, state: dict[str, Tensor]) -> None:
        whole = self.optimizer.state_dict()
        for number, parameter in enumerate(self.network.parameters()):
            # Fused optimizers ask that all of a parameter's numbers lie in memory as its own do.
            whole["state"][number] = {
                name: torch.empty_like(parameter).copy_(value)
                if value.shape == parameter.shape
                else value
                for name, value in _part(state, str(number)).items()
            }
        self.optimizer.load_state_dict(whole)

    def validate(self, validation: Split) -> Evaluation:
        """Evaluate the averaged weights, after their batch norms have learned what to expect.

        What these gathered while training is of the weights as they were, which vary more than
        their average does. After Izmailov et al., "Averaging weights leads to wider optima", 2018.
        """
        first = torch.arange(min(CALIBRATED, len(self.labels)))
        # Each part counts as much as any other, so that all are about as large.
        parts = torch.tensor_split(first, math.ceil(len(first) / self.recipe.batch_size))
        chance = torch.Generator(self.device).manual_seed(self.recipe.seed)
        inputs = (to_input(self.augment(self._pixels(part), chance), self.card) for part in parts)
        with self._seeded():
            update_bn(inputs, self.average.network)
        return evaluate(pool_first(self.average.network), validation, self.card)

    @contextmanager
    def _seeded(self) -> Iterator[None]:
        """Initialisation and dropout know only torch's global random state: lend them a seeded one.

        Between two steps other code may draw from it, and it shall not notice the training either.
        torch.manual_seed would do the same for every device there is, at a tenth of a small step.
        """
        seed, here = self.recipe.seed + self.steps, [torch.default_generator]
        if self.device.type == "cuda":
            here.append(torch.cuda.default_generators[self.labels.device.index])
        elif self.device.type == "mps":
            torch.mps.manual_seed(seed)
        before = [generator.get_state() for generator in here]
        for generator in here:
            generator.manual_seed(seed)
        try:
            yield
        finally:
            for generator, state in zip(here, before, strict=True):
                generator.set_state(state)


def _copied(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in state.items()
    }


def _part(state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    start = f"{name}."
    return {key.removeprefix(start): state[key] for key in state if key.startswith(start)}
