"""A moving average of a network's weights, which generalises better than the last of them."""

import copy

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class Average:
    """The exponential moving average of a network's parameters, as a network of its own.

    After Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992. The
    decay grows as (1 + n) / (10 + n) up to ``decay``, so that a short run, too, forgets its start;
    n is ``updates``.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.updates = 0
        self._decay = decay
        self._parameters = list(self.network.parameters()), list(network.parameters())
        self._buffers = list(self.network.buffers()), list(network.buffers())

    @torch.no_grad()
    def update(self) -> None:
        """Move each average towards the network's present value; copy what isn't trained."""
        decay = min(self._decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        averages, values = self._parameters
        get_ema_multi_avg_fn(decay)(averages, values, Tensor())  # type: ignore[no-untyped-call]
        for copied, buffer in zip(*self._buffers, strict=True):
            copied.copy_(buffer)
