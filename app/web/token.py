"""The token that lets people and programs in, and what a browser is given for it."""

import hashlib
import hmac
import time
from collections.abc import Iterator

from starlette.types import Scope

LASTS = 30 * 24 * 60 * 60
"""Seconds after which a browser has to sign in again."""

_SCHEME = b"bearer "


class Token:
    """What is known of the token: whether another is the same, and what was made from it.

    A browser keeps ``<end>.<HMAC of end>`` as its cookie, whose key is derived from the token: it
    outlives the server, and ends with the token. The key is slow to derive, so that nobody learns
    the token from a cookie by trying many.
    """

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._key = hashlib.scrypt(self._token, salt=b"convscope sign-in", n=2**14, r=8, p=1)
        # Browsers share cookies among the ports of a machine, on which another may serve.
        self.cookie = f"convscope-{self._sign(b'name')[:8]}"

    def is_right(self, token: bytes) -> bool:
        """Whether this is the token; the time that it takes says nothing of it."""
        return hmac.compare_digest(token, self._token)

    def issue(self) -> str:
        """A cookie's value that lets a browser in for ``LASTS`` seconds."""
        end = str(int(time.time()) + LASTS)
        return f"{end}.{self._sign(end.encode())}"

    def is_issued(self, value: str) -> bool:
        """Whether a cookie's value was issued for this token, and hasn't come to its end."""
        end, _, signature = value.partition(".")
        issued = hmac.compare_digest(signature.encode(), self._sign(end.encode()).encode())
        return issued and int(end) > time.time()

    def _sign(self, message: bytes) -> str:
        return hmac.digest(self._key, message, "sha256").hex()


def bearer(scope: Scope) -> bytes | None:
    """The token that a program sends with its request; nothing where it sends none."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    given = headers.get(b"authorization", b"")
    return given[len(_SCHEME) :].strip() if given.lower().startswith(_SCHEME) else None


def cookies(scope: Scope, name: str) -> Iterator[str]:
    """The values of all cookies of a name that a browser sends."""
    wanted = name.encode()
    for header, value in scope["headers"]:
        if header == b"cookie":
            for part in value.split(b";"):
                found, _, content = part.strip().partition(b"=")
                if found == wanted:
                    yield content.decode("latin-1")
