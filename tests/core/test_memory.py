"""The memory of a training: counted by hand, measured in a process, and the machine's own."""

import os
import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app.core import training
from app.core.dataset_files import DatasetFolders
from app.core.memory import _container_limits, device_memory, memory_need, saved_bytes
from app.core.recipes import BadRecipe, Recipe
from app.core.training import check_recipe
from models.registry import blank_card, list_networks

RECIPE = Recipe("lenet5", "optdigits")
NOWHERE = DatasetFolders(Path("/nonexistent"), Path("/nonexistent"))
GIB = 2**30


def test_what_a_pass_keeps_is_what_a_hand_counts() -> None:
    # convnet-revisited pools before it rectifies. Kept are each layer's input, of a pool where its
    # largest numbers were (int64) as well, of a ReLU its output, which is the next one's input.
    floats = 28 * 28  # conv1 looks at the picture
    floats += 16 * 28 * 28 + 2 * 16 * 14 * 14 + 16 * 14 * 14  # pool1, places of it, relu1
    floats += 32 * 14 * 14 + 2 * 32 * 7 * 7 + 32 * 7 * 7  # pool2, places of it, relu2
    floats += 10 + 1  # the loss looks at log-probabilities, its label and the weight of all
    assert abs(saved_bytes("convnet-revisited") - 4 * floats) <= 4 * 4


@pytest.mark.parametrize(
    ("optimizer", "copies"), [("sgd", 4), ("adam", 5), ("adamw", 5), ("muon", 4)]
)
def test_each_parameter_is_there_several_times(optimizer: str, copies: int) -> None:
    need = memory_need(replace(RECIPE, optimizer=optimizer), 1000, 10)
    assert need.fixed == 4 * copies * blank_card("lenet5").parameters + 1000
    assert need.of_batch(7) == need.fixed + 7 * need.per_image
    assert need.largest_batch(need.of_batch(7)) == 7
    assert need.largest_batch(need.of_batch(7) - 1) == 6
    assert need.largest_batch(5) == 0


def test_every_network_can_be_estimated() -> None:
    small = [name for name in list_networks() if blank_card(name).parameters < 10**7]
    assert len(small) > 8
    for name in small:
        assert memory_need(replace(RECIPE, network=name), 0, 10).per_image > 1000


ALLOCATE = """
import sys, torch
from pathlib import Path
from app.core.memory import keep_freed_memory
if "keep" in sys.argv:
    keep_freed_memory()
first = torch.ones(5_000_000)
place = first.data_ptr()
del first
words = Path("/proc/self/maps").read_text().splitlines()
ranges = [[int(end, 16) for end in line.split()[0].split("-")] for line in words]
print(any(start <= place < end for start, end in ranges))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left alone")
def test_what_a_batch_freed_stays_with_the_process() -> None:
    assert tell(ALLOCATE) == "False"  # The system has it back.
    assert tell(ALLOCATE, "keep") == "True"


# Linux's ru_maxrss begins with the most that the parent has had; VmHWM is the process's own.
MEASURE = """
import resource, sys, torch
from pathlib import Path
from app.core.dataset_files import DatasetFolders
from app.core.recipes import Recipe
from app.core.training import train
torch.set_num_threads(1)
nowhere = DatasetFolders(Path("/nonexistent"), Path("/nonexistent"))
for batch in (2, 400):
    recipe = Recipe("lesson-06", "optdigits", epochs=1, batch_size=batch)
    events = train(recipe, nowhere, early=())
    for _ in range(6):
        next(events)
    events.close()
    status = Path("/proc/self/status")
    if status.exists():
        print(next(1024 * int(line.split()[1]) for line in open(status) if "VmHWM" in line))
    else:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def tell(script: str, *arguments: str) -> str:
    """What a script prints in a process of its own."""
    words = [sys.executable, "-c", script, *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def test_a_training_takes_no_less_than_the_estimate() -> None:
    small, large = (int(line) for line in tell(MEASURE).split())
    need = memory_need(replace(RECIPE, network="lesson-06"), 0, 10)
    taken, estimated = large - small, need.of_batch(400) - need.of_batch(2)
    assert estimated > GIB / 4
    assert estimated <= taken <= 8 * estimated


def test_a_recipe_that_does_not_fit_is_refused_by_its_field(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = replace(RECIPE, batch_size=1000)
    need = memory_need(recipe, 1437 * 28 * 28, 10)
    monkeypatch.setattr(training, "device_memory", lambda device: need.of_batch(600))
    with pytest.raises(BadRecipe, match=r"needs at least .* GB.*Choose 600 or fewer") as refusal:
        check_recipe(recipe, NOWHERE)
    assert list(refusal.value.faults) == ["batch_size"]
    check_recipe(replace(recipe, batch_size=600), NOWHERE)
    monkeypatch.setattr(training, "device_memory", lambda device: need.fixed)
    with pytest.raises(BadRecipe, match="Choose a smaller network") as refusal:
        check_recipe(recipe, NOWHERE)
    assert list(refusal.value.faults) == ["network"]


def test_a_container_has_no_more_than_its_limit(tmp_path: Path) -> None:
    groups, mount = tmp_path / "cgroup", tmp_path / "sys"
    groups.write_text("4:memory:/docker/abc\n3:cpuset:/\n0::/user/1\n")
    for path, limit in (
        ("memory/docker/abc/memory.limit_in_bytes", "9223372036854771712\n"),
        ("memory/memory.limit_in_bytes", "4000\n"),
        ("user/1/memory.max", "max\n"),
        ("user/memory.max", "3000\n"),
        ("cpuset/memory.limit_in_bytes", "1\n"),
    ):
        (mount / path).parent.mkdir(parents=True, exist_ok=True)
        (mount / path).write_text(limit)
    assert sorted(_container_limits(groups, mount)) == [3000, 4000, 9223372036854771712]
    assert list(_container_limits(tmp_path / "none", mount)) == []
    assert 0 < device_memory("cpu") <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
