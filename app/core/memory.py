"""How much memory a training needs at least, and how much there is."""

import ctypes
import errno
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor
from torch.nn import functional

from app.core.devices import choose_device
from app.core.errors import ConvScopeError
from app.core.recipes import Recipe
from app.core.reordering import pool_first
from models.registry import blank_card, count_parameters, create_hollow_network

FLOAT_BYTES = 4
# Of each parameter an optimizer remembers these: SGD its momentum, Adam the mean and the mean
# square of its gradients (Kingma and Ba, "Adam", 2015), Muon of filters the mean alone.
OPTIMIZER_COPIES = {"sgd": 1, "adam": 2, "adamw": 2, "muon": 1}
# Batch norm wants two.
IMAGES = 2
# glibc's numbers for these (malloc.h), and the highest threshold that it takes.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
HIGHEST_THRESHOLD = 32 * 2**20


class OutOfMemory(ConvScopeError):
    """There was no memory left; the message says what to do."""


@contextmanager
def out_of_memory_said(recipe: Recipe) -> Iterator[None]:
    """Raise OutOfMemory for any of the ways in which a training learns that no memory is left."""
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if not _is_out_of_memory(error):
            raise
        raise out_of_memory(recipe) from error


def out_of_memory(recipe: Recipe) -> OutOfMemory:
    """What is said of a training that there was no memory for."""
    return OutOfMemory(
        f"Memory ran out while {recipe.network} was trained with batches of "
        f"{recipe.batch_size}. Start again with a smaller batch_size or a smaller network, or "
        "end other programs first."
    )


def tells_of_memory(words: str) -> bool:
    """Whether an error's last words are those of Python, torch or C++ without memory."""
    return any(said in words for said in ("MemoryError", "allocate memory", "bad_alloc"))


def _is_out_of_memory(error: Exception) -> bool:
    # On a processor torch raises a plain RuntimeError.
    return (
        isinstance(error, (MemoryError, torch.OutOfMemoryError))
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or tells_of_memory(str(error))
    )


@dataclass(frozen=True)
class MemoryNeed:
    """What must be in memory at once, in bytes: whatever the batch, and for each of its images."""

    fixed: int
    per_image: int

    def of_batch(self, images: int) -> int:
        """The bytes of a training with so many images in a batch."""
        return self.fixed + images * self.per_image

    def largest_batch(self, memory: int) -> int:
        """How many images a batch may have in so many bytes; 0 where even one doesn't fit."""
        return max(0, (memory - self.fixed) // self.per_image)


def memory_need(recipe: Recipe, image_bytes: int, classes: int) -> MemoryNeed:
    """The least that a recipe needs, beside ``image_bytes`` of training images, to tell so many
    classes.

    Of each parameter there are the weight, its gradient, its average and what the optimizer
    remembers; of each image what the backward pass looks at again. The latter is halved, since
    bfloat16 may turn out to be the faster. Buffers that come and go aren't counted.
    """
    parameters = count_parameters(recipe.network, classes)
    copies = 3 + OPTIMIZER_COPIES[recipe.optimizer]
    fixed = parameters * FLOAT_BYTES * copies + image_bytes
    return MemoryNeed(fixed, saved_bytes(recipe.network) // 2)


@cache
def saved_bytes(network: str) -> int:
    """The float32 bytes that the forward pass keeps for the backward pass, per image.

    They are counted as torch keeps them, in a pass of two images. The weights are wherever the
    system finds them, mostly untouched pages, as their values don't matter.
    """
    hollow = pool_first(create_hollow_network(network).to_empty(device="cpu").train())
    own = {tensor.data_ptr() for tensor in (*hollow.parameters(), *hollow.buffers())}
    saved: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in own:
            saved[tensor.data_ptr()] = tensor
        return tensor

    watching = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with torch.random.fork_rng(devices=[]), torch.enable_grad(), watching:
        logits = hollow(torch.zeros(IMAGES, *blank_card(network).input_shape))
        functional.cross_entropy(logits, torch.zeros(IMAGES, dtype=torch.long))
    return sum(tensor.nbytes for tensor in saved.values()) // IMAGES


def keep_freed_memory() -> None:
    """Let this process keep what a batch frees for the next batch, where the C library is glibc.

    glibc gives large blocks back to the system at once, which clears every page of them before it
    lends them again. A process that trains asks for the same blocks with each batch.
    """
    if platform.libc_ver()[0] == "glibc":
        glibc = ctypes.CDLL(None)
        glibc.mallopt(M_MMAP_THRESHOLD, HIGHEST_THRESHOLD)
        glibc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def device_memory(device: str) -> int:
    """The bytes of memory that a device has; of the processor's no more than the container's."""
    found = choose_device(device)
    if found.type == "cuda":
        return int(torch.cuda.get_device_properties(found).total_memory)
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *_container_limits(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))])


def _container_limits(groups: Path, mount: Path) -> Iterator[int]:
    """The limits of this process's control groups and of those above them, where there are any.

    A line is ``number:controllers:path``; version 2 has no controllers and calls the file
    memory.max, version 1 has memory.limit_in_bytes in a folder of its own (Linux,
    Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst).
    """
    for line in groups.read_text().splitlines() if groups.is_file() else []:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        folder = mount / controllers
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        group = PurePosixPath(path.lstrip("/"))
        # A container sees its own group as the topmost one, whatever its path is called.
        for place in (group, *group.parents):
            yield from _limit(folder / place / name)


def _limit(file: Path) -> Iterator[int]:
    words = file.read_text().strip() if file.is_file() else ""
    if words.isdigit():  # and not "max"
        yield int(words)
