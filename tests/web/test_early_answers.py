"""Requests that are refused before their bodies have come: plain clients read the refusal, whether
they keep the connection or not."""

import re
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlsplit

import pytest

from app.web.connections import MOST_HEADER, MOST_LEFT
from tests.conftest import start_server, stop, wait_until_up

TOKEN = "a-token-of-just-enough-letters"
LARGE = bytes(5_000_000)
PREDICT = "/api/v1/predict"
PNG = {"Content-Type": "image/png"}
CASES = {
    "no token": (401, "asks for a token", PREDICT, PNG | {"Authorization": ""}),
    "no model": (404, "no model 'nope'", f"{PREDICT}?model=nope", PNG),
    "wrong type": (415, "'text/plain' can't be read", PREDICT, {"Content-Type": "text/plain"}),
    "other site": (403, "another site", PREDICT, PNG | {"Sec-Fetch-Site": "cross-site"}),
    "other name": (421, "CONVSCOPE_HOSTS", "/api/v1/images", PNG | {"Host": "evil.example"}),
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name and port of a server that asks for a token, and must log no fault."""
    folder = tmp_path_factory.mktemp("guarded")
    with (folder / "log.txt").open("wb") as log:
        process, address = start_server(folder / "data", log.fileno(), CONVSCOPE_TOKEN=TOKEN)
    wait_until_up(address, process)
    yield urlsplit(address).netloc
    stop(process)
    words = (folder / "log.txt").read_text()
    assert "Traceback" not in words, words
    assert "WARNING" not in words, words


def post(connection: HTTPConnection, case: str, body: bytes, **more: str) -> HTTPResponse:
    headers = {"Authorization": f"Bearer {TOKEN}"} | CASES[case][3] | more
    connection.request("POST", CASES[case][2], body, headers)
    return connection.getresponse()


def check(answer: HTTPResponse, case: str) -> None:
    status, words = CASES[case][:2]
    assert answer.status == status
    assert words in answer.read().decode()


@pytest.mark.parametrize("more", [{}, {"Connection": "close"}], ids=["kept", "closed"])
@pytest.mark.parametrize("case", list(CASES))
def test_the_refusal_is_read(guarded: str, case: str, more: dict[str, str]) -> None:
    for _ in range(10):
        with closing(HTTPConnection(guarded, timeout=60)) as connection:
            check(post(connection, case, LARGE, **more), case)


@pytest.mark.parametrize("case", list(CASES))
def test_the_connection_is_good_for_more(guarded: str, case: str) -> None:
    with closing(HTTPConnection(guarded, timeout=60)) as connection:
        connection.connect()
        first = connection.sock
        for body in (LARGE, b"", LARGE, b"x"):
            check(post(connection, case, body), case)
            assert connection.sock is first


def begin(guarded: str, lines: str) -> socket.socket:
    """A connection on which the header of a request to a model that isn't there was sent."""
    name, _, port = guarded.partition(":")
    connection = socket.create_connection((name, int(port)), timeout=60)
    head = f"POST {PREDICT}?model=nope HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    connection.sendall(f"{head}Authorization: Bearer {TOKEN}\r\n{lines}\r\n".encode())
    return connection


@pytest.mark.parametrize("lines", ["", "Connection: close\r\n"])
def test_a_body_without_an_end_is_given_up(guarded: str, lines: str) -> None:
    chunk = b"%x\r\n%s\r\n" % (len(LARGE), LARGE)
    sent = 0
    with begin(guarded, f"Transfer-Encoding: chunked\r\n{lines}") as connection:
        assert connection.recv(12) == b"HTTP/1.1 404"
        with suppress(ConnectionError):
            while sent < 10 * MOST_LEFT:
                connection.sendall(chunk)
                sent += len(LARGE)
    assert MOST_LEFT / 2 < sent < 10 * MOST_LEFT


def test_the_header_of_the_next_request_is_counted(guarded: str) -> None:
    with begin(guarded, f"Content-Length: {len(LARGE)}\r\n") as connection:
        connection.sendall(LARGE + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        said = b""
        while b'"ok"' not in said:
            said += connection.recv(65536)
        connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * (MOST_HEADER + 1000))
        said += b"".join(iter(lambda: connection.recv(65536), b""))
    assert re.findall(rb"HTTP/1.1 (\d+)", said) == [b"404", b"200", b"431"]


def test_who_is_told_that_it_ends_sees_the_end_at_once(guarded: str) -> None:
    """Though nothing of the body was sent: the client waits to be asked for it."""
    lines = f"Content-Length: {len(LARGE)}\r\nExpect: 100-continue\r\nConnection: close\r\n"
    with begin(guarded, lines) as connection:
        connection.settimeout(15)
        said = b"".join(iter(lambda: connection.recv(65536), b""))
    assert said.startswith(b"HTTP/1.1 404")
    assert said.endswith(b"}")
