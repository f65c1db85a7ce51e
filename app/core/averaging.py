"""A moving average of a network's weights, which generalises better than the last of them."""

import copy

import torch
from torch import nn


class Average:
    """The exponential moving average of a network's parameters, as a network of its own.

    After Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992. The
    decay grows as (1 + n) / (10 + n) up to ``decay``, so that a short run, too, forgets its start.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self._decay = decay
        self._updates = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move each average towards the network's present value; copy what isn't trained."""
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        self._updates += 1
        for average, value in zip(self.network.parameters(), network.parameters(), strict=True):
            average.lerp_(value, 1 - decay)
        for copied, buffer in zip(self.network.buffers(), network.buffers(), strict=True):
            copied.copy_(buffer)
