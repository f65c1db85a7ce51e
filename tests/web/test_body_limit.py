"""Bodies that are too large: the client reads an answer, never a broken connection."""

import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.web import samples
from tests.web.conftest import Refused

LARGE = 51 * 1024 * 1024
PIECE = bytes(1024 * 1024)
SAID = "larger than 50 MB"
HEAD = "POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\n"


def pieces(size: int) -> Iterator[bytes]:
    """A body in pieces, so that it has no Content-Length."""
    for _ in range(size // len(PIECE)):
        yield PIECE


@pytest.mark.parametrize("kind", ["image/png", "application/json", "application/octet-stream"])
def test_a_large_body(api: httpx.Client, refused: Refused, kind: str) -> None:
    headers = {"Content-Type": kind}
    assert SAID in refused(api.post("/api/v1/predict", content=bytes(LARGE), headers=headers), 413)


def test_a_large_file_in_a_form(api: httpx.Client, refused: Refused) -> None:
    answer = api.post("/api/v1/images", files={"image": bytes(LARGE)})
    assert SAID in refused(answer, 413)


@pytest.mark.parametrize("kind", ["image/png", "multipart/form-data; boundary=x"])
def test_a_large_body_without_a_length(api: httpx.Client, refused: Refused, kind: str) -> None:
    start = b'--x\r\nContent-Disposition: form-data; name="image"; filename="7"\r\n\r\n'

    def body() -> Iterator[bytes]:
        yield start
        yield from pieces(LARGE)

    answer = api.post("/api/v1/predict", content=body(), headers={"Content-Type": kind})
    assert SAID in refused(answer, 413)


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/models", "/nowhere", "/"])
def test_a_large_body_where_none_is_read(api: httpx.Client, refused: Refused, path: str) -> None:
    said = "larger than 1 MB"
    assert said in refused(api.post(path, content=bytes(LARGE)), 413)
    assert said in refused(api.request("GET", path, content=bytes(LARGE)), 413)
    assert api.post(path, content=pieces(LARGE)).status_code in (404, 405)


def test_a_body_of_just_the_limit_is_read(api: httpx.Client, refused: Refused) -> None:
    body = bytes(50 * 1024 * 1024)
    answer = api.post("/api/v1/predict", content=body, headers={"Content-Type": "image/png"})
    assert "looks like binary data" in refused(answer, 422)


def test_a_client_that_asks_first_is_told_at_once(server: str) -> None:
    """As curl does: the body is sent when the server says "100 Continue", and not before."""
    head = f"{HEAD}Content-Length: {LARGE}\r\n"
    with connect(server) as connection:
        connection.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == 413


def test_a_client_may_send_everything_before_it_reads(server: str) -> None:
    head = f"{HEAD}Content-Length: {LARGE}\r\n\r\n"
    with connect(server) as connection:
        connection.sendall(head.encode())
        connection.sendall(bytes(LARGE))  # A closed connection would raise here, or below.
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_a_connection_is_good_for_more_after_a_refusal(server: str) -> None:
    png = samples.encode(samples.draw_seven())
    with httpx.Client(base_url=server, limits=httpx.Limits(max_connections=1)) as one:
        for _ in range(2):
            refusal = one.post("/api/v1/predict", content=bytes(LARGE), timeout=60)
            assert refusal.status_code == 413
            assert one.post("/api/v1/predict", files={"image": png}).json()["label"] == "7"


def test_a_body_without_an_end_is_given_up(server: str) -> None:
    sent = 0
    with connect(server) as connection:
        connection.sendall(HEAD.encode())
        connection.sendall(b"Content-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"%x\r\n%s\r\n" % (len(PIECE), PIECE)
        try:
            while sent < 20 * LARGE:
                connection.sendall(chunk)
                sent += len(PIECE)
        except ConnectionError:
            pass
    assert sent < 10 * LARGE


def test_a_client_that_goes_away_is_forgotten(server: str, api: httpx.Client) -> None:
    for declared in (1000, LARGE):
        with connect(server) as connection:
            head = f"{HEAD}Content-Length: {declared}\r\n"
            connection.sendall(f"{head}Content-Type: image/png\r\n\r\nabc".encode())
    assert api.get("/healthz").status_code == 200


def connect(server: str) -> socket.socket:
    address = urlsplit(server)
    assert address.hostname
    assert address.port
    return socket.create_connection((address.hostname, address.port), timeout=30)


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))
