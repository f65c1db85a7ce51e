"""A tiny run of the benchmarks, as a process: that they work, never how fast."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from app.benchmarks.beside_training import FORMS_BESIDE, BesideTraining
from app.benchmarks.http_load import Answer, Load, percentile
from app.benchmarks.lesson_loop import Loop, run_epoch
from app.benchmarks.lessons import lessons_table
from app.benchmarks.predicting import CLIENTS, FORMS
from app.benchmarks.strokes import make_strokes
from app.benchmarks.tables import NoPlace, beside_table, write_between
from app.benchmarks.training import Comparison, Epoch
from app.benchmarks.training_tables import epochs_table
from app.commands.bench import DOCUMENTS
from app.core.dataset_sources import read_optdigits
from models.registry import create_network

ROOT = Path(__file__).parent.parent
PROSE = "# Before\n\n<!-- {name} -->\nold\n<!-- end of {name} -->\n\nAfter.\n"

Rows = list[list[str]]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a quick run has written into a document."""
    path = tmp_path_factory.mktemp("docs") / "benchmarks.md"
    path.write_text(PROSE.format(name="convscope bench serve"))
    words = ["bench", "--quick", "--write", str(path)]
    command = [sys.executable, "-W", "error", "-m", "app.cli", *words]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() in path.read_text()
    return path


def section(document: Path, title: str) -> str:
    return document.read_text().partition(f"### {title}\n")[2].partition("###")[0]


