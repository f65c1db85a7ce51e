"""Files that are written whole or not at all, and what a killed process leaves of such work.

Whatever isn't whole yet has a name that begins with ``.writing-``. Who writes shares a lock on the
folder, which ends with its process, so that leftovers can be told from the work of others.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

_UNFINISHED = ".writing-"


def write_atomically(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` at once: readers see the old file or the new, never half."""
    write_together({path: content})


def write_together(contents: Mapping[Path, bytes]) -> None:
    """The same for files that belong together, in this order: none is replaced before all have
    found room. They are in one folder."""
    folder = next(iter(contents)).parent
    with _shared_lock(folder), ExitStack() as leftovers:
        ready = {}
        for path, content in contents.items():
            handle, beside = tempfile.mkstemp(dir=folder, prefix=_UNFINISHED)
            leftovers.callback(Path(beside).unlink, missing_ok=True)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            ready[path] = Path(beside)
        for path, whole in ready.items():
            whole.chmod(0o644)  # mkstemp lets nobody else read it
            whole.replace(path)


def keep_content(path: Path, content: bytes) -> None:
    """Have ``path`` hold ``content``, in a folder that is made where it isn't there. Nothing is
    written where the file holds it already."""
    with suppress(OSError):
        if path.read_bytes() == content:
            return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)


@contextmanager
def unfinished_folder(folder: Path) -> Iterator[Path]:
    """A folder within ``folder`` for what isn't whole yet; it is gone afterwards."""
    with (
        _shared_lock(folder),
        tempfile.TemporaryDirectory(dir=folder, prefix=_UNFINISHED) as beside,
    ):
        yield Path(beside)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes had begun to write in ``folder``, unless somebody is writing
    there just now, or it can't be changed."""
    with suppress(OSError), _lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
        for path in folder.glob(f"{_UNFINISHED}*"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


@contextmanager
def _shared_lock(folder: Path) -> Iterator[None]:
    with ExitStack() as stack:
        with suppress(OSError):  # Some file systems lock no folders: nothing is removed there.
            stack.enter_context(_lock(folder, fcntl.LOCK_SH))
        yield


@contextmanager
def _lock(folder: Path, kind: int) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, kind)
        yield
    finally:
        os.close(handle)
