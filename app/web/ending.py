"""The end of the server, from the signal on: known to those who must hurry because of it."""

import asyncio
from collections.abc import Awaitable, Callable


class Ending:
    """``call`` is called once, when the end begins: it ends what would go on for ever.

    ``deadline`` is None until then; afterwards it is the event loop's time by which requests must
    be answered.
    """

    def __init__(self) -> None:
        self.deadline: float | None = None
        self.call: Callable[[], Awaitable[None]] | None = None
        self.hurry: Callable[[], None] = lambda: None
        self._calling: asyncio.Future[None] | None = None

    async def begin(self, seconds: float = 0) -> None:
        """Give requests so many more seconds, and end what would go on; a second call waits for
        the same, with the shorter time."""
        deadline = asyncio.get_running_loop().time() + seconds
        self.deadline = deadline if self.deadline is None else min(deadline, self.deadline)
        self.hurry()
        if self.call and not self._calling:
            self._calling = asyncio.ensure_future(self.call())
        if self._calling:
            await asyncio.shield(self._calling)
