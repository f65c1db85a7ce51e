"""With a token set, nothing is answered without it."""

import socket
import time
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import httpx
import pytest

from app.core.errors import InvalidSettings
from app.settings import read_settings
from app.web.assets import static_url
from app.web.entrance import own_address
from app.web.guesses import ADDRESSES, MOST, SECONDS, Guesses
from app.web.token import LASTS, Token
from tests.conftest import start_server, stop, wait_until_up
from tests.web.samples import draw_seven, encode

TOKEN = "a-Token/of+16~or=more"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PAGE = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with a token, whose log must never say it."""
    folder = tmp_path_factory.mktemp("locked")
    log = folder / "log.txt"
    with log.open("wb") as output:
        process, address = start_server(folder / "data", output.fileno(), CONVSCOPE_TOKEN=TOKEN)
    wait_until_up(address, process)
    yield address
    stop(process)
    words = log.read_text()
    assert TOKEN not in words
    assert "Traceback" not in words, words


# Each test guesses from an address of its own, as the proxy in front of the server says.
@pytest.fixture
def stranger(locked: str, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client that has no token."""
    number = abs(hash(request.node.nodeid)) % 2**16
    headers = {"X-Forwarded-For": f"10.7.{number // 256}.{number % 256}"}
    with httpx.Client(base_url=locked, timeout=60, headers=headers) as client:
        yield client


def sign_in(client: httpx.Client, token: str = TOKEN, wanted: str = "/") -> httpx.Response:
    return client.post("/sign-in", data={"token": token, "next": wanted})


def check_refused(answer: httpx.Response, status: int = 401) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    if status == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert TOKEN not in answer.text
    return str(answer.json()["detail"])


def test_every_operation_needs_the_token(stranger: httpx.Client) -> None:
    document = stranger.get("/openapi.json", headers=BEARER).json()
    asked = 0
    for path, methods in document["paths"].items():
        for method in methods:
            if path == "/healthz":
                continue
            answer = stranger.request(method, path.replace("{", "").replace("}", ""))
            assert "Authorization: Bearer" in check_refused(answer)
            asked += 1
    assert asked > 40


@pytest.mark.parametrize("path", ["/openapi.json", "/nothing", "/api/v1/models", "/sign-in/x"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "TRACE", "PROPFIND"])
def test_nothing_else_is_told_either(stranger: httpx.Client, method: str, path: str) -> None:
    assert stranger.request(method, path).status_code == 401


def test_probes_and_static_files_need_none(stranger: httpx.Client) -> None:
    assert stranger.get("/healthz").json()["status"] == "ok"
    assert stranger.get(static_url("app.css")).status_code == 200
    assert stranger.get("/static/other/app.css").status_code == 401
    assert stranger.get(f"{static_url('')}../../api/v1/models").status_code in (401, 404)


def test_a_program_sends_it(stranger: httpx.Client) -> None:
    picture = encode(draw_seven())
    for scheme in ("Bearer", "bearer", "BEARER"):
        headers = {"Authorization": f"{scheme} {TOKEN}"}
        answer = stranger.post("/api/v1/predict", files={"image": picture}, headers=headers)
        assert answer.json()["label"] == "7"
        assert "set-cookie" not in answer.headers
    assert stranger.get("/api/v1/models").status_code == 401


@pytest.mark.parametrize(
    "sent",
    [
        b"Bearer",
        b"Bearer wrong-but-long-enough",
        f"Bearer {TOKEN[:-1]}".encode(),
        f"Bearer {TOKEN}x".encode(),
        f"Bearer {TOKEN.lower()}".encode(),
        f"Basic {TOKEN}".encode(),
        TOKEN.encode(),
        "Bearer größer".encode(),
        "Bearer größer".encode("latin-1"),
        b"Bearer \xff\xfe",
    ],
)
def test_what_is_not_the_token_lets_nobody_in(stranger: httpx.Client, sent: bytes) -> None:
    check_refused(stranger.get("/api/v1/models", headers={b"Authorization": sent}))


