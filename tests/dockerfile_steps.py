"""Runs the Dockerfile's very steps where there is no container engine, then its server.

    python tests/dockerfile_steps.py BASE FOLDER [ARGUMENT=VALUE ...]

BASE is the root folder of a small system with Python, in place of the image that the Dockerfile
starts from; ``docs/set-up.md`` says how to make one. Each stage becomes a copy of it in FOLDER, and
each step runs there by chroot, as the step's own user, on what HEAD has committed. The server then
runs in a network of its own with no way out: it has to become healthy, and to stop in time while a
client is still talking to it. Needs Linux, root and git; no part of the test suite.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

GRACE_SECONDS = 10  # an engine waits as long after the stop signal before it kills
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
# How this machine reaches its package indexes is no part of an image.
OF_THIS_MACHINE = re.compile("PIP_|npm_config_|NODE_EXTRA_CA_CERTS")
ENTER = 'mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"; exec chroot "$@"'
ALONE = ["unshare", "--net", "sh", "-ec", 'ip link set lo up; exec "$@"', "sh"]
# A request whose body never ends: what keeps a server from stopping.
HANG = """
import socket
client = socket.create_connection(("127.0.0.1", 8000))
client.send(b"POST /api/v1/predict HTTP/1.1\\r\\nhost: localhost\\r\\n")
client.send(b"content-type: application/json\\r\\ncontent-length: 9\\r\\n\\r\\n")
client.recv(1)
"""


@dataclass
class Stage:
    """A stage of the build: its root folder, and what the steps so far have set."""

    root: Path
    variables: dict[str, str] = field(default_factory=lambda: {"PATH": SYSTEM_PATH})
    folder: str = "/"
    user: str = "root"
    health: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    stop: str = "SIGTERM"

    def inside(self, command: list[str]) -> list[str]:
        """The command line that runs ``command`` in this stage, as its user."""
        outside = {k: v for k, v in os.environ.items() if OF_THIS_MACHINE.match(k)}
        variables = [f"{k}={v}" for k, v in (outside | self.variables).items()]
        enter = ["unshare", "--mount", "sh", "-ec", ENTER, str(self.root)]
        here = ["env", "-i", *variables, "sh", "-ec", 'cd "$0"; exec "$@"', self.folder]
        return [*enter, f"--userspec={self.user}", str(self.root), *here, *command]


def read_steps(dockerfile: str) -> Iterator[tuple[str, str]]:
    """Each instruction with its argument: comments left out, continued lines joined."""
    text = re.sub(r"(?m)^\s*#.*\n", "", dockerfile)
    for step in re.sub(r"\\\n\s*", "", text).splitlines():
        if step:
            instruction, argument = step.split(maxsplit=1)
            yield instruction, argument


def build(steps: Iterable[tuple[str, str]], folder: Path, stages: dict[str, Stage]) -> Stage:
    """Run all steps. ``stages`` are those known by name; the last stage is the image."""
    stage = Stage(folder)
    for number, (instruction, argument) in enumerate(steps):
        print(f"{instruction} {argument}", flush=True)
        words = shlex.split(argument)
        if instruction == "FROM":
            origin = stages[words[0]]
            stage = replace(origin, root=folder / f"stage{number}", variables={**origin.variables})
            subprocess.run(["cp", "--archive", origin.root, stage.root], check=True)
            stages[words[-1]] = stage
        elif instruction == "COPY":
            named = words[0].startswith("--from=")
            origin = stages[words.pop(0).removeprefix("--from=") if named else "context"]
            copy(origin.root, words[:-1], stage.root / stage.folder.lstrip("/") / words[-1])
        elif instruction == "RUN":
            run = stage.inside(["sh", "-c", argument])
            subprocess.run(run, check=True, stdin=subprocess.DEVNULL)
        else:
            note(stage, instruction, argument)
    return stage


def copy(origin: Path, names: list[str], target: Path) -> None:
    """COPY: the content of a folder, or files, into a folder that is made for them."""
    target.mkdir(parents=True, exist_ok=True)
    for source in (origin / name.lstrip("/") for name in names):
        what = f"{source}/." if source.is_dir() else str(source)
        subprocess.run(["cp", "-R", what, str(target)], check=True)


def note(stage: Stage, instruction: str, argument: str) -> None:
    """Keep what an instruction sets for the steps after it, or for the server."""
    if instruction in ("ARG", "ENV"):
        for pair in shlex.split(argument):
            name, value = pair.split("=", 1)
            stage.variables[name] = value.replace("$PATH", SYSTEM_PATH)
    elif instruction == "WORKDIR":
        stage.folder = argument
        (stage.root / argument.lstrip("/")).mkdir(parents=True, exist_ok=True)
    elif instruction == "USER":
        stage.user = argument
    elif instruction == "STOPSIGNAL":
        stage.stop = argument
    elif instruction == "HEALTHCHECK":
        stage.health = json.loads(argument.partition("CMD ")[2])
    elif instruction == "CMD":
        stage.command = json.loads(argument)


def serve(image: Stage) -> None:
    """Start the image's server, wait until it is healthy, stop it in the middle of a request."""
    with subprocess.Popen([*ALONE, *image.inside(image.command)]) as server:
        join = ["nsenter", "--net", "--target", str(server.pid)]
        started = time.monotonic()
        while subprocess.run([*join, *image.inside(image.health)], stderr=-3).returncode:
            if server.poll() is not None or time.monotonic() > started + 60:
                server.kill()
                sys.exit("The server did not become healthy.")
        print(f"Healthy after {time.monotonic() - started:.1f} s", flush=True)
        with subprocess.Popen([*join, *image.inside(["python", "-c", HANG])]):
            time.sleep(2)
            stopped = time.monotonic()
            server.send_signal(signal.Signals[image.stop])
            try:
                server.wait(GRACE_SECONDS)
            finally:
                server.kill()
        print(f"Stopped after {time.monotonic() - stopped:.1f} s, status {server.returncode}")


def main(base: str, folder: str, *arguments: str) -> None:
    """Build in ``folder`` on ``base``, with the build arguments that are given, and serve."""
    stages = {"python:3.11-slim": Stage(Path(base)), "context": Stage(Path(folder) / "context")}
    stages["context"].root.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", "HEAD"], check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", stages["context"].root], input=archive, check=True)
    dockerfile = (stages["context"].root / "Dockerfile").read_text()
    for argument in arguments:
        name, value = argument.split("=")
        dockerfile = re.sub(f"(?m)^ARG {name}=.*", f"ARG {name}={value}", dockerfile)
    serve(build(read_steps(dockerfile), Path(folder), stages))


if __name__ == "__main__":
    main(*sys.argv[1:])
