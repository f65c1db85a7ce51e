"""How much memory and processor time the processes of a server take together."""

import os
import re
from pathlib import Path

_PSS = re.compile(r"^Pss: +(\d+) kB", re.MULTILINE)


def session_memory(session: int) -> int | None:
    """Bytes of memory of all processes of a session; None where the system doesn't tell.

    A page that several processes share counts for each in part (Linux's PSS), so that the sum
    counts it once.
    """
    found = [_memory(path) for path in _processes(session)]
    return sum(found) if found else None


def process_memory(process: int) -> int:
    """Bytes of memory of one process, counted likewise; 0 where the system doesn't tell."""
    return _memory(Path(f"/proc/{process}"))


def session_seconds(session: int) -> float | None:
    """Seconds of processor time that the living processes of a session have taken, else None."""
    found = [_seconds(path) for path in _processes(session)]
    return sum(found) if found else None


def _processes(session: int) -> list[Path]:
    return [path for path in Path("/proc").glob("[0-9]*") if _session(path) == session]


def _session(path: Path) -> int | None:
    try:
        return os.getsid(int(path.name))
    except OSError:  # It has ended.
        return None


def _memory(path: Path) -> int:
    told = _PSS.search(_read(path / "smaps_rollup"))
    return int(told[1]) * 1024 if told else 0


def _seconds(path: Path) -> float:
    # The name, in brackets, may hold anything; utime and stime are the 12th and 13th after it.
    numbers = _read(path / "stat").rpartition(")")[2].split()
    return sum(map(int, numbers[11:13])) / os.sysconf("SC_CLK_TCK")


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