def test_a_refused_upload_is_not_read(stranger: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        yield b"x" * 1000
        time.sleep(1)
        yield b"x" * 1000

    answer = stranger.post("/api/v1/images", content=endless())
    check_refused(answer)


def test_a_page_leads_to_the_form_and_back(stranger: httpx.Client) -> None:
    answer = stranger.get("/runs?compare=a&x=%C3%A4", headers=PAGE)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fruns%3Fcompare%3Da%26x%3D%25C3%25A4"
    form = stranger.get(answer.headers["location"], headers=PAGE)
    assert form.status_code == 200
    assert form.headers["cache-control"] == "no-store"
    assert 'value="/runs?compare=a&amp;x=%C3%A4"' in form.text
    entered = sign_in(stranger, wanted="/runs?compare=a&x=%C3%A4")
    assert (entered.status_code, entered.headers["location"]) == (303, "/runs?compare=a&x=%C3%A4")
    assert stranger.get("/runs", headers=PAGE).status_code == 200
    # Who is signed in isn't asked again.
    assert stranger.get("/sign-in?next=/models").headers["location"] == "/models"


def test_a_part_of_an_open_page_is_told_in_words(stranger: httpx.Client) -> None:
    answer = stranger.get("/?model=digits", headers=PAGE | {"HX-Request": "true"})
    assert "/sign-in" in check_refused(answer)
    assert answer.headers["hx-reswap"] == "none"


def test_the_cookie(stranger: httpx.Client) -> None:
    answer = sign_in(stranger)
    (cookie,) = answer.headers.get_list("set-cookie")
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/", f"max-age={LASTS}"} <= parts
    assert "secure" not in parts
    assert TOKEN not in cookie
    behind = stranger.post(
        "/sign-in", data={"token": TOKEN}, headers={"X-Forwarded-Proto": "https"}
    )
    assert "; secure" in behind.headers["set-cookie"].lower()


def test_a_browser_can_do_all_with_it(stranger: httpx.Client) -> None:
    sign_in(stranger)
    kept = stranger.post("/api/v1/images", files={"image": encode(draw_seven())})
    assert kept.status_code == 201
    assert stranger.get("/docs", headers=PAGE).status_code == 200
    recipe = {"network": "convnet-revisited", "dataset": "optdigits", "epochs": 1}
    run = stranger.post("/api/v1/runs", json=recipe).json()["id"]
    with stranger.stream("GET", f"/api/v1/runs/{run}/events") as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        assert any("event: finished" in line for line in events.iter_lines())


def test_out_again(stranger: httpx.Client) -> None:
    sign_in(stranger)
    assert "Sign out" in stranger.get("/", headers=PAGE).text
    answer = stranger.post("/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert stranger.get("/api/v1/models").status_code == 401
    elsewhere = stranger.post("/sign-out", headers={"Sec-Fetch-Site": "cross-site"})
    assert elsewhere.status_code == 403


def test_a_wrong_token_is_said_in_the_form(stranger: httpx.Client) -> None:
    for wrong in (
        "",
        "wrong-but-long-enough",
        TOKEN.upper(),
        "größer \udcff".encode("utf-8", "replace").decode(),
    ):
        answer = sign_in(stranger, wrong, "/models")
        assert answer.status_code == 401
        assert "This is not the token" in answer.text
        assert 'aria-invalid="true"' in answer.text
        assert 'value="/models"' in answer.text
        assert "set-cookie" not in answer.headers
    for body in (b"", b"\xff\xfe=%FF&token=%FF%00", b"token", b"&" * 5000, b"token=%"):
        head = {"Content-Type": "application/x-www-form-urlencoded"}
        assert stranger.post("/sign-in", content=body, headers=head).status_code == 401


def test_a_form_is_read_up_to_its_size(stranger: httpx.Client) -> None:
    check_refused(sign_in(stranger, "x" * 20_000), 413)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example/",
        "/\t/evil.example/",
        "/\n/evil.example",
        " //evil.example/",
        "///evil.example/",
        "javascript:alert(1)",
        "evil.example",
        "",
        "/\r\nSet-Cookie: a=b",
        "/ä",
        "/sign-in?next=/sign-in",
        "/sign-out",
        "/" + "x" * 5000,
    ],
)
def test_nobody_is_led_to_another_site(stranger: httpx.Client, elsewhere: str) -> None:
    assert own_address(elsewhere) == "/"
    assert 'name="next" value="/"' in stranger.get(f"/sign-in?next={quote(elsewhere)}").text
    answer = sign_in(stranger, wanted=elsewhere)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert stranger.get(f"/sign-in?next={quote(elsewhere)}").headers["location"] == "/"


def test_a_path_that_looks_like_another_site_leads_to_none(locked: str) -> None:
    # httpx would tidy it up.
    address = urlsplit(locked)
    with socket.create_connection((str(address.hostname), address.port or 80), 30) as connection:
        connection.sendall(
            b"GET //evil.example/ HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n"
            b"Connection: close\r\n\r\n"
        )
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b"location: /sign-in?next=%2F\r\n" in answer


def forged(cookie: str) -> Iterator[str]:
    end, _, signature = cookie.partition(".")
    yield f"{int(end) + 1}.{signature}"
    yield f"{end}.{signature[:-1]}"
    yield f"{end}.{signature}0"
    yield f"{end}."
    yield f".{signature}"
    yield signature
    yield TOKEN
    yield f"{end}.\xe4"
    yield "\xe4.\xe4"
    yield "." * 1000
    yield Token("another-token-of-16").issue()


def test_a_cookie_cannot_be_made_without_the_token(stranger: httpx.Client) -> None:
    sign_in(stranger)
    ((name, cookie),) = stranger.cookies.items()
    stranger.cookies.clear()
    for one in forged(cookie):
        headers = {b"Cookie": f"{name}={one}".encode("latin-1")}
        assert stranger.get("/api/v1/models", headers=headers).status_code == 401, one
    # A browser may send others' cookies, too.
    for others in (f"{name}=x; {name}={cookie}", f"a=b;{name}={cookie};;=", f'"; {name}={cookie}'):
        headers = {b"Cookie": others.encode()}
        assert stranger.get("/api/v1/models", headers=headers).status_code == 200


