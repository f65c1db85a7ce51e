"""Strokes drawn with the mouse in a real browser: how soon after each the page has painted all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.benchmarks.browser import WINDOW, describe_browser, open_browser
from app.benchmarks.http_load import percentile
from app.benchmarks.strokes import Stroke, make_strokes

if TYPE_CHECKING:
    from playwright.sync_api import Page

WARM_UP = 3
# Time for a person to lift the pen and begin anew, and for the page to come to rest.
PAUSE_MS = 250
LONGEST_MS = 5000

# Runs in the page before its own scripts. Nothing is asked of the page while it works: times are
# those that the browser itself has noted.
_WATCH = """
const seen = { up: 0, drawn: null, painted: [], asked: [] };
window.benchmark = seen;
addEventListener("pointerup", (event) => (seen.up = event.timeStamp), true);
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (entry.name === "convscope:drawn") seen.drawn = entry;
    if (entry.name === "convscope:painted") seen.painted.push(entry);
    if (entry.name.includes("/api/v1/trace")) seen.asked.push(entry);
  }
}).observe({ entryTypes: ["mark", "resource"] });
"""

# A stroke ends when the pen is lifted, or with its last change where lifting changes nothing.
_READ = """
(longest) => new Promise((resolve, reject) => {
  const seen = window.benchmark;
  const before = performance.now();
  (function look() {
    const painted = seen.painted.find((mark) => mark.detail >= seen.drawn?.detail);
    if (painted) {
      const end = Math.min(seen.up, seen.drawn.startTime);
      const asked = seen.asked.map(({ startTime, responseEnd }) => [startTime, responseEnd]);
      resolve({ milliseconds: painted.startTime - end, asked });
      Object.assign(seen, { drawn: null, painted: [], asked: [] });
    } else if (performance.now() - before > longest) {
      reject(new Error("the page has not marked the stroke as painted"));
    } else setTimeout(look, 10);
  })();
})
"""


@dataclass(frozen=True)
class StrokeTimes:
    """For each stroke the milliseconds from its end to all maps painted."""

    milliseconds: Sequence[float]
    requests: int
    most_in_flight: int
    maps: int
    browser: str

    def percentile(self, share: float) -> float:
        """The milliseconds within which this share of the strokes was painted."""
        return percentile(self.milliseconds, share)


def measure_strokes(address: str, count: int) -> StrokeTimes:
    """Draw so many strokes on the explore page, each on an empty pad. Raises NotMeasured."""
    with open_browser() as browser:
        page = browser.new_page(viewport={"width": WINDOW[0], "height": WINDOW[1]})
        page.add_init_script(_WATCH)
        page.goto(address)
        page.wait_for_selector("html[data-ready]")
        drawn = [_draw(page, stroke) for stroke in make_strokes(WARM_UP + count)][WARM_UP:]
        maps = page.locator("layer-column .tiles button").count()
        return StrokeTimes(
            milliseconds=[one["milliseconds"] for one in drawn],
            requests=sum(len(one["asked"]) for one in drawn),
            most_in_flight=max(_most_at_once(one["asked"]) for one in drawn),
            maps=maps,
            browser=describe_browser(browser),
        )


def _draw(page: "Page", stroke: Stroke) -> dict[str, Any]:
    """Draw on the empty pad, wait until all is painted, clear it, and return what was seen."""
    box = page.locator("drawing-pad > canvas").bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place)
    page.mouse.up()
    page.wait_for_timeout(PAUSE_MS)
    seen: dict[str, Any] = page.evaluate(_READ, LONGEST_MS)
    page.locator("#clear").click()
    return seen


def _most_at_once(asked: Sequence[tuple[float, float]]) -> int:
    """The most requests under way at the same time, from the beginning and end of each."""
    # At the same moment an end comes before a beginning.
    changes = sorted([(start, 1) for start, _ in asked] + [(end, -1) for _, end in asked])
    most = under_way = 0
    for _, change in changes:
        under_way += change
        most = max(most, under_way)
    return most
