"""The events of runs for all who watch: the history first, then each event as it comes.

A run's history is read once for all its viewers, who share one list and each keep their own place
in it. So a viewer costs no query, and a slow one slows nobody.
"""

import asyncio
from collections.abc import AsyncIterator

from app.services.run_store import ENDED, LoggedEvent, RunStore


class _Watched:
    """A run that somebody watches."""

    def __init__(self, history: "asyncio.Task[list[LoggedEvent]]") -> None:
        self.viewers = 0
        self.events: list[LoggedEvent] = []
        self.changed = asyncio.Event()
        self._history = history

    async def read(self) -> None:
        """Return when the history is there, and all that came since. Raises UnknownRun."""
        history = await asyncio.shield(self._history)
        if not self.events or self.events[0].number > 1:
            known = len(history)
            self.events = history + [event for event in self.events if event.number > known]

    def add(self, event: LoggedEvent) -> None:
        # The end of a run may have been told before it could be written down.
        if self.events and event.number <= self.events[-1].number:
            return
        self.events.append(event)
        self.changed.set()
        self.changed = asyncio.Event()


class RunFeed:
    """Tells viewers, all on one event loop, what is logged in any thread."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._watched: dict[str, _Watched] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def open(self) -> None:
        """Begin, on the running event loop."""
        self._loop = asyncio.get_running_loop()

    def close(self) -> None:
        """Let all viewers go, once they have what is known: nothing comes any more."""
        self._closed = True
        for watched in self._watched.values():
            watched.changed.set()

    def tell(self, event: LoggedEvent) -> None:
        """Pass on an event that has been logged; from any thread."""
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._add, event)

    async def follow(self, run: str, after: int = 0) -> AsyncIterator[LoggedEvent]:
        """The run's events behind number ``after``, until it has ended or this is closed.

        Raises UnknownRun.
        """
        watched = self._watched.get(run) or self._open(run)
        watched.viewers += 1
        try:
            await watched.read()
            place = after
            while True:
                for event in watched.events[place:]:
                    place = event.number
                    yield event
                if len(watched.events) > place:
                    continue  # They came while the others were told.
                if self._closed or watched.events[-1].kind in ENDED:
                    return
                await watched.changed.wait()
        finally:
            watched.viewers -= 1
            if not watched.viewers and self._watched.get(run) is watched:
                del self._watched[run]

    def _open(self, run: str) -> _Watched:
        history = asyncio.ensure_future(asyncio.to_thread(self._store.events, run))
        self._watched[run] = _Watched(history)
        return self._watched[run]

    def _add(self, event: LoggedEvent) -> None:
        if watched := self._watched.get(event.run):
            watched.add(event)
