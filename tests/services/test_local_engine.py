"""How the process of a training ends, and what is said of one that ended by itself."""

from pathlib import Path

import pytest

from app.core.dataset_files import DatasetFolders
from app.core.event_log import Record
from app.core.recipes import Recipe
from app.services import training_process, training_reports
from app.services.local_engine import LocalEngine, LocalRun
from app.services.training_process import Order
from app.services.training_reports import Gate, report

RECIPE = Recipe(network="simple-cnn", dataset="optdigits", epochs=1, batch_size=32)


@pytest.fixture
def folders(tmp_path: Path) -> DatasetFolders:
    return DatasetFolders(tmp_path, tmp_path)


def test_a_training_that_has_finished_ends_in_order(folders: DatasetFolders) -> None:
    run = LocalEngine(folders, threads=1).launch(RECIPE)
    assert isinstance(run, LocalRun)
    assert [record.kind for record in run.events()][-1] == "finished"
    assert run._process.returncode == 0


def broken(order: Order, program: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is said of a training whose process does no more than ``program``."""
    monkeypatch.setattr(
        "app.services.local_engine.COMMAND",
        ("-c", f"import sys; sys.stdin.buffer.read(12); {program}"),
    )
    (record,) = LocalRun(order).events()
    assert record.kind == "failed"
    error: str = record.facts["error"]
    return error


def test_the_last_words_of_a_process_are_passed_on(
    folders: DatasetFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = broken(Order(RECIPE, folders, 1), "raise KeyError('threads')", monkeypatch)
    assert said == "The training's process ended unexpectedly (exit status 1): KeyError: 'threads'"


@pytest.mark.parametrize(
    "program", ["raise MemoryError", "print('std::bad_alloc', file=sys.stderr); sys.exit(3)"]
)
def test_a_process_that_had_no_memory_to_say_so(
    program: str, folders: DatasetFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = broken(Order(RECIPE, folders, 1), program, monkeypatch)
    assert said.startswith("Memory ran out while simple-cnn was trained with batches of 32.")


def test_memory_that_runs_out_where_weights_become_bytes_is_said(
    folders: DatasetFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(event: object) -> Record:
        raise MemoryError

    monkeypatch.setattr(training_reports, "record_of", no_memory)
    monkeypatch.setattr("os.nice", lambda by: 0)
    (record,) = report(RECIPE, folders, 1, None, Gate())
    assert record.kind == "failed"
    assert record.facts["error"].startswith("Memory ran out while simple-cnn was trained")


def test_a_fault_of_the_process_is_told_and_is_its_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fault() -> None:
        raise LookupError("nothing here")

    codes: list[int] = []
    monkeypatch.setattr(training_process, "_train", fault)
    monkeypatch.setattr("os._exit", codes.append)
    training_process.main()
    assert codes == [1]
    assert capsys.readouterr().err.splitlines()[-1] == "LookupError: nothing here"