def read_table(document: Path, title: str) -> Rows:
    """The rows of a section's table, cell by cell, without its heading."""
    lines = [line for line in section(document, title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_prose_around_the_tables_stays(document: Path) -> None:
    text = document.read_text()
    assert text.startswith("# Before\n")
    assert text.endswith("\nAfter.\n")
    assert "old" not in text


def test_the_machine_is_described(document: Path) -> None:
    facts = dict(read_table(document, "Machine"))
    named = {"Command", "Date", "Processor", "Memory", "System", "Python", "PyTorch", "Browser"}
    assert named <= facts.keys()
    assert all(facts.values())
    assert facts["Command"].startswith("`convscope bench --quick")


def test_every_form_is_sent_by_one_client_and_by_sixteen(document: Path) -> None:
    rows = read_table(document, "Predictions over HTTP")
    assert [row[:2] for row in rows] == [
        [form, str(clients)] for form in FORMS for clients in CLIENTS
    ]
    assert all(re.search(r"\d", cell) for row in rows for cell in row)


def test_the_server_tells_where_its_time_goes(document: Path) -> None:
    rows = read_table(document, "Where the time of one request goes")
    assert [row[0] for row in rows] == list(FORMS)
    assert all(re.search(r"\d", cell) for row in rows for cell in row)


def test_strokes_are_drawn_in_a_browser(document: Path) -> None:
    (row,) = read_table(document, "From the end of a stroke to all maps painted")
    assert row[0] == "3"
    assert all(re.match(r"\d", cell) for cell in row)


def test_predictions_are_measured_without_a_run_and_beside_one(document: Path) -> None:
    rows = read_table(document, "While a run trains")
    assert [row[:2] for row in rows] == [
        [form, runs] for form in FORMS_BESIDE for runs in ("none", "one")
    ]
    assert all(re.match(r"\d+\.\d+ ms", cell) for row in rows for cell in row[2:5])
    assert [bool(re.match(r"[+-]\d+\.\d\d ms, [+-]\d+%$", row[5])) for row in rows] == [0, 1, 0, 1]


def test_what_a_run_moves_is_the_difference_of_the_percentiles() -> None:
    alone, beside = (
        Load(1, 1.0, [Answer(ms * factor, b"") for ms in range(1, 101)], 0.1) for factor in (1, 1.5)
    )
    table = beside_table([BesideTraining("pixels", alone, beside)])
    _, _, first, second = ([c.strip() for c in line.split("|")] for line in table.splitlines())
    assert first[1:-1] == ["pixels", "none", "50.0 ms", "95.0 ms", "99.0 ms", "", ""]
    moved = "+47.50 ms, +50%"
    assert second[1:-1] == ["pixels", "one", "75.0 ms", "142.5 ms", "148.5 ms", moved, "1.50 times"]


@pytest.mark.parametrize("subject", DOCUMENTS)
def test_the_document_has_a_place_for_the_tables(subject: str, tmp_path: Path) -> None:
    copy = tmp_path / "benchmarks.md"
    copy.write_text(DOCUMENTS[subject].read_text())
    write_between(copy, f"convscope bench {subject}", "new")
    assert "-->\n\nnew\n\n<!--" in copy.read_text()


def test_a_document_without_a_place_says_so(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("Nothing here.\n")
    with pytest.raises(NoPlace, match="lacks the lines"):
        write_between(path, "convscope bench serve", "new")
    assert path.read_text() == "Nothing here.\n"


@pytest.fixture(scope="module")
def trainings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a quick run that trains has written into a document."""
    path = tmp_path_factory.mktemp("docs") / "benchmarks.md"
    path.write_text(PROSE.format(name="convscope bench train"))
    words = ["-m", "app.cli", "bench", "train", "--quick", "--write", str(path)]
    # The lessons' loader forks a process that has threads, of which newer Pythons warn.
    warnings = ["-W", "error", "-W", "ignore:This process:DeprecationWarning"]
    command = [sys.executable, *warnings, *words]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return path


def test_each_lesson_s_loop_is_measured_beside_ours(trainings: Path) -> None:
    rows = read_table(trainings, "An epoch")
    assert [row[:3] for row in rows if row[1].startswith("lesson")] == [
        ["`convnet-revisited`", "lesson 000", "100"],
        ["`simple-cnn`", "lesson 003", "64"],
    ]
    for network, batch in (("`convnet-revisited`", "100"), ("`simple-cnn`", "64")):
        sizes = [row[2] for row in rows if row[0] == network and row[1].startswith("ours")]
        assert {batch, "256"} <= set(sizes)
    assert all(re.search(r"\d", cell) for row in rows for cell in row[3:])


def test_the_time_to_99_percent_is_told_or_that_it_was_not_reached(trainings: Path) -> None:
    (row,) = read_table(trainings, "Time to 99 % of the validation images")
    assert row[2] == "0"  # the seed
    assert "not 99%" in row[4]  # optdigits are too few for that
    assert all(re.match(r"\d+\.\d\d s", cell) for cell in row[5:])


def test_ratios_and_rates_follow_from_the_seconds() -> None:
    loop = Loop("000", "convnet-revisited", 100, 0.01)
    one = Comparison(loop, 5000, Epoch(10, 0.95), {64: Epoch(4, 0.99, "float32, channels_last")})
    lesson, ours = (
        [c.strip() for c in line.split("|")[4:-1]] for line in epochs_table([one]).splitlines()[2:]
    )
    assert lesson == ["10.00 s", "500", "1 / 1.0", "95.00%"]
    assert ours == ["4.00 s", "1,250", "1 / 2.5", "99.00%"]


def test_the_lesson_s_loop_is_torch_s_own_steps() -> None:
    loop, training = Loop("000", "simple-cnn", 1437, 0.01), read_optdigits("train")
    network, expected = (create_network("simple-cnn") for _ in range(2))
    expected.load_state_dict(network.state_dict())
    run_epoch(loop, network, training)
    optimizer = torch.optim.Adam(expected.parameters(), lr=0.01)
    logits = expected(training.images / 255)
    torch.nn.functional.cross_entropy(logits, training.labels).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    for one, two in zip(network.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-3)


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert [percentile(values, share) for share in (0, 0.5, 0.95, 1)] == [1, 50, 95, 100]
    assert percentile([3.0], 0.99) == 3


def test_a_load_counts_its_answers() -> None:
    load = Load(2, 0.5, [Answer(1, b""), Answer(3, b"")], 0.1)
    assert load.rate == 4
    assert load.percentile(0.95) == 3


def test_the_server_timing_header_is_read() -> None:
    head = (
        b'HTTP/1.1 200 OK\r\nServer-Timing: prepare;dur=0.5, network;desc="a pass";dur=0.25\r\n'
        b"Content-Length: 2\r\nserver-timing: total;dur=1"
    )
    assert Answer(1, head).server_timing == {"prepare": 0.5, "network": 0.25, "total": 1}
    assert Answer(1, b"HTTP/1.1 200 OK\r\n").server_timing == {}


def test_no_two_strokes_are_alike_and_all_are_on_the_pad() -> None:
    strokes = make_strokes(43)
    assert len({tuple(stroke) for stroke in strokes}) == 43
    assert all(0 < part < 1 for stroke in strokes for point in stroke for part in point)
    assert make_strokes(43) == strokes


def test_the_table_of_the_lessons_is_that_of_the_shipped_cards() -> None:
    assert lessons_table() in DOCUMENTS["lessons"].read_text()
