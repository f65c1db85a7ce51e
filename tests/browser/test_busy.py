"""A server that can take no more: the page says so where one draws, and tries again by itself."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.conftest import start_server, stop, wait_until_up

MOST = 4
HALF = (
    b"POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    b"Content-Length: 9\r\n\r\nhalf"
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    process, address = start_server(
        tmp_path, CONVSCOPE_MAX_REQUESTS=str(MOST), CONVSCOPE_MAX_STREAMS_PER_CLIENT="1"
    )
    wait_until_up(address, process)
    yield address
    stop(process)


@contextmanager
def keep_busy(server: str) -> Iterator[None]:
    """As many requests as the server takes, none of which comes to an end."""
    place = urlsplit(server)
    with ExitStack() as stack:
        for _ in range(MOST):
            one = stack.enter_context(socket.create_connection((place.hostname, place.port)))
            one.sendall(HALF)
        while httpx.get(f"{server}/api/v1/models").status_code != 503:
            time.sleep(0.05)
        yield


def test_a_drawing_is_traced_as_soon_as_there_is_room(open_page: OpenPage, server: str) -> None:
    watched = open_page(refused=503)
    page = watched.page
    message = page.locator("#message")
    page.wait_for_selector("html[data-ready]")
    page.wait_for_load_state("networkidle")
    with keep_busy(server):
        page.keyboard.press("7")
        expect(message).to_contain_text("The server is busy with 4 other requests")
        expect(message).to_contain_text("This page does so by itself.")
    expect(message).to_be_hidden()
    expect(page.locator(".answer-label")).to_have_text("7")
    page.wait_for_url("**image=**")


def test_a_run_is_watched_as_soon_as_a_stream_is_free(open_page: OpenPage, server: str) -> None:
    recipe = {"network": "simple-cnn", "dataset": "optdigits", "epochs": 1}
    run = httpx.post(f"{server}/api/v1/runs", json=recipe).raise_for_status().json()["id"]
    with httpx.stream("GET", f"{server}/api/v1/runs/{run}/events", timeout=60):
        page = open_page(f"/runs/{run}", refused=429).page
        told = page.locator("#connection")
        expect(told).to_contain_text("127.0.0.1 follows as many streams of events as one")
        expect(told).to_contain_text("The page tries again by itself.")
    expect(page.locator("#state")).to_have_text("finished", timeout=90_000)
    expect(told).to_be_hidden()
