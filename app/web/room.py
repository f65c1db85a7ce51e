"""Room in memory for a large answer, which is taken before the answer is made."""

from collections.abc import Callable

from fastapi import Request

# An answer of more bytes than this counts, and is handed on in pieces of so many.
PIECE = 256 * 1024
# The scope's way to take room.
ROOM = "convscope.room"


def make_room(request: Request, size: int) -> None:
    """Count the bytes that it takes to make the answer; once it begins, its own size counts.

    Raises HTTPException 503 where others hold too many.
    """
    take: Callable[[int], None] = request.scope[ROOM]
    take(size)
