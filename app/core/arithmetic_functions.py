"""Units that are a function of one number, and those of softmax."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.core.errors import Unexplained
from app.core.units import TOLERANCE, Asked, Detail, Terms, Unit, one_term


def explain_function(asked: Asked) -> Unit:
    """An activation function of the number at the same place."""
    before = _same_place(asked)
    computed, own = (_apply(asked, value) for value in (before.double(), before))
    magnitude = before.double().abs()
    terms = one_term(asked.sources[0], asked.index, before)
    return asked(computed, own, magnitude, terms, details=_settings(asked))


def _same_place(asked: Asked) -> Tensor:
    if asked.inputs[0].shape != asked.output.shape:
        raise Unexplained(f"{asked.layer.name} doesn't have the shape of what it reads.")
    return asked.inputs[0][asked.place]


def _apply(asked: Asked, value: Tensor) -> Tensor:
    if isinstance(asked.module, nn.PReLU):
        return functional.prelu(value.reshape(1), _slope(asked).to(value.dtype))
    # A copy, for a module that works in place; not called, since others may watch its calls.
    forward: Callable[[Tensor], Tensor] = asked.module.forward
    return forward(value.clone())


def _slope(asked: Asked) -> Tensor:
    slopes = asked.module.get_parameter("weight").detach().cpu()
    return slopes[asked.place[0] if len(slopes) > 1 else 0].reshape(1)


_SETTINGS = ("negative_slope", "alpha", "beta", "threshold", "min_val", "max_val", "approximate")


def _settings(asked: Asked) -> dict[str, Detail]:
    known: dict[str, Any] = vars(asked.module)
    details: dict[str, Detail] = {name: known[name] for name in _SETTINGS if name in known}
    if isinstance(asked.module, nn.PReLU):
        details["negative_slope"] = float(_slope(asked))
    if isinstance(asked.module, nn.ReLU | nn.ReLU6):
        details["dead"] = not bool(asked.output[asked.place[0]].any())
    return details


def explain_identity(asked: Asked) -> Unit:
    """The number at the same place, as it is: of an identity, or of a dropout in evaluation."""
    before = _same_place(asked)
    terms = one_term(asked.sources[0], asked.index, before)
    return asked(before.double(), before, 0.0, terms, formula="x")


def explain_flatten(asked: Asked) -> Unit:
    """The number whose turn it is, row by row and map by map."""
    before, strides = asked.inputs[0], asked.output.stride()
    number = sum(one * stride for one, stride in zip(asked.place, strides, strict=True))
    place = tuple(int(one) for one in torch.unravel_index(torch.tensor(number), before.shape))
    channel, y, x = (*place, 0, 0)[:3]
    value = before[place]
    terms = one_term(asked.sources[0], (channel, y, x), value)
    return asked(value.double(), value, 0.0, terms, formula="x")


def explain_batch_norm(asked: Asked) -> Unit:
    """What the number is from the mean, in deviations, then scaled and shifted."""
    before, channel = _same_place(asked), asked.place[0]
    module: Any = asked.module
    mean, variance = _statistics(asked, channel)
    weight: Tensor | None
    bias: Tensor | None
    weight, bias = (
        None if one is None else one[channel].detach().cpu() for one in (module.weight, module.bias)
    )

    def normalise(x: Tensor) -> Tensor:
        scale: Tensor = (variance.to(x.dtype) + module.eps).rsqrt()
        scale = scale * (1 if weight is None else weight)
        return (x - mean) * scale + (0 if bias is None else bias)

    scale = (variance.double() + module.eps).rsqrt() * (1 if weight is None else weight.abs())
    magnitude = (before.double().abs() + mean.abs()) * scale + (0 if bias is None else bias.abs())
    details: dict[str, Detail] = {
        "input": float(before),
        "mean": float(mean),
        "variance": float(variance),
        "eps": module.eps,
        "weight": None if weight is None else float(weight),
        "bias": None if bias is None else float(bias),
    }
    return asked(
        normalise(before.double()),
        normalise(before),
        magnitude,
        one_term(asked.sources[0], asked.index, before),
        formula="(x − μ) / √(σ² + ε)" + ("" if weight is None else " · w + b"),
        details=details,
    )


_RUNNING = ("running_mean", "running_var")


def _statistics(asked: Asked, channel: int) -> tuple[Tensor, Tensor]:
    """The mean and the variance: the running ones, or where there are none, the picture's own."""
    mean, variance = (vars(asked.module)["_buffers"][name] for name in _RUNNING)
    if mean is not None:
        return mean[channel].cpu(), variance[channel].cpu()
    values = asked.inputs[0][channel].double()
    dtype = asked.output.dtype
    return values.mean().to(dtype), values.var(correction=0).to(dtype)


