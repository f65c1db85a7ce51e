"""Where a token is set: nothing is answered to those who haven't given it."""

from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.web.assets import ROOT
from app.web.entrance import NO_TOKEN, SIGN_IN, SIGN_OUT, Entrance, Refusal, own_address
from app.web.errors import Problem, in_the_wanted_form
from app.web.guard import SAFE
from app.web.token import bearer

OPEN = ("/healthz", SIGN_IN, SIGN_OUT)


class Gate:
    """Passes on the requests of those who are signed in or send the token."""

    def __init__(self, app: ASGIApp, entrance: Entrance) -> None:
        self._app = app
        self._entrance = entrance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or say how to come in."""
        if scope["type"] != "http" or _is_open(scope["path"]):
            return await self._app(scope, receive, send)
        if self._entrance.is_signed_in(scope):
            return await self._app({**scope, "signed_in": True}, receive, send)
        given = bearer(scope)
        refusal = NO_TOKEN if given is None else self._entrance.try_token(scope, given)
        if refusal is None:
            return await self._app(scope, receive, send)
        return await _answer(Request(scope), refusal)(scope, receive, send)


def _is_open(path: str) -> bool:
    # Probes have no token, and the page on which one signs in needs its style sheet.
    return path in OPEN or path.startswith(f"{ROOT}/")


def _answer(request: Request, refusal: Refusal) -> Response:
    if _opens_a_page(request) and refusal is NO_TOKEN:
        here = quote(request.scope["path"])
        if request.url.query:
            here += f"?{request.url.query}"
        return RedirectResponse(f"{SIGN_IN}?{urlencode({'next': own_address(here)})}", 303)
    problem = Problem(refusal.status, refusal.detail, headers=refusal.headers)
    return in_the_wanted_form(request, problem)


def _opens_a_page(request: Request) -> bool:
    accepted, path = request.headers.get("accept", ""), request.url.path
    part = "hx-request" in request.headers
    page = "text/html" in accepted and not path.startswith("/api/")
    return request.method in SAFE and page and not part
