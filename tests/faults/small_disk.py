"""A disk of a few megabytes that can be filled and made read-only, which needs no privileges where
the kernel lets users have mounts of their own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Process, free_port
from tests.faults.serving import Served

MEGABYTES = 16
# How to come to mounts of one's own, and how to join them.
_WAYS: tuple[tuple[list[str], list[str]], ...] = (
    (["unshare", "--user", "--map-root-user", "--mount"], ["--user", "--preserve-credentials"]),
    (["unshare", "--mount"], []),
)
_MOUNT = 'mount -t tmpfs -o size=$1m none "$0" && mkdir "$0/data" && echo mounted && cat'


class SmallDisk:
    """A disk that the processes of ``command`` see at ``mount``, and this one at ``seen``."""

    def __init__(self, mount: Path, holder: "subprocess.Popen[str]", join: list[str]) -> None:
        self.mount = mount
        self.seen = Path(f"/proc/{holder.pid}/root{mount}")
        self._join = ["nsenter", *join, "--mount", "--target", str(holder.pid)]

    def command(self, *words: str) -> list[str]:
        """The words of a command that sees the disk."""
        return [*self._join, f"--wd={Path.cwd()}", "--", *words]

    def fill(self) -> None:
        """Leave no page of it free."""
        with (self.seen / "filler").open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while file.write(bytes(size)):
                        pass
                except OSError:
                    continue

    def make_room(self) -> None:
        """Take away what it was filled with."""
        (self.seen / "filler").unlink()

    def make_read_only(self) -> None:
        """Let nobody open a file on it to write from now on."""
        data = str(self.mount / "data")
        for words in (["--bind", data, data], ["-o", "remount,bind,ro", data]):
            subprocess.run(self.command("mount", *words), check=True)


class ServedFromSmallDisk(Served):
    """A server whose data folder is on a small disk, unless another one is given."""

    def __init__(
        self, disk: SmallDisk, log: Path, data: Path | None = None, **environment: str
    ) -> None:
        super().__init__(data or disk.mount / "data", log, **environment)
        self.disk = disk

    def begin(self) -> tuple[Process, str]:
        """A starting server that sees the disk, and its address."""
        port = free_port()
        words = self.disk.command(sys.executable, "-m", "app.cli", "serve", "--port", str(port))
        environment = {
            **os.environ,
            "CONVSCOPE_DATA_DIR": str(self.data),
            **self.environment,
        }
        with self.log.open("ab") as output:
            process = subprocess.Popen(words, env=environment, stdout=output, stderr=output)
        return process, f"http://127.0.0.1:{port}"


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """A small disk in an empty folder. Skips the test where none can be had."""
    mount, said = folder / "disk", ""
    mount.mkdir()
    for way, join in _WAYS if sys.platform == "linux" else ():
        holder = subprocess.Popen(
            [*way, "sh", "-c", _MOUNT, str(mount), str(MEGABYTES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert holder.stdout is not None
        said = holder.stdout.readline()
        try:
            if said == "mounted\n":
                yield SmallDisk(mount, holder, join)
                return
        finally:
            holder.communicate()
    pytest.skip(f"No small disk can be mounted here: {said.strip() or 'this is not Linux'}")
