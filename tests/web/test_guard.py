"""Who may ask, and what browsers are told to allow: every promise of docs/security.md that a header
makes or reads."""

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from app.core.errors import InvalidSettings
from app.main import create_app
from app.settings import Settings, read_settings
from app.web.assets import static_url
from tests.conftest import start_server, stop, wait_until_up
from tests.web import samples
from tests.web.conftest import Refused
from tests.web.test_runs import SHORT, launch

PNG = samples.encode(samples.draw_seven())
PAGES = ["/", "/models", "/models/digits", "/augment", "/runs", "/sweeps", "/docs"]
ANSWERS = [
    "/healthz",
    "/openapi.json",
    "/api/v1/models",
    "/api/v1/models/digits/layers/conv1/filters.png",
    "/api/v1/models/digits/layers/conv1/filters.npy",
]
STATIC_FILES = ["app.css", "icon.svg", "js/theme.js", "vendor/htmx.min.js"]
WANTED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
# All that a page may do: what isn't named here is forbidden.
ALLOWED = {
    "default-src": {"'none'"},
    "script-src": {"'self'"},
    "style-src": {"'self'"},
    "font-src": {"'self'"},
    "img-src": {"'self'", "data:", "blob:"},
    "connect-src": {"'self'"},
    "form-action": {"'self'"},
    "base-uri": {"'none'"},
    "frame-ancestors": {"'none'"},
}


def check_headers(answer: httpx.Response) -> None:
    """Every protecting header is there once, with just what is promised."""
    for name, value in WANTED.items():
        assert answer.headers.get_list(name) == [value]
    (policy,) = answer.headers.get_list("content-security-policy")
    parts = [part.split() for part in policy.split(";")]
    assert {name: set(sources) for name, *sources in parts} == ALLOWED
    assert len(parts) == len(ALLOWED)


@pytest.mark.parametrize("path", [*PAGES, *ANSWERS, *map(static_url, STATIC_FILES)])
def test_every_answer_has_the_headers(api: httpx.Client, path: str) -> None:
    got, headed = api.get(path), api.head(path)
    assert (got.status_code, headed.status_code) == (200, 200)
    check_headers(got)
    check_headers(headed)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/nothing", 404),
        ("GET", static_url("nothing.js"), 404),
        ("DELETE", "/api/v1/images/7", 405),
        ("OPTIONS", "/healthz", 405),
        ("POST", "/api/v1/predict", 415),
        ("POST", "/api/v1/runs", 422),
    ],
)
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_errors_have_them_too(
    api: httpx.Client, method: str, path: str, status: int, accept: str
) -> None:
    answer = api.request(method, path, headers={"Accept": accept})
    assert answer.status_code == status
    check_headers(answer)


def test_a_body_that_is_too_large_and_a_file_that_is_kept_already(api: httpx.Client) -> None:
    large = api.post("/api/v1/predict", content=bytes(51 * 1024 * 1024))
    assert large.status_code == 413
    check_headers(large)
    path = static_url("app.css")
    kept = api.get(path, headers={"If-None-Match": api.get(path).headers["etag"]})
    assert kept.status_code == 304
    check_headers(kept)