def test_a_cookie_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    cookie = Token(TOKEN).issue()
    assert Token(TOKEN).is_issued(cookie), "it outlives the server"
    monkeypatch.setattr(time, "time", lambda: now + LASTS - 60)
    assert Token(TOKEN).is_issued(cookie)
    monkeypatch.setattr(time, "time", lambda: now + LASTS + 60)
    assert not Token(TOKEN).is_issued(cookie)


def test_another_servers_cookie_is_another(stranger: httpx.Client) -> None:
    assert Token(TOKEN).cookie != Token("another-token-of-16").cookie


def test_guessing_has_an_end(stranger: httpx.Client) -> None:
    wrong = {"Authorization": "Bearer wrong-but-long-enough"}
    for _ in range(MOST):
        check_refused(stranger.get("/api/v1/models", headers=wrong))
    answer = stranger.get("/api/v1/models", headers=wrong)
    assert "too many wrong tokens" in check_refused(answer, 429)
    assert 1 <= int(answer.headers["retry-after"]) <= SECONDS
    # The right one isn't looked at either, or it would be told from the others.
    check_refused(stranger.get("/api/v1/models", headers=BEARER), 429)
    form = sign_in(stranger)
    assert form.status_code == 429
    assert "too many wrong tokens" in form.text
    assert int(form.headers["retry-after"]) >= 1
    # Without a token nothing is guessed, and others go on.
    check_refused(stranger.get("/api/v1/models"))
    other = {"X-Forwarded-For": "192.0.2.77"}
    assert stranger.get("/api/v1/models", headers=BEARER | other).status_code == 200


def test_who_is_signed_in_stays_so_while_others_guess(stranger: httpx.Client) -> None:
    sign_in(stranger)
    wrong = {"Authorization": "Bearer wrong-but-long-enough"}
    with httpx.Client(base_url=stranger.base_url, headers=stranger.headers) as guesser:
        for _ in range(MOST + 1):
            answer = guesser.get("/api/v1/models", headers=wrong)
    assert answer.status_code == 429
    assert stranger.get("/api/v1/models").status_code == 200


def at(host: str) -> dict[str, object]:
    return {"client": (host, 1)}


def test_guesses_are_counted_by_address_and_forgotten() -> None:
    now = 0.0
    guesses = Guesses(lambda: now)
    for _ in range(MOST):
        assert guesses.wait(at("192.0.2.1")) == 0
        guesses.note(at("192.0.2.1"))
    assert guesses.wait(at("192.0.2.1")) == SECONDS
    assert guesses.wait(at("192.0.2.2")) == 0
    now = SECONDS - 0.5
    assert guesses.wait(at("192.0.2.1")) == 1
    now = SECONDS
    assert guesses.wait(at("192.0.2.1")) == 0
    guesses.note(at("192.0.2.1"))
    assert guesses.wait(at("192.0.2.1")) == 0


def test_a_machine_of_many_addresses_is_one() -> None:
    guesses = Guesses(lambda: 0.0)
    for number in range(MOST):
        guesses.note(at(f"2001:db8::{number:x}"))
    assert guesses.wait(at("2001:db8::ffff"))
    assert guesses.wait(at("2001:db8:0:1::1")) == 0
    for number in range(MOST):
        guesses.note(at(f"no address {number}"))
    assert guesses.wait(at("another" * 1000))


def test_the_memory_of_guesses_is_bounded() -> None:
    guesses = Guesses(lambda: 0.0)
    for number in range(2 * ADDRESSES):
        for _ in range(MOST):
            guesses.note(at(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"))
    waiting = sum(
        guesses.wait(at(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")) > 0
        for number in range(2 * ADDRESSES)
    )
    assert waiting == ADDRESSES


@pytest.mark.parametrize(
    "token",
    ["", "short", "x" * 15, "sixteen letters and spaces", "a-Token-with-ä-in-it", "x" * 16 + "\n"],
)
def test_a_weak_token_is_no_setting(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("CONVSCOPE_TOKEN", token)
    with pytest.raises(InvalidSettings, match=r"CONVSCOPE_TOKEN: .*16 characters") as caught:
        read_settings()
    assert not token or token.strip() not in str(caught.value).split()
    assert caught.value.__cause__ is None


def test_the_settings_do_not_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVSCOPE_TOKEN", TOKEN)
    settings = read_settings()
    assert TOKEN not in repr(settings) + str(settings) + settings.model_dump_json()


def test_without_a_token_there_is_no_form(server: str) -> None:
    with httpx.Client(base_url=server) as client:
        assert client.get("/sign-in?next=/models").headers["location"] == "/models"
        assert client.post("/sign-in", data={"token": "x"}).headers["location"] == "/"
        assert client.post("/sign-out").headers["location"] == "/sign-in"
        assert "Sign out" not in client.get("/").text
