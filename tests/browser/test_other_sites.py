"""What pages of other sites can do to a server on this machine, in a real browser: nothing.

And what a page of ours could do if somebody managed to write into it.
"""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import REBOUND


class Elsewhere(BaseHTTPRequestHandler):
    """Another site, each of whose pages is empty."""

    def do_GET(self) -> None:
        page = b"<!doctype html><title>Elsewhere</title><link rel=icon href=data:,>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """The address of another site; to a browser localhost and 127.0.0.1 are two."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as site:
        Thread(target=site.serve_forever, daemon=True).start()
        yield f"http://localhost:{site.server_port}/"
        site.shutdown()


@pytest.fixture
def foreign(browser: Browser, elsewhere: str) -> Iterator[Page]:
    """An open page of that site."""
    page = browser.new_page()
    page.goto(elsewhere)
    yield page
    page.close()


FORM = """url => {
  const form = document.createElement("form");
  form.method = "post";
  form.action = url;
  document.body.append(form);
  form.submit();
}"""
SEND = (
    """url => fetch(url, {method: "POST", mode: "no-cors", body: new FormData()}).catch(() => {})"""
)


def test_it_can_post_neither_by_a_form_nor_by_a_script(foreign: Page, server: str) -> None:
    with httpx.Client(base_url=f"{server}/api/v1", timeout=60) as api:
        recipe = {"network": "simple-cnn", "dataset": "optdigits", "epochs": 5000}
        run = api.post("/runs", json=recipe).json()["id"]
        cancel = f"{server}/api/v1/runs/{run}/cancel"
        foreign.evaluate(SEND, cancel)
        assert api.get(f"/runs/{run}").json()["state"] in ("queued", "running")
        with foreign.expect_response(cancel) as answer:
            foreign.evaluate(FORM, cancel)
        assert answer.value.status == 403
        assert api.get(f"/runs/{run}").json()["state"] in ("queued", "running")
        assert api.post(f"/runs/{run}/cancel").status_code == 200


def test_a_request_that_asks_first_is_not_sent(foreign: Page, server: str) -> None:
    said = foreign.evaluate(
        """url => fetch(url, {method: "DELETE"}).then(() => "sent", fault => fault.name)""",
        f"{server}/api/v1/runs/some-run",
    )
    assert said == "TypeError"


def test_it_can_read_nothing(foreign: Page, server: str) -> None:
    for path in ("/", "/api/v1/models", "/healthz"):
        said = foreign.evaluate("url => fetch(url).catch(fault => fault.name)", f"{server}{path}")
        assert said == "TypeError"


def test_it_can_show_neither_pages_nor_pictures_of_ours(foreign: Page, server: str) -> None:
    said = foreign.evaluate(
        """url => new Promise(resolve => {
          const image = new Image();
          image.onload = () => resolve("shown");
          image.onerror = () => resolve("refused");
          image.src = url;
        })""",
        f"{server}/api/v1/models/digits/layers/conv1/filters.png",
    )
    assert said == "refused"
    with foreign.expect_event("framenavigated", lambda frame: frame.url != "about:blank") as moved:
        foreign.evaluate(
            """url => {
              const frame = document.createElement("iframe");
              frame.src = url;
              document.body.append(frame);
            }""",
            server,
        )
    assert moved.value.url == "chrome-error://chromewebdata/"


EMBED = """([name, key, url]) => {
  const element = document.createElement(name);
  element[key] = url;
  element.textContent = "a link";
  document.body.append(element);
}"""


def test_it_can_make_the_server_do_nothing_but_by_a_link(foreign: Page, server: str) -> None:
    measure = f"{server}/api/v1/models/digits/evaluation/events"
    # The browser keeps such answers from the page, and from those who only watch the page.
    told = foreign.context.new_cdp_session(foreign)
    statuses: list[int] = []
    told.on("Network.responseReceivedExtraInfo", lambda said: statuses.append(said["statusCode"]))
    told.send("Network.enable")
    for name in ("img", "script", "iframe"):
        with foreign.expect_event("requestfailed"):
            foreign.evaluate(EMBED, [name, "src", measure])
    with foreign.expect_event("requestfailed"):
        foreign.evaluate("url => void new EventSource(url)", measure)
    assert statuses == [403] * 4
    foreign.evaluate(EMBED, ["a", "href", f"{server}/models"])
    with foreign.expect_response(f"{server}/models") as answer:
        foreign.get_by_role("link").click()
    assert answer.value.status == 200
    assert answer.value.request.header_value("sec-fetch-site") == "cross-site"


def test_it_cannot_pass_for_us_under_a_name_of_its_own(browser: Browser, server: str) -> None:
    """DNS rebinding: the name's address becomes ours, so to the browser it is the same site."""
    page = browser.new_page()
    answer = page.goto(server.replace("127.0.0.1", REBOUND))
    assert answer
    assert answer.status == 421
    expect(page.get_by_role("heading", level=1)).to_have_text("Misdirected Request")
    expect(page.locator("main")).to_contain_text(f"'{REBOUND}'")
    expect(page.locator("main")).to_contain_text("CONVSCOPE_HOSTS")
    assert page.evaluate("document.styleSheets.length") > 0
    statuses = page.evaluate(
        """() => Promise.all([
          fetch("/api/v1/models").then(answer => answer.status),
          fetch("/api/v1/images", {method: "POST", body: new FormData()}).then(one => one.status),
        ])"""
    )
    assert statuses == [421, 421]
    page.close()


def violations(page: Page, action: str) -> list[str]:
    """Which directives a browser sees violated by what a script in the page does."""
    found: list[str] = page.evaluate(
        """action => new Promise(resolve => {
          const found = [];
          document.addEventListener("securitypolicyviolation", event => {
            found.push(event.effectiveDirective);
          });
          action();
          setTimeout(() => resolve(found), 300);
        })""".replace("action()", action)
    )
    return found


@pytest.mark.parametrize(
    ("action", "directive"),
    [
        (
            "document.body.append(document.createRange().createContextualFragment("
            "'<script>window.owned = 1</script>'))",
            "script-src-elem",
        ),
        (
            "document.body.innerHTML = '<img src=data:, onerror=\"window.owned = 1\">'",
            "script-src-attr",
        ),
        ("document.body.innerHTML = '<p style=\"color: red\">'", "style-src-attr"),
        ("document.body.innerHTML = '<style>p {color: red}</style>'", "style-src-elem"),
        ("setTimeout('window.owned = 1')", "script-src"),
        ("fetch('http://localhost:1/').catch(() => {})", "connect-src"),
        ("new Image().src = 'http://localhost:1/'", "img-src"),
        ("document.body.innerHTML = '<iframe src=/></iframe>'", "frame-src"),
        ("document.head.insertAdjacentHTML('beforeend', '<base href=/models/>')", "base-uri"),
        ("document.body.innerHTML = '<object data=/></object>'", "object-src"),
    ],
)
def test_what_is_written_into_a_page_of_ours_does_nothing(
    browser: Browser, server: str, action: str, directive: str
) -> None:
    page = browser.new_page()
    page.goto(f"{server}/models")
    assert directive in violations(page, action)
    assert page.evaluate("window.owned") is None
    page.close()


def test_what_a_test_here_would_see(foreign: Page, server: str) -> None:
    """The other site can do to itself all that it can't do to us: the tests above can fail."""
    own = foreign.url
    assert foreign.evaluate("url => fetch(url).then(answer => answer.status)", own) == 200
    assert httpx.get(own).status_code == 200
    assert violations(foreign, "setTimeout('window.owned = 1')") == []
    assert foreign.evaluate("window.owned") == 1
