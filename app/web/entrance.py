"""Where a token is set: whom it lets in, and why not."""

from dataclasses import dataclass, field

from starlette.types import Scope

from app.web.guesses import Guesses
from app.web.token import Token, cookies

SIGN_IN = "/sign-in"
SIGN_OUT = "/sign-out"

LONGEST_ADDRESS = 2000


@dataclass(frozen=True)
class Refusal:
    """Why a token doesn't let in, as an answer."""

    status: int
    detail: str
    headers: dict[str, str] = field(default_factory=dict)


NO_TOKEN = Refusal(
    401,
    f"This server asks for a token. Sign in at {SIGN_IN} and come back, or send the header "
    "Authorization: Bearer <token>.",
    {"WWW-Authenticate": "Bearer"},
)
WRONG_TOKEN = Refusal(
    401,
    "This is not the token. It is what CONVSCOPE_TOKEN was set to when the server was started.",
    {"WWW-Authenticate": 'Bearer error="invalid_token"'},
)


class Entrance:
    """Knows the token, what it has issued, and who guesses."""

    def __init__(self, token: str) -> None:
        self.token = Token(token)
        self._guesses = Guesses()

    def is_signed_in(self, scope: Scope) -> bool:
        """Whether a request brings a cookie that was issued for the token."""
        return any(self.token.is_issued(one) for one in cookies(scope, self.token.cookie))

    def try_token(self, scope: Scope, token: bytes) -> Refusal | None:
        """Nothing where the token is right. After many wrong ones from an address, those from
        there are not looked at for a while."""
        if wait := self._guesses.wait(scope):
            return Refusal(
                429,
                f"There were too many wrong tokens from your address. Try again in {wait} seconds.",
                {"Retry-After": str(wait)},
            )
        if self.token.is_right(token):
            return None
        self._guesses.note(scope)
        return WRONG_TOKEN


def own_address(text: str) -> str:
    """The address of a page of ours to go to; the first page where the text is another site's.

    Browsers take ``//name``, ``/\\name`` and either with a tab within for another site.
    """
    plain = all("!" <= letter <= "~" and letter != "\\" for letter in text)
    own = text.startswith("/") and not text.startswith("//")
    page = text.partition("?")[0] not in (SIGN_IN, SIGN_OUT)
    return text if plain and own and page and len(text) <= LONGEST_ADDRESS else "/"