def explain_softmax(asked: Asked) -> Unit:
    """A class's exponential by the sum of all; the terms are the exponentials.

    The largest logit is taken off first, as torch does, which changes nothing but the precision.
    """
    logits, axis = _logits(asked)
    exponentials, total = _exponentials(logits.double())
    own, own_total = _exponentials(logits)
    number = asked.place[axis]
    shifted = float(logits[number].double() - logits.double().max())
    value = exponentials[number] / total
    # The logit's rounding error is that of the exponential; below the smallest normal number of
    # all, what is stored is as good as 0.
    smallest = torch.finfo(asked.output.dtype).tiny / TOLERANCE
    magnitude = max(float(value) * max(1.0, abs(shifted)), smallest)
    return asked(
        value,
        own[number] / own_total,
        magnitude,
        _class_terms(asked, axis, logits, exponentials),
        sum=float(total),
        details=_softmax_details(logits, exponentials, total),
    )


def explain_log_softmax(asked: Asked) -> Unit:
    """A class's logit less the logarithm of the sum of all exponentials."""
    logits, axis = _logits(asked)
    exponentials, total = _exponentials(logits.double())
    own_total = _exponentials(logits)[1]
    number, largest = asked.place[axis], logits.max()
    logit = logits[number]
    magnitude = logit.double().abs() + largest.double().abs() + total.log().abs()
    return asked(
        logit.double() - largest.double() - total.log(),
        logit - largest - own_total.log(),
        magnitude,
        _class_terms(asked, axis, logits, exponentials),
        sum=float(total),
        details=_softmax_details(logits, exponentials, total),
    )


def _logits(asked: Asked) -> tuple[Tensor, int]:
    """The numbers that a softmax compares, and along which axis of its activation they lie."""
    dim: Any = vars(asked.module)["dim"]
    axes = asked.output.ndim
    axis = dim if dim is None or dim < 0 else dim - 1
    if axis is None or not -axes <= axis < axes or dim == 0:
        raise Unexplained(
            f"{asked.layer.name} is a softmax along {dim}, which isn't an axis of one picture."
        )
    axis %= axes
    where = tuple(slice(None) if one == axis else at for one, at in enumerate(asked.place))
    return asked.inputs[0][where], axis


def _exponentials(logits: Tensor) -> tuple[Tensor, Tensor]:
    exponentials = (logits - logits.max()).exp()
    return exponentials, exponentials.sum()


def _class_terms(asked: Asked, axis: int, logits: Tensor, exponentials: Tensor) -> Terms:
    indices = torch.tensor([asked.index]).repeat(len(logits), 1)
    indices[:, axis] = torch.arange(len(logits))
    inputs = logits.view(-1, 1, 1)
    return Terms(asked.sources, indices[:, 0], inputs, exponentials, indices=indices)


def _softmax_details(logits: Tensor, exponentials: Tensor, total: Tensor) -> dict[str, Detail]:
    return {
        "logits": logits,
        "exponentials": exponentials,
        "shift": float(logits.max()),
        "total": float(total),
    }
