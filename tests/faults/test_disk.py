"""A disk without room, and one that can't be written: what needs none goes on, the rest is refused
in words, and nothing that was kept is lost."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.faults.makings import Kept, noise, predict, zip_of_classes
from tests.faults.serving import Served, check_files, problem, running, until
from tests.faults.small_disk import ServedFromSmallDisk, SmallDisk, small_disk

PAGES = ("/", "/runs", "/sweeps", "/models", "/augment", "/docs")
PLAN = {
    "recipe": {"network": "simple-cnn", "dataset": "optdigits", "epochs": 1},
    "search": "grid",
    "fields": {"seed": [1, 2]},
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path) as found:
        yield found


@pytest.fixture
def server(disk: SmallDisk, tmp_path: Path) -> Iterator[ServedFromSmallDisk]:
    with running(ServedFromSmallDisk(disk, tmp_path / "log.txt")) as server:
        yield server
        assert "Traceback" not in server.words()


def test_a_full_disk_refuses_what_needs_room_and_loses_nothing(
    server: ServedFromSmallDisk, tmp_path: Path
) -> None:
    kept, random, disk = Kept(), Random(3), server.disk
    keep_one_of_each(server, kept, random)
    run = server.launch(epochs=1000)
    server.wait_for_epoch(run, 2)
    disk.fill()
    ended = server.wait(run, "failed")
    assert "Make room there" in ended["error"]
    check_that_reading_goes_on(server, kept, run)
    taken = check_that_writing_is_refused(server, kept, random)
    disk.make_room()
    # How the run has ended is written down within five seconds.
    until(lambda: server.api.patch(f"/api/v1/runs/{run}?name=again").is_success)
    keep_one_of_each(server, kept, random)
    server.answer("POST", f"/api/v1/runs/{run}/resume")
    server.wait_for_epoch(run, ended["epoch"] + 1)
    server.answer("POST", f"/api/v1/runs/{run}/cancel")
    assert {one["id"] for one in server.answer("GET", "/api/v1/runs")} >= taken
    kept.check(server.api, random)
    server.stop()
    check_copy(disk, tmp_path)


def test_a_server_that_dies_on_a_full_disk_starts_again_when_there_is_room(
    server: ServedFromSmallDisk, tmp_path: Path
) -> None:
    kept, random, disk = Kept(), Random(4), server.disk
    keep_one_of_each(server, kept, random)
    run = server.launch(epochs=1000)
    server.wait_for_epoch(run, 2)
    disk.fill()
    server.kill()
    said = (tmp_path / "log.txt").stat().st_size
    process = server.process = server.begin()[0]
    until(lambda: process.poll() is not None or "startup complete" in server.words()[said:])
    if process.poll() is None:  # It has found room enough to read.
        process.kill()
        process.wait()
    else:
        assert server.words()[said:].startswith("convscope: ")
        assert "Make room there" in server.words()[said:]
    check_the_command_line(server)
    disk.make_room()
    server.start()
    found = server.run(run)
    assert found["state"] == "interrupted"
    assert found["epoch"] >= 2
    kept.check(server.api, random)
    keep_one_of_each(server, kept, random)
    server.stop()
    check_copy(disk, tmp_path)


def test_a_folder_that_becomes_read_only_is_read_and_a_server_that_finds_one_says_so(
    server: ServedFromSmallDisk, tmp_path: Path
) -> None:
    kept, random, disk = Kept(), Random(5), server.disk
    keep_one_of_each(server, kept, random)
    run = server.launch(epochs=1)
    server.wait(run, "finished")
    disk.make_read_only()
    check_that_reading_goes_on(server, kept, run)
    check_that_writing_is_refused(server, kept, random)
    server.stop()
    said = (tmp_path / "log.txt").stat().st_size
    process = server.process = server.begin()[0]
    assert process.wait(60) == 1
    words = server.words()[said:]
    assert words.startswith("convscope: Runs can't be kept in ")
    assert "let the server write to it" in words
    assert words.count("\n") == 1


def test_uploads_need_no_temporary_folder(disk: SmallDisk, tmp_path: Path) -> None:
    """Those that others would write there: of more than a megabyte."""
    random, folder = Random(6), str(disk.mount)
    server = ServedFromSmallDisk(disk, tmp_path / "log.txt", tmp_path / "data", TMPDIR=folder)
    with running(server):
        upload_much(server, random)  # Who is to find the folder finds it while there is room.
        disk.fill()
        upload_much(server, random)
        assert "Traceback" not in server.words()


def upload_much(server: Served, random: Random) -> None:
    picture, name = noise(random, 1200), f"set-{random.randrange(10**9)}"
    archive = zip_of_classes(random, side=450)
    assert min(len(picture), len(archive)) > 1024 * 1024
    for path in ("images", "predict?model=cifar"):
        answer = server.api.post(f"/api/v1/{path}", files={"image": ("a.png", picture)})
        assert answer.is_success, answer.text
    files, fields = {"file": ("a.zip", archive)}, {"name": name}
    answer = server.api.post("/api/v1/datasets", files=files, data=fields)
    assert answer.status_code == 201, answer.text


def check_copy(disk: SmallDisk, folder: Path) -> None:
    """SQLite opens no file by a path of another process."""
    shutil.copytree(disk.seen / "data", folder / "copy")
    check_files(folder / "copy")


def keep_one_of_each(server: Served, kept: Kept, random: Random) -> None:
    for add in (kept.add_image, kept.add_dataset, kept.add_model):
        answer = add(server.api, random)
        assert answer.is_success, answer.text


def check_that_reading_goes_on(server: Served, kept: Kept, run: str) -> None:
    kept.check(server.api, Random(6))
    for page in (*PAGES, f"/runs/{run}", f"/models/{min(kept.models)}"):
        assert server.api.get(page).status_code == 200, page
    events = server.api.get(f"/api/v1/runs/{run}/events")  # It ends as the run has.
    assert events.status_code == 200
    assert predict(server.api, f"{run}@1")


def check_that_writing_is_refused(server: Served, kept: Kept, random: Random) -> set[str]:
    """What needs a file is refused; for a few words there may be room in the database, and then
    they must stay. Returns the runs that were taken."""
    api, model = server.api, min(kept.models)
    edited = f"/api/v1/models/{min(kept.edited)}/keep"
    for answer in (
        kept.add_image(api, random),
        kept.add_dataset(api, random),
        kept.add_edited(api, random),
        api.post(edited, json={"name": "one-more"}),
        api.put(f"/api/v1/models/{model}/default"),
    ):
        said = problem(answer, 507)
        assert "Make room" in said
        assert "CONVSCOPE_DATA_DIR" in said or "another folder" in said
    small = {"network": "simple-cnn", "dataset": "optdigits", "epochs": 1}
    run = api.post("/api/v1/runs", json=small)
    sweep = api.post("/api/v1/sweeps", json=PLAN)
    for answer in (run, sweep):
        if not answer.is_success:
            assert "Make room there" in problem(answer, 507)
    runs = {run.json()["id"]} if run.is_success else set()
    return runs | {one["id"] for one in sweep.json().get("runs", [])}


def check_the_command_line(server: ServedFromSmallDisk) -> None:
    """A training without a server ends in a sentence, too."""
    train = ["train", "--network", "simple-cnn", "--dataset", "optdigits", "--epochs", "2"]
    ended = subprocess.run(
        server.disk.command(sys.executable, "-m", "app.cli", *train),
        env={**os.environ, "CONVSCOPE_DATA_DIR": str(server.data)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert ended.stderr.startswith("convscope: What was trained up to epoch 1 can't be kept in ")
    assert "Make room there" in ended.stderr
    assert ended.stderr.count("\n") == 1
