"""What a page costs: until it is there, over the line, and in memory."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from app.benchmarks.browser import WINDOW, describe_browser, open_browser
from app.benchmarks.devtools import PlainPage, open_plain_page
from app.benchmarks.process_costs import session_memory
from app.benchmarks.server_process import CONVSCOPE, HOST, running
from app.benchmarks.tables import table
from app.web.examples import example_image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MEGABYTE = 2**20
LARGE = "resnet18"
# So that what a layer shows has come and is painted before the next is opened.
LOOK_SECONDS = 0.4
ANSWER_SECONDS = 60


@dataclass(frozen=True)
class FirstPage:
    """Seconds from the start of the server's process to its first page, then from the browser's
    request to the page's first paint and until it can be used; what was sent for it, in bytes, and
    what the server takes, in bytes."""

    answered: float
    painted: float
    usable: float
    requests: int
    sent: int
    server: int | None


@dataclass(frozen=True)
class Visit:
    """Every layer of a network opened one by one: how many, and the memory of the page's process
    in bytes before, at its largest, and at the end."""

    layers: int
    before: int
    most: int
    after: int


@dataclass(frozen=True)
class PageCosts:
    """The first page of a server that was started before, and a long visit to a large network."""

    first: FirstPage
    visit: Visit
    browser: str


def measure_pages(layers: int | None = None) -> PageCosts:
    """Start a server twice, and open pages of the second; ``layers`` is how many at most.

    Raises NotMeasured and ServerFailed.
    """
    with running(CONVSCOPE):
        pass  # What it reads from the disk is in memory then.
    with open_browser() as browser:
        begun = perf_counter()
        with running(CONVSCOPE) as server:
            address = f"http://{HOST}:{server.port}/"
            urlopen(address).read()
            first = _open(browser, address, perf_counter() - begun, server.process)
            visit = _look_at_layers(address, layers)
        return PageCosts(first, visit, describe_browser(browser))


def _open(browser: "Browser", address: str, answered: float, session: int) -> FirstPage:
    """A page in a browser that has nothing of it yet."""
    page = _new_page(browser)
    sizes: list[int] = []
    wire = page.context.new_cdp_session(page)
    wire.on("Network.loadingFinished", lambda one: sizes.append(one["encodedDataLength"]))
    wire.send("Network.enable")
    begun = perf_counter()
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    usable = perf_counter() - begun
    page.wait_for_load_state("networkidle")
    paint: dict[str, Any] = page.evaluate(_FIRST_PAINT)
    page.context.close()
    return FirstPage(
        answered, paint["startTime"] / 1000, usable, len(sizes), sum(sizes), session_memory(session)
    )


_FIRST_PAINT = """
() => performance.getEntriesByName("first-contentful-paint")[0].toJSON()
"""


def _look_at_layers(address: str, most: int | None) -> Visit:
    with open_plain_page() as page:
        page.open(f"{address}?model={LARGE}&image={example_image()}")
        page.wait_for(_ANSWERED, ANSWER_SECONDS)
        time.sleep(LOOK_SECONDS)
        before = page.memory()
        seen = [before, *_opened(page, most)]
        return Visit(len(seen) - 1, before, max(seen), page.memory())


_ANSWERED = (
    "document.documentElement.hasAttribute('data-ready') "
    "&& /^[^?]/.test(document.querySelector('.answer-label').textContent.trim())"
)
_NAMES = "document.querySelectorAll('layer-column .layer-name')"


def _opened(page: PlainPage, most: int | None) -> Iterator[int]:
    """The page's memory after each of its layers was opened."""
    count = int(page.evaluate(f"{_NAMES}.length"))
    for place in range(min(count, most or count)):
        page.evaluate(f"{_NAMES}[{place}].click()")
        name = page.evaluate(f"{_NAMES}[{place}].textContent")
        page.wait_for(
            f"document.querySelector('map-inspector h2')?.textContent === {json.dumps(name)}",
            ANSWER_SECONDS,
        )
        time.sleep(LOOK_SECONDS)
        yield page.memory()


def _new_page(browser: "Browser") -> "Page":
    context = browser.new_context(viewport={"width": WINDOW[0], "height": WINDOW[1]})
    return context.new_page()


def first_page_table(first: FirstPage) -> str:
    """What the first page costs, beside what is aimed at."""
    memory = None if first.server is None else first.server / MEGABYTE
    rows = [
        ["from the server's start to its first page", f"{first.answered:.2f} s", "3 s"],
        ["from the browser's request to the first paint", f"{first.painted:.2f} s", ""],
        ["and until the page can be used", f"{first.usable:.2f} s", ""],
        ["sent for it, compressed", f"{first.sent / 1000:.0f} kB", "300 kB"],
        ["in so many requests", str(first.requests), ""],
        ["the server's memory then", _megabytes(memory), "400 MB"],
    ]
    return table(("what", "measured", "at most"), rows)


def _megabytes(size: float | None) -> str:
    return "not told" if size is None else f"{size:.0f} MiB"


def visit_table(visit: Visit) -> str:
    """What the page of a large network takes while its layers are opened."""
    sizes = [_megabytes(one / MEGABYTE) for one in (visit.before, visit.most, visit.after)]
    heading = ("network", "layers opened", "memory before", "at its largest", "at the end")
    return table(heading, [[f"`{LARGE}`", str(visit.layers), *sizes]])
