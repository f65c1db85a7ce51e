"""Who may ask, and what a browser may do with the answer: docs/security.md says against what."""

import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.assets import ROOT
from app.web.errors import Problem, in_the_wanted_form

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        # data: the icons of Swagger UI's style sheet; blob: pictures that a page has fetched.
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_RAW = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

ANY = "*"
SAFE = ("GET", "HEAD", "OPTIONS")
# What a browser says of a page that it opens by itself, in a tab: by a link, not within a page.
_OPENED = {b"sec-fetch-mode": b"navigate", b"sec-fetch-dest": b"document"}

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:/@\[\]]+)(:[0-9]*)?")


class Guard:
    """Refuses requests under a foreign name and what other sites' pages ask for, but for links that
    lead here, and adds ``HEADERS`` to every answer.

    ``hosts`` are the names, in small letters, that the server answers to besides localhost and
    addresses; ``*`` stands for any.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._names = {"localhost", *hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_RAW]}
            await send(message)

        problem = self._wrong_host(scope) or _foreign_page(scope)
        if problem is None:
            return await self._app(scope, receive, add)
        answer = in_the_wanted_form(Request(scope), problem)
        return await answer(scope, receive, add)

    def _wrong_host(self, scope: Scope) -> Problem | None:
        # Probes ask by any name, and the page that says what is wrong needs its style sheet.
        if ANY in self._names or _is_for_all(scope):
            return None
        given = [value for name, value in scope["headers"] if name == b"host"]
        parts = _HOST.fullmatch(given[0].decode("latin-1").lower()) if len(given) == 1 else None
        if parts is None:
            return Problem(400, "Send one Host header that names this server, as localhost:8000.")
        if (name := parts[1]) in self._names or _is_address(name):
            return None
        return Problem(
            421,
            f"This server doesn't answer to the name {name[:80]!r}. If the name is meant to lead "
            f"here, list it in CONVSCOPE_HOSTS and start the server again; else open the server "
            "by its address.",
        )


def _is_address(host: str) -> bool:
    """Whether a host is no name but an IP address: nobody can make such a one point elsewhere."""
    try:
        IPv6Address(host[1:-1]) if host.startswith("[") else IPv4Address(host)
    except ValueError:
        return False
    return True


def _is_for_all(scope: Scope) -> bool:
    """Whether it is asked for what is the same everywhere, and takes no work."""
    path: str = scope["path"]
    return path == "/healthz" or path.startswith(f"{ROOT}/")


def _foreign_page(scope: Scope) -> Problem | None:
    """What a browser says of the page that asks; programs say nothing."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
    if site in (b"same-origin", b"none"):
        return None
    if scope["method"] in SAFE:
        return _embedded(scope, headers) if site is not None else None
    own = origin is None or _authority(origin) == headers.get(b"host", b"").lower()
    if site is None and own:
        return None
    return Problem(
        403,
        "A page of another site asked for this change. Use ConvScope's own pages, or a program "
        "that sends neither Sec-Fetch-Site nor Origin. A proxy in front of the server must hand "
        "on the Host header as it came.",
    )


def _embedded(scope: Scope, headers: dict[bytes, bytes]) -> Problem | None:
    """Refuses another site's page what it asks for behind its reader's back: that can't read the
    answer, but could keep the server at work."""
    if _is_for_all(scope) or _OPENED.items() <= headers.items():
        return None
    return Problem(
        403,
        "A page of another site asked for this, to show or read it there. Open the address itself, "
        "in a tab of its own, or ask by a program that doesn't send Sec-Fetch-Site.",
    )


def _authority(origin: bytes) -> bytes:
    """Name and port of an origin; nothing of the opaque origin ``null``."""
    return origin.lower().partition(b"://")[2]
