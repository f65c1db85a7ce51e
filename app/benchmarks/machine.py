"""What a benchmark ran on, in words."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version

from app.core.devices import processor_name


def describe_machine() -> dict[str, str]:
    """Processor, memory and the versions of what computes."""
    return {
        "Date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "Processor": f"{processor_name()}, {_cores()} cores",
        "Memory": _memory(),
        "System": _system(),
        "Python": platform.python_version(),
        "PyTorch": version("torch"),
    }


def _cores() -> int:
    """The cores that this process may use, which in a container are fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> str:
    try:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError):
        return "unknown"
    return f"{pages / 2**30:.0f} GiB"


def _system() -> str:
    kernel = f"{platform.system()} {platform.release()}"
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {kernel}"
    except (OSError, KeyError):
        return kernel
