"""``convscope serve`` as a process: how it begins and how it ends."""

import http.client
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.cli import main
from tests.conftest import start_server, stop, wait_until_up
from tests.web import samples

PNG = samples.encode(samples.draw_seven())


def test_it_ends_in_time_and_answers_what_it_has_begun(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    with log.open("wb") as output:
        process, address = start_server(tmp_path / "data", output.fileno())
    try:
        wait_until_up(address, process)
        # One connection is kept alive, one has begun what it ends, one never ends it.
        with connect(address) as idle, connect(address) as begun, connect(address) as stuck:
            for connection in (begun, stuck):
                send_half(connection)
            idle.request("GET", "/healthz")  # By now the halves have arrived.
            idle.getresponse().read()
            process.terminate()
            wait_for("Shutting down", log)
            begun.send(PNG[100:])
            assert json.loads(begun.getresponse().read())["label"] == "7"
            assert stop(process) in (0, -signal.SIGTERM)
    finally:
        process.kill()
    words = log.read_text()
    assert "Application shutdown complete" in words, words
    assert "Finished server process" in words, words


@contextmanager
def connect(address: str) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    yield connection
    connection.close()


def send_half(connection: http.client.HTTPConnection) -> None:
    connection.putrequest("POST", "/api/v1/predict")
    connection.putheader("Content-Type", "image/png")
    connection.putheader("Content-Length", str(len(PNG)))
    connection.endheaders(PNG[:100])


def wait_for(words: str, log: Path) -> None:
    for _ in range(300):
        if words in log.read_text():
            return
        time.sleep(0.1)
    raise TimeoutError(f"the server didn't say {words!r}")


@pytest.fixture
def serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """What ``convscope serve`` says instead of serving, under variables of the environment."""

    def run(**environment: str) -> str:
        for name, value in ({"CONVSCOPE_DATA_DIR": str(tmp_path)} | environment).items():
            monkeypatch.setenv(name, value)
        assert main(["serve", "--port", "0"]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        (line,) = said.err.splitlines()
        return line

    return run


def test_a_bad_setting_is_said_in_a_sentence(serve: Callable[..., str]) -> None:
    said = serve(CONVSCOPE_DEVICE="abacus")
    assert said.startswith("convscope: CONVSCOPE_DEVICE is 'abacus': Input should be 'auto'")
    said = serve(CONVSCOPE_DEVICE="cpu", CONVSCOPE_MAX_PIXELS="-1")
    assert said.startswith("convscope: CONVSCOPE_MAX_PIXELS is '-1': ")


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac may have this device")
def test_a_device_that_is_not_there_is_said_in_a_sentence(serve: Callable[..., str]) -> None:
    said = serve(CONVSCOPE_DEVICE="mps")
    assert said.startswith("convscope: The device 'mps' is not on this machine. Use auto or")


def test_a_folder_that_cannot_be_written_is_said_in_a_sentence(
    serve: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    said = serve(CONVSCOPE_DATA_DIR=str(tmp_path / "file"))
    assert said.startswith("convscope: Pictures can't be kept in ")
    assert "CONVSCOPE_DATA_DIR" in said


@pytest.mark.parametrize("port", ["http", "-1", "65536", "8000.5"])
def test_a_port_is_a_number(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--port", port])
    assert "give a number of 0 to 65535" in capsys.readouterr().err
