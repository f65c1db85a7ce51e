"""In which numbers, and in which order of memory, a network trains fastest on this machine.

It is timed once for each machine and network and remembered from then on, so that the same recipe
gives the same weights again: two ways that are about as fast differ in the last digits.
"""

import copy
import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.core.devices import processor_name
from app.core.whole_files import write_atomically

# bfloat16 gains with the batch, so that it is timed with as many images as there will be, up to
# MOST_IMAGES; of large ones no more than FEW_IMAGES, unless they have fewer NUMBERS together.
FEW_IMAGES, MOST_IMAGES, NUMBERS = 32, 128, 128 * 3 * 32 * 32
ROUNDS = 5
CLEARLY_FASTER = 1.2
HOPELESS = 3


@dataclass(frozen=True)
class Tuning:
    """The names of a dtype and of a memory format of torch's; bfloat16 is meant for autocast."""

    precision: str = "float32"
    layout: str = "channels_last"

    @property
    def memory_format(self) -> torch.memory_format:
        """The order in which images and filters lie in memory."""
        found: torch.memory_format = getattr(torch, self.layout)
        return found

    def logits(self, network: nn.Module, inputs: Tensor) -> Tensor:
        """What a network of this layout makes of ``inputs``, as float32 in any case."""
        inputs = inputs.contiguous(memory_format=self.memory_format)
        with self.autocast(inputs.device):
            logits: Tensor = network(inputs)
        return logits.float()

    def autocast(self, device: torch.device) -> torch.autocast:
        """Within it, convolutions and products of matrices have this precision."""
        dtype, half = getattr(torch, self.precision), self.precision != "float32"
        return torch.autocast(device.type, dtype=dtype, enabled=half)


DEFAULT = Tuning()
_LAYOUTS = ("channels_last", "contiguous_format")
CANDIDATES = [Tuning(*pair) for pair in product(("float32", "bfloat16"), _LAYOUTS)]


def images_to_time(batch_size: int, input_shape: tuple[int, int, int]) -> int:
    """How many images of a shape (channels, height, width) each candidate is timed with."""
    return min(batch_size, MOST_IMAGES, max(FEW_IMAGES, NUMBERS // math.prod(input_shape)))


def find_tuning(
    name: str, network: nn.Module, inputs: Tensor, labels: Tensor, folder: Path
) -> Tuning:
    """The fastest tuning of a network called ``name``: the remembered one, else it is timed.

    ``inputs`` are as many images as ``images_to_time`` says. ``folder`` remembers, if it is there
    and can be written. Remove its files called ``.tuning-*`` to have everything timed again. The
    network, and torch's random state, stay as they are.
    """
    device = str(inputs.device)
    if inputs.is_cuda:
        device = torch.cuda.get_device_name(inputs.device)
    case = [processor_name(), device, torch.__version__, name, *inputs.shape]
    digest = hashlib.sha256(json.dumps(case).encode()).hexdigest()[:16]
    path = folder / f".tuning-{digest}.json"
    if remembered := _read(path):
        return remembered
    tuning = choose_tuning(network, inputs, labels)
    if os.access(folder, os.W_OK):
        with suppress(OSError):  # A full disk remembers nothing.
            write_atomically(path, json.dumps(asdict(tuning)).encode())
    return tuning


def _read(path: Path) -> Tuning | None:
    """What a file remembers; None where there is none, or a damaged one."""
    with suppress(OSError, ValueError, TypeError):
        tuning = Tuning(**json.loads(path.read_text()))
        return tuning if tuning in CANDIDATES else None
    return None


def remembered_tunings(folder: Path) -> dict[str, str]:
    """What ``folder`` remembers, for another folder: file names and their texts."""
    return {path.name: path.read_text() for path in folder.glob(".tuning-*.json")}


def remember_tunings(folder: Path, tunings: Mapping[str, str]) -> None:
    """Have ``folder`` remember what another one did, unless it has its own or can't be written."""
    if not os.access(folder, os.W_OK):
        return
    for name, text in tunings.items():
        if not (folder / name).is_file():
            write_atomically(folder / name, text.encode())


def choose_tuning(network: nn.Module, inputs: Tensor, labels: Tensor) -> Tuning:
    """Time a few steps of each candidate in turn; anything but the default must be clearly faster.

    ``inputs`` (n, channels, height, width) are on the network's device, ``labels`` are (n,).
    """
    with _one_thread(), torch.random.fork_rng(devices=[inputs.device] if inputs.is_cuda else []):
        steps = {
            tuning: partial(_time_step, _copy(network, tuning), inputs, labels, tuning)
            for tuning in CANDIDATES
        }
        seconds = _fewest_seconds(steps)
    fastest = min(seconds, key=lambda tuning: seconds[tuning])
    return fastest if seconds[DEFAULT] > CLEARLY_FASTER * seconds[fastest] else DEFAULT


def _fewest_seconds(steps: Mapping[Tuning, Callable[[], float]]) -> dict[Tuning, float]:
    """The shortest time of each; who is hopelessly behind, such as bfloat16 on a processor that
    must emulate it, isn't asked again."""
    seconds = {tuning: step() for tuning, step in steps.items()}
    for _ in range(ROUNDS):
        best = min(seconds.values())
        for tuning in [one for one in seconds if seconds[one] <= HOPELESS * best]:
            seconds[tuning] = min(seconds[tuning], steps[tuning]())
    return seconds


def _copy(network: nn.Module, tuning: Tuning) -> nn.Module:
    moved: nn.Module = copy.deepcopy(network).to(memory_format=tuning.memory_format)  # type: ignore[call-overload]
    return moved.train()


def _time_step(network: nn.Module, inputs: Tensor, labels: Tensor, tuning: Tuning) -> float:
    # The time that the processor spent on this thread: other programs' work doesn't count.
    clock = time.perf_counter if inputs.is_cuda or inputs.is_mps else time.thread_time
    start = clock()
    loss = functional.cross_entropy(tuning.logits(network, inputs), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    loss.item()  # waits for a GPU to finish
    return clock() - start


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
