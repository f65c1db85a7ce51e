"""A server that must take whatever comes without a fault of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import start_server, stop, wait_until_up


@contextmanager
def faultless(folder: Path, *unsaid: str, **environment: str) -> Iterator[tuple[str, int]]:
    """A server's address and its process; it ends when it is told to, and has logged no error, nor
    any of the words ``unsaid``."""
    log = folder / "log.txt"
    with log.open("wb") as output:
        process, address = start_server(folder / "data", output.fileno(), **environment)
    wait_until_up(address, process)
    yield address, process.pid
    assert stop(process) in (0, -15)
    words = log.read_text()
    for one in ("Traceback", "ERROR", *unsaid):
        assert one not in words, words
