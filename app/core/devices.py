"""Where a network is computed, and in which numbers: the fastest that this machine offers."""

import time

import torch
from torch import Tensor, nn

from app.core.errors import ConvScopeError

CLEARLY_FASTER = 1.7


class UnavailableDevice(ConvScopeError):
    """The wanted device isn't there; the message says which to ask for."""


def choose_device(name: str) -> torch.device:
    """The device of that name; "auto" is CUDA, else MPS, else the processor.

    Raises UnavailableDevice for a device that this machine lacks or that torch doesn't know.
    """
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, here in present.items() if here))
    if not present.get(name.partition(":")[0], False):
        here = ", ".join(kind for kind, is_here in present.items() if is_here)
        raise UnavailableDevice(f"The device {name!r} is not on this machine. Use auto or {here}.")
    return torch.device(name)


def choose_precision(device: torch.device) -> torch.dtype:
    """float32, or bfloat16 for autocast where that trains clearly faster.

    Always the same layer is timed, not the network that is to be trained: it is large enough that
    bfloat16 gains a factor of 3 to 5 where the device has it and loses one of about 10 where it
    doesn't, so no load on the machine turns the choice, and the same recipe gives the same weights
    again. Small networks hardly differ in the two, and chance would choose. No random number is
    drawn.
    """
    layer = nn.Conv2d(32, 64, kernel_size=5, padding=2, device="meta").to_empty(device=device)
    for parameter in layer.parameters():
        nn.init.constant_(parameter, 0.01)
    images = torch.ones(8, 32, 14, 14, device=device).to(memory_format=torch.channels_last)
    seconds = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    for _ in range(5):
        for dtype in seconds:
            seconds[dtype] = min(seconds[dtype], _time_step(layer, images, dtype))
    faster = seconds[torch.float32] > CLEARLY_FASTER * seconds[torch.bfloat16]
    return torch.bfloat16 if faster else torch.float32


def _time_step(layer: nn.Module, images: Tensor, dtype: torch.dtype) -> float:
    start = time.perf_counter()
    with torch.autocast(images.device.type, dtype=dtype, enabled=dtype != torch.float32):
        loss = layer(images).float().mean()
    loss.backward()
    loss.item()  # waits for a GPU to finish
    return time.perf_counter() - start
