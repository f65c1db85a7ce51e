"""How much memory the processes of a server take together."""

import os
import re
from pathlib import Path

_PSS = re.compile(r"^Pss: +(\d+) kB", re.MULTILINE)


def session_memory(session: int) -> int | None:
    """Bytes of memory of all processes of a session; None where the system doesn't tell.

    A page that several processes share counts for each in part (Linux's PSS), so that the sum
    counts it once.
    """
    found = [_memory(path) for path in Path("/proc").glob("[0-9]*") if _session(path) == session]
    return sum(found) if found else None


def _session(path: Path) -> int | None:
    try:
        return os.getsid(int(path.name))
    except OSError:  # It has ended.
        return None


def _memory(path: Path) -> int:
    try:
        told = _PSS.search((path / "smaps_rollup").read_text())
    except OSError:
        return 0
    return int(told[1]) * 1024 if told else 0
