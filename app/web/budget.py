"""How many bytes of requests and answers are held in memory, and how many may be."""

from collections.abc import Mapping

from app.web.errors import Problem

# What was refused for want of memory may be tried again after so many seconds.
RETRY_SECONDS = 2


class Budget:
    """Counts the bytes that are held, up to ``most``. One holder alone may always hold its own."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0

    def take(self, size: int, own: int = 0) -> bool:
        """Hold ``size`` bytes more, beside ``own`` of the same request; or tell that there is no
        room, and hold nothing."""
        if self._held > own and self._held + size > self._most:
            return False
        self._held += size
        return True

    def give_back(self, size: int) -> None:
        """So many bytes are held no longer."""
        self._held -= size


def no_room() -> Problem:
    """What is said where the budget is used up."""
    return Problem(
        503,
        "The server holds as many bytes of other requests and answers as it may. Try again in a "
        "few seconds, or with a smaller request.",
        headers=retry_after(RETRY_SECONDS),
    )


def retry_after(seconds: int) -> Mapping[str, str]:
    """The header that tells a client when to try again."""
    return {"Retry-After": str(seconds)}
