"""A real browser on the real server. Every page is watched: a message on its console or a request
to another host fails the test, whatever it was about.

The pages' policy forbids to evaluate strings. What `wait_for_function` waits for is therefore
written as a function, which the driver evaluates once, before the policy counts."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from app.benchmarks.browser import find_chromium

REBOUND = "rebound.example"
# Milliseconds until what is expected must be so: no test here is about time, and others run beside.
PATIENCE = 20_000
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # A name that leads to this machine, as an attacker's name server may have it.
    f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1",
    "--no-proxy-server",
]


@dataclass
class Watched:
    """A page and what it did besides what the test asked of it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def expect(self, part: str) -> None:
        """Allow console messages that contain ``part``: the browser's own word of a refusal."""
        self.expected.append(part)

    def note(self, complaint: str) -> None:
        if not any(part in complaint for part in self.expected):
            self.complaints.append(complaint)


# No longer than these tests: while it lives, Playwright's event loop counts as running, and tests
# that need a loop of their own could not have one.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    # The shell is Chromium without all that surrounds a page, which Playwright, too, prefers.
    path = shutil.which("chromium-headless-shell") or find_chromium()
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


class OpenPage(Protocol):
    """Opens a path in a context of its own and returns the watched page."""

    def __call__(
        self,
        path: str = "/",
        width: int = 1280,
        height: int = 840,
        color_scheme: Literal["light", "dark"] = "light",
        touch: bool = False,
        refused: int | None = None,
    ) -> Watched: ...


@pytest.fixture
def open_page(browser: Browser, server: str) -> Iterator[OpenPage]:
    opened: list[Watched] = []

    def open_(
        path: str = "/",
        width: int = 1280,
        height: int = 840,
        color_scheme: Literal["light", "dark"] = "light",
        touch: bool = False,
        refused: int | None = None,
    ) -> Watched:
        context = browser.new_context(
            base_url=server,
            viewport={"width": width, "height": height},
            color_scheme=color_scheme,
            has_touch=touch,
            is_mobile=touch,
        )
        watched = Watched(context.new_page())
        opened.append(watched)
        watch(watched, server)
        if refused:
            watched.expect(f"status of {refused}")
        watched.page.goto(path)
        return watched

    yield open_
    for watched in opened:
        watched.page.context.close()
    assert [watched.complaints for watched in opened if watched.complaints] == []


def watch(watched: Watched, server: str) -> None:
    def on_request(request: Request) -> None:
        if not request.url.startswith((server, "data:", "blob:")):
            watched.note(f"asked another host: {request.url}")

    def on_console(message: ConsoleMessage) -> None:
        watched.note(f"console {message.type}: {message.text}")

    page = watched.page
    page.on("console", on_console)
    page.on("pageerror", lambda error: watched.note(f"error: {error}"))
    page.on("request", on_request)


@pytest.fixture
def explore(open_page: OpenPage) -> Watched:
    watched = open_page("/")
    watched.page.wait_for_selector("html[data-ready]")
    return watched
