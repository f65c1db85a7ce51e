"""A real browser for what can only be measured in one."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.core.errors import ConvScopeError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
WINDOW = (1280, 840)


class NotMeasured(ConvScopeError):
    """The browser part of a benchmark can't be run here; says what is missing."""


@contextmanager
def open_browser() -> "Iterator[Browser]":
    """The system's Chromium, without a window. Raises NotMeasured."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise NotMeasured(
            "Playwright is not installed; `.venv/bin/python -m pip install -e '.[dev]'` adds it."
        ) from None
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        try:
            yield browser
        finally:
            browser.close()


def find_chromium() -> str:
    """The path of the system's Chromium. Raises NotMeasured."""
    for name in CHROMIUM:
        if path := shutil.which(name):
            return path
    raise NotMeasured("There is no Chromium on the PATH; `make browser` installs it.")


def describe_browser(browser: "Browser") -> str:
    """Its name, version and window."""
    return f"Chromium {browser.version}, headless, {WINDOW[0]} × {WINDOW[1]}"
