"""The page on which one signs in with the token, and the way out."""

from dataclasses import dataclass
from typing import Annotated, Literal, TypedDict
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse

from app.web.dependencies import EntranceDep
from app.web.entrance import SIGN_IN, SIGN_OUT, Refusal, own_address
from app.web.pages import render
from app.web.token import LASTS

MOST_BYTES = 16 * 1024
OWN = ("same-origin", "none")

router = APIRouter(include_in_schema=False)


class Kept(TypedDict):
    """How a browser keeps the cookie: out of reach of scripts and of other sites."""

    httponly: bool
    samesite: Literal["strict"]
    secure: bool


@dataclass(frozen=True)
class SignInPage:
    """What ``sign-in.html`` shows: where one will go, and what is wrong with the token given."""

    here: str
    wanted: str
    fault: str | None


@router.get(SIGN_IN, name="sign-in")
def ask(
    request: Request, entrance: EntranceDep, wanted: Annotated[str, Query(alias="next")] = "/"
) -> Response:
    """Asks for the token, unless there is none or the browser is signed in."""
    wanted = own_address(wanted)
    if entrance is None or entrance.is_signed_in(request.scope):
        return RedirectResponse(wanted, 303)
    page = _page(request, wanted, None)
    if request.headers.get("sec-fetch-site", "none") not in OWN:
        # Whoever followed a link from another site may be signed in all the same: the browser keeps
        # the cookie back until a page of ours asks.
        page.headers["Refresh"] = f"0; url={SIGN_IN}?{urlencode({'next': wanted})}"
    return page


@router.post(SIGN_IN)
async def sign_in(request: Request, entrance: EntranceDep) -> Response:
    """Lets the browser in, and on to where it wanted to go."""
    form = await _form(request)
    wanted = own_address(form.get("next", "/"))
    answer = RedirectResponse(wanted, 303)
    if entrance is None:
        return answer
    refusal = entrance.try_token(request.scope, form.get("token", "").strip().encode("latin-1"))
    if refusal:
        return _page(request, wanted, refusal)
    answer.set_cookie(
        entrance.token.cookie, entrance.token.issue(), max_age=LASTS, **_kept(request)
    )
    return answer


@router.post(SIGN_OUT, name="sign-out")
async def sign_out(request: Request, entrance: EntranceDep) -> Response:
    """Makes the browser forget that it was let in."""
    answer = RedirectResponse(SIGN_IN, 303)
    if entrance:
        answer.delete_cookie(entrance.token.cookie, **_kept(request))
    return answer


def _kept(request: Request) -> Kept:
    return Kept(httponly=True, samesite="strict", secure=request.url.scheme == "https")


def _page(request: Request, wanted: str, refusal: Refusal | None) -> Response:
    page = SignInPage("sign-in", wanted, refusal.detail if refusal else None)
    answer = render(request, "sign-in.html", page, refusal.status if refusal else 200)
    answer.headers.update((refusal.headers if refusal else {}) | {"Cache-Control": "no-store"})
    return answer


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form that nobody is known to have sent: a few lines, or it isn't read."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise HTTPException(413, "This is more than a token. Send the form's two fields.")
    # As Latin-1 any bytes are text, and the text is those bytes again.
    return dict(parse_qsl(body.decode("latin-1"), encoding="latin-1"))
