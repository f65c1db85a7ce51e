"""How often an address has sent a wrong token."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil

from starlette.types import Scope

MOST = 10
"""Wrong tokens within ``SECONDS`` after which none from their address is looked at."""
SECONDS = 60
ADDRESSES = 4096
"""How many addresses are remembered; the one that guessed longest ago is forgotten first."""


@dataclass
class _Tally:
    wrong: int
    until: float


class Guesses:
    """Counts wrong tokens by address. ``clock`` tells the time in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tallies: OrderedDict[str, _Tally] = OrderedDict()

    def wait(self, scope: Scope) -> int:
        """Seconds until a token from the address of this request is looked at again."""
        tally = self._tallies.get(_address(scope))
        if tally is None or tally.wrong < MOST:
            return 0
        return ceil(max(0, tally.until - self._clock()))

    def note(self, scope: Scope) -> None:
        """A token from the address of this request was wrong."""
        address, now = _address(scope), self._clock()
        tally = self._tallies.pop(address, None)
        if tally is None or tally.until <= now:
            tally = _Tally(0, now + SECONDS)
        tally.wrong += 1
        self._tallies[address] = tally
        if len(self._tallies) > ADDRESSES:
            self._tallies.popitem(last=False)


def _address(scope: Scope) -> str:
    """The client's address; of IPv6 its network, as each machine has very many addresses."""
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ip_address(host)
    except ValueError:
        return ""  # A proxy may hand on anything for an address, and as much of it as it likes.
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return host
