"""The machine's clock is set back by a day and forward by a year, while a run trains and between
two servers: what has happened stays in its order, and nothing lasts less than no time."""

import json
import os
import re
from pathlib import Path
from random import Random

from tests.conftest import Process, start_server
from tests.faults.makings import Kept
from tests.faults.serving import Served, check_files, events_of, reading, running

CLOCK = Path(__file__).parent / "clock"
DAY, YEAR = 86_400, 365 * 86_400
WRONG = re.compile(r"\b(NaN|Infinity|undefined|None)\b|>\s*-\d")


def test_a_clock_that_jumps_changes_no_order(tmp_path: Path) -> None:
    file, kept, random = tmp_path / "clock", Kept(), Random(7)
    set_clock(file, 0)
    words = {"CLOCK_FILE": str(file), "PYTHONPATH": f"{CLOCK}{os.pathsep}{Path.cwd()}"}
    with running(ServedAnew(tmp_path / "data", tmp_path / "log.txt", **words)) as server:
        run = server.launch(epochs=1000)
        waiting = server.launch(epochs=2)
        server.wait_for_epoch(run, 1)
        for off in (-DAY, YEAR, -DAY):
            set_clock(file, off)
            for add in (kept.add_image, kept.add_dataset, kept.add_model):
                assert add(server.api, random).is_success
            server.wait_for_epoch(run, server.run(run)["epoch"] + 1)
        assert (server.run(run)["started_at"] or "") > written_at(server, run)[-1]
        server.stop()
        set_clock(file, -2 * DAY)
        server.start()
        assert server.run(run)["state"] == "interrupted"
        server.answer("POST", f"/api/v1/runs/{run}/resume")
        server.wait(waiting, "finished")
        set_clock(file, YEAR)
        server.wait_for_epoch(run, server.run(run)["epoch"] + 1)
        server.answer("POST", f"/api/v1/runs/{run}/cancel")
        assert [one["id"] for one in server.answer("GET", "/api/v1/runs")] == [waiting, run]
        check_history(server, run)
        check_pages(server, run)
        kept.check(server.api, random)
        server.stop()
        check_files(server.data)
        assert "Traceback" not in server.words()


class ServedAnew(Served):
    """A server whose Python starts anew, and with it the clock that its environment says."""

    def begin(self) -> tuple[Process, str]:
        """A starting server, and its address."""
        with self.log.open("ab") as output:
            return start_server(self.data, output.fileno(), **self.environment)


def set_clock(file: Path, seconds: int) -> None:
    """Set the clock of all processes, by a file that is never half written."""
    beside = file.with_suffix(".new")
    beside.write_text(str(seconds))
    beside.replace(file)


def written_at(server: Served, run: str) -> list[str]:
    """When each event of a run was written down, by the server's clock."""
    with reading(server.data) as database:
        query = "SELECT at FROM events WHERE run = ? ORDER BY number"
        return [row[0] for row in database.execute(query, (run,))]


def check_history(server: Served, run: str) -> None:
    """Every event is there, in the order in which it happened, with times that are none."""
    told = events_of(server.data, run)
    assert [number for number, *_ in told] == list(range(1, len(told) + 1))
    epochs = [facts for _, kind, facts in told if kind == "epoch"]
    assert [facts["epoch"] for facts in epochs] == list(range(1, server.run(run)["epoch"] + 1))
    assert all(0 < facts["seconds"] < 600 for facts in epochs)
    rates = [facts["images_per_second"] for _, kind, facts in told if kind == "batch"]
    assert all(0 < rate < 1e9 for rate in rates)
    table = server.api.get(f"/api/v1/runs/{run}/metrics.csv").text
    assert len(table.splitlines()) == len(epochs) + 1
    stream = server.api.get(f"/api/v1/runs/{run}/events").text
    assert [int(one) for one in re.findall(r"^id: (\d+)$", stream, re.MULTILINE)] == [
        number for number, *_ in told
    ]


def check_pages(server: Served, run: str) -> None:
    """No page shows a number that is none, or a time that is less than none."""
    for page in ("/", "/runs", f"/runs/{run}", "/models", "/sweeps"):
        answer = server.api.get(page)
        assert answer.status_code == 200
        found = WRONG.search(re.sub(r"<script.*?</script>", "", answer.text, flags=re.DOTALL))
        assert found is None, (page, found)
    assert json.loads(server.api.get("/api/v1/sweeps").text) == []