def test_a_stream_of_events_has_them(api: httpx.Client, run: str) -> None:
    with api.stream("GET", f"/api/v1/runs/{run}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        check_headers(answer)


async def test_the_answer_to_a_fault_has_them(settings: Settings) -> None:
    application = create_app(settings)

    @application.get("/fault")
    async def fail() -> None:
        raise ZeroDivisionError

    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for accept in ("*/*", "text/html"):
            answer = await client.get("/fault", headers={"Accept": accept})
            assert answer.status_code == 500
            check_headers(answer)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8000",
        "127.0.0.1",
        "127.0.0.1:80",
        "[::1]",
        "[::1]:8000",
        "192.168.1.20:8000",
        "[fd00::1]:8000",
        "localhost:",
    ],
)
def test_addresses_and_localhost_are_answered(api: httpx.Client, host: str) -> None:
    assert api.get("/api/v1/models", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "evil-localhost",
        "127.0.0.1.evil.example",
        "127.0.0.1.",
        "127.1",
        "2130706433",
        "0x7f000001",
        "testserver",
        "localhost\xad",
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/v1/models", "/api/v1/runs", "/nothing"])
def test_another_name_is_refused(api: httpx.Client, refused: Refused, host: str, path: str) -> None:
    answer = api.get(path, headers={b"Host": host.encode("latin-1")})
    assert "CONVSCOPE_HOSTS" in refused(answer, 421)
    check_headers(answer)


@pytest.mark.parametrize(
    "host",
    [
        "",
        ":8000",
        "localhost:x",
        "user@localhost",
        "localhost/evil.example",
        "http://localhost",
        "::1",
        "[::1",
        "[]",
        "[evil.example]",
        "localhost evil.example",
        "localhost,evil.example",
    ],
)
def test_what_is_no_name_is_refused(api: httpx.Client, refused: Refused, host: str) -> None:
    answer = api.get("/api/v1/models", headers={"Host": host})
    assert answer.status_code in (400, 421)
    check_headers(answer)
    refused(answer, answer.status_code)


@pytest.mark.parametrize(
    "lines",
    ["", "Host: localhost\r\nHost: evil.example\r\n", "Host: localhost\r\nHost: localhost\r\n"],
)
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_no_host_and_two_hosts(server: str, lines: str, version: str) -> None:
    request = f"GET /api/v1/models HTTP/{version}\r\n{lines}Connection: close\r\n\r\n"
    assert say(server, request).startswith(b"HTTP/1.1 400 ")


def test_a_target_with_a_name_of_its_own_changes_nothing(server: str) -> None:
    request = "GET http://localhost/api/v1/models HTTP/1.1\r\nHost: evil.example\r\n"
    assert b" 421 " in say(server, f"{request}Connection: close\r\n\r\n")


def test_a_probe_may_ask_by_any_name(server: str, api: httpx.Client) -> None:
    assert api.get("/healthz", headers={"Host": "convscope:8000"}).json()["status"] == "ok"
    assert b" 200 " in say(server, "GET /healthz HTTP/1.0\r\n\r\n")


def test_a_person_is_told_by_a_page_with_its_style(api: httpx.Client) -> None:
    foreign = {"Host": "evil.example", "Accept": "text/html"}
    answer = api.get("/", headers=foreign)
    assert answer.status_code == 421
    assert answer.headers["content-type"].startswith("text/html")
    assert "CONVSCOPE_HOSTS" in answer.text
    assert api.get(static_url("app.css"), headers=foreign).status_code == 200


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that answers to two names besides."""
    folder = tmp_path_factory.mktemp("named")
    process, address = start_server(folder, CONVSCOPE_HOSTS="Atlas.lan, demo.example.org,")
    wait_until_up(address, process)
    yield address
    stop(process)


def test_names_that_are_listed_are_answered(named: str) -> None:
    for host in ("atlas.lan", "ATLAS.lan:8000", "demo.example.org", "localhost", "10.0.0.1"):
        assert httpx.get(f"{named}/api/v1/models", headers={"Host": host}).status_code == 200
    for host in ("evil.example", "lan", "x.atlas.lan", "example.org"):
        assert httpx.get(f"{named}/api/v1/models", headers={"Host": host}).status_code == 421


def test_a_page_under_a_listed_name_may_change_things(named: str) -> None:
    headers = {"Host": "atlas.lan", "Origin": "https://atlas.lan"}
    kept = httpx.post(f"{named}/api/v1/images", files={"image": PNG}, headers=headers)
    assert kept.status_code == 201
    foreign = headers | {"Origin": "https://demo.example.org"}
    answer = httpx.post(f"{named}/api/v1/images", files={"image": PNG}, headers=foreign)
    assert answer.status_code == 403


async def test_a_star_lets_every_name_in(tmp_path: Path) -> None:
    application = create_app(Settings(data_dir=tmp_path, hosts=frozenset({"*"})))
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://any.example") as client:
        assert (await client.get("/openapi.json")).status_code == 200


@pytest.mark.parametrize("names", ["http://atlas.lan", "atlas.lan:8000", "a b", "*.lan", "-"])
def test_a_name_that_cannot_be_is_no_setting(monkeypatch: pytest.MonkeyPatch, names: str) -> None:
    monkeypatch.setenv("CONVSCOPE_HOSTS", names)
    with pytest.raises(InvalidSettings, match="CONVSCOPE_HOSTS"):
        read_settings()


FOREIGN = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://localhost"},
    {"Origin": "http://127.0.0.1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "cross-site", "Origin": "{server}"},
]
LINK = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
# What else a page of another site may make a browser do: pictures, scripts, frames, streams,
# downloads beforehand, windows of other kinds.
WITHIN = [
    {},
    {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
    {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "empty"},
    {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Origin": "http://evil.example"},
    {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "embed"},
    {"Sec-Fetch-Mode": "navigate"},
    {"Sec-Fetch-Dest": "document"},
]
OWN = [
    {},
    {"Origin": "{server}"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "{server}"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://behind.a.proxy.example"},
    {"Sec-Fetch-Site": "none"},
]


def filled(headers: dict[str, str], server: str) -> dict[str, str]:
    return {name: value.format(server=server) for name, value in headers.items()}


@pytest.fixture(scope="module")
def run(api: httpx.Client) -> str:
    return launch(api, SHORT | {"epochs": 1})


@pytest.mark.parametrize("foreign", FOREIGN)
def test_another_sites_page_can_change_nothing(
    server: str, api: httpx.Client, refused: Refused, run: str, foreign: dict[str, str]
) -> None:
    headers = filled(foreign, server)
    for method, path in (
        ("POST", "/api/v1/predict"),
        ("POST", "/api/v1/images"),
        ("POST", "/api/v1/runs"),
        ("POST", f"/api/v1/runs/{run}/cancel"),
        ("PATCH", f"/api/v1/runs/{run}?name=theirs"),
        ("DELETE", f"/api/v1/runs/{run}"),
        ("PUT", "/api/v1/models/simple-cnn/default"),
        ("DELETE", "/api/v1/models/digits"),
        ("POST", "/nothing"),
    ):
        answer = api.request(method, path, headers=headers, content=PNG)
        assert "A page of another site" in refused(answer, 403)
        check_headers(answer)
    assert api.get(f"/api/v1/runs/{run}").json()["name"] == "simple-cnn"
    # To look is no change: a link from elsewhere leads here.
    assert api.get("/", headers=headers | LINK).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site", ""])
@pytest.mark.parametrize("within", WITHIN)
def test_another_sites_page_can_make_the_server_do_nothing(
    api: httpx.Client, refused: Refused, run: str, site: str, within: dict[str, str]
) -> None:
    headers = {"Sec-Fetch-Site": site, "Accept": "*/*"} | within
    for path in (
        "/",
        "/runs",
        "/api/v1/models",
        f"/api/v1/models/{run}@1/evaluation/events",
        f"/api/v1/runs/{run}/events",
        "/api/v1/models/vgg11/layers/classifier.3/filters.png",
        "/nothing",
    ):
        answer = api.get(path, headers=headers)
        assert "A page of another site" in refused(answer, 403)
        check_headers(answer)
        assert api.head(path, headers=headers).status_code == 403
    assert api.options("/api/v1/models", headers=headers).status_code == 403
    # What is the same everywhere is there for everybody.
    assert api.get("/healthz", headers=headers).status_code == 200
    assert api.get(static_url("app.css"), headers=headers).status_code == 200


@pytest.mark.parametrize("site", ["same-origin", "none"])
@pytest.mark.parametrize("within", WITHIN)
def test_its_own_pages_may_show_and_read_everything(
    api: httpx.Client, site: str, within: dict[str, str]
) -> None:
    for path in ("/", "/api/v1/models", "/api/v1/models/digits/layers/conv1/filters.png"):
        headers = {"Sec-Fetch-Site": site} | within
        assert api.get(path, headers=headers).status_code == 200


@pytest.mark.parametrize("own", OWN)
def test_its_own_pages_and_programs_can(
    server: str, api: httpx.Client, own: dict[str, str]
) -> None:
    headers = filled(own, server)
    answer = api.post("/api/v1/predict", files={"image": PNG}, headers=headers)
    assert answer.json()["label"] == "7"


def test_a_refused_body_is_not_waited_for(server: str) -> None:
    head = "POST /api/v1/images HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 1000000\r\n\r\n"
    address = urlsplit(server)
    with socket.create_connection((str(address.hostname), address.port or 80), 30) as connection:
        connection.sendall(head.encode())
        assert connection.recv(12) == b"HTTP/1.1 421"


def say(server: str, request: str) -> bytes:
    """The whole answer to what no client would send."""
    address = urlsplit(server)
    with socket.create_connection((str(address.hostname), address.port or 80), 30) as connection:
        connection.sendall(request.encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))
