"""A page in a browser that nothing else looks into.

Playwright listens to the network of each of its pages, for which Chromium keeps the answers in the
page's process: as much memory as the page itself may take. Here the few commands that are needed go
to Chromium as they are (https://chromedevtools.github.io/devtools-protocol).
"""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from websockets.sync.client import ClientConnection, connect

from app.benchmarks.browser import WINDOW, NotMeasured, find_chromium
from app.benchmarks.process_costs import process_memory

START_SECONDS = 30
POLL_SECONDS = 0.1

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--remote-debugging-port=0",
    f"--window-size={WINDOW[0]},{WINDOW[1]}",
)


class PlainPage:
    """The only page of a browser of its own."""

    def __init__(self, browser: ClientConnection, page: ClientConnection) -> None:
        self._browser = browser
        self._page = page
        self._commands = 0

    def open(self, address: str) -> None:
        """Go to an address."""
        self._ask(self._page, "Page.navigate", {"url": address})

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401
        """The value of an expression in the page."""
        asked = {"expression": expression, "returnByValue": True}
        return self._ask(self._page, "Runtime.evaluate", asked)["result"].get("value")

    def wait_for(self, expression: str, seconds: float) -> None:
        """Wait until an expression is true in the page. Raises NotMeasured."""
        for _ in range(round(seconds / POLL_SECONDS)):
            if self.evaluate(expression):
                return
            time.sleep(POLL_SECONDS)
        raise NotMeasured(f"The page has not come to {expression} within {seconds:g} s.")

    def memory(self) -> int:
        """Bytes of memory of the process that shows the page; what it shares with other processes
        counts in part (Linux's PSS)."""
        told = self._ask(self._browser, "SystemInfo.getProcessInfo", {})["processInfo"]
        # Others than the page's are small, as they show nothing.
        return max(process_memory(int(one["id"])) for one in told if one["type"] == "renderer")

    def _ask(self, whom: ClientConnection, method: str, words: dict[str, Any]) -> dict[str, Any]:
        self._commands += 1
        whom.send(json.dumps({"id": self._commands, "method": method, "params": words}))
        while True:
            told: dict[str, Any] = json.loads(whom.recv())
            if told.get("id") == self._commands:
                return dict(told["result"])


@contextmanager
def open_plain_page() -> Iterator[PlainPage]:
    """An empty page. Raises NotMeasured."""
    with tempfile.TemporaryDirectory(prefix="convscope-", ignore_cleanup_errors=True) as profile:
        command = [find_chromium(), *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        silent = subprocess.DEVNULL
        process = subprocess.Popen(command, stdout=silent, stderr=silent)
        try:
            host = f"127.0.0.1:{_port(Path(profile))}"
            browser = _read(f"http://{host}/json/version")
            page = next(one for one in _read(f"http://{host}/json") if one["type"] == "page")
            with (
                connect(browser["webSocketDebuggerUrl"]) as to_browser,
                connect(page["webSocketDebuggerUrl"]) as to_page,
            ):
                yield PlainPage(to_browser, to_page)
        finally:
            process.terminate()
            process.wait()


def _port(profile: Path) -> int:
    """Where the browser listens, as it writes into its profile."""
    for _ in range(round(START_SECONDS / POLL_SECONDS)):
        lines = _lines(profile / "DevToolsActivePort")
        if lines:
            return int(lines[0])
        time.sleep(POLL_SECONDS)
    raise NotMeasured("The browser has not begun to listen.")


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _read(address: str) -> Any:  # noqa: ANN401
    return json.loads(urlopen(address).read())
