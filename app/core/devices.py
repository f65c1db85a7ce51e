"""Where a network is computed: the fastest that this machine offers."""

import platform
from pathlib import Path

import torch

from app.core.errors import ConvScopeError


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


def processor_name() -> str:
    """What this machine's processor is called."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.is_file() else []
    names = [line for line in lines if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else platform.processor() or "unknown"
