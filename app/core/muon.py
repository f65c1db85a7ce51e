"""An optimizer for which all directions of a convolution's filters count alike."""

from collections.abc import Callable

import torch
from torch import Tensor, optim

MOMENTUM = 0.9
# The root mean square of a step of filters, as a share of the learning rate: that of AdamW's steps
# is some tenths, so that one rate serves both.
STEP = 0.5
# Of Jordan's polynomial, which lifts small singular values most steeply, and how often it is taken.
COEFFICIENTS = 3.4445, -4.7750, 2.0315
TIMES = 5


class Muon(optim.AdamW):
    """Muon for the filters of convolutions, AdamW for all other parameters.

    A gradient's few strong directions would rule the step. Here the averaged gradient of a
    convolution, as a matrix with a row for each filter, gives way to the nearest one whose
    singular values are all 1. After Jordan et al., "Muon: An optimizer for hidden layers in neural
    networks", 2024; of one size with AdamW's steps after Liu et al., "Muon is scalable for LLM
    training", 2025. ``torch.optim.Muon`` takes matrices alone, and computes in bfloat16.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Change every parameter that has a gradient; those of filters are used up.

        Returns what ``closure`` does, which is called first where there is one.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.ndim == 4 and parameter.grad is not None:
                    self._turn(parameter, group["lr"], group["weight_decay"])
                    parameter.grad = None
        super().step()
        return loss

    def _turn(self, filters: Tensor, rate: float, decay: float) -> None:
        state, gradient = self.state[filters], filters.grad
        assert gradient is not None
        if not state:
            # By AdamW's names, which looks for them where a state is taken up again.
            state["step"], state["exp_avg"] = torch.zeros(()), torch.zeros_like(filters)
        state["step"] += 1
        average = state["exp_avg"].lerp_(gradient, 1 - MOMENTUM)
        matrix = gradient.lerp(average, MOMENTUM).flatten(1)
        step = orthogonalize(matrix).view(filters.shape)
        filters.mul_(1 - rate * decay)
        filters.add_(step, alpha=-rate * STEP * max(matrix.shape) ** 0.5)


def orthogonalize(matrix: Tensor) -> Tensor:
    """About the nearest matrix to a matrix (m, n) of which all singular values are 1.

    They come to lie between 0.6 and 1.3, unless they were hundreds of times below the largest. By
    Newton and Schulz's iteration with Jordan's coefficients, which goes well with torch.autocast's
    bfloat16: each round mends what the one before has rounded off.
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    values: Tensor = matrix.mT if tall else matrix
    values = values / values.norm().clamp(min=1e-7)
    for _ in range(TIMES):
        gram = values @ values.mT
        values = a * values + (b * gram + c * gram @ gram) @ values
    return values.T if tall else values
