"""The web server: uvicorn, with an end that leaves nobody without an answer, and comes in time."""

import asyncio
import os
import select
import signal
import socket
from types import FrameType
from typing import NoReturn

import uvicorn

from app.web.ending import Ending

# From the signal on: requests are answered so long, connections kept so long; and whatever a thread
# is at, nothing goes on for longer than this. What is written down is whole at any moment.
ANSWER_SECONDS = 4
GRACE_SECONDS = 5
LAST_SECONDS = 9
# What had arrived before the signal is taken within so many seconds.
TAKE_SECONDS = 1.0
# A connection that was accepted is read in the second turn of the loop.
TURNS = 4


class Server(uvicorn.Server):
    """Ends on SIGTERM and SIGINT; another signal makes it hurry."""

    def __init__(self, config: uvicorn.Config, ending: Ending) -> None:
        super().__init__(config)
        self._ending = ending
        self._loop: asyncio.AbstractEventLoop | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal has come."""
        again = self.should_exit
        # uvicorn would leave the application as it is on a second SIGINT.
        super().handle_exit(signal.SIGTERM, frame)
        self._captured_signals[-1] = sig
        if again and self._loop:
            self._loop.call_soon_threadsafe(self._let_go)
        elif hasattr(signal, "alarm"):
            signal.signal(signal.SIGALRM, _leave)
            signal.alarm(LAST_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take what has arrived, answer it, and end."""
        self._loop = asyncio.get_running_loop()
        await self._take_what_has_arrived()
        ending = asyncio.ensure_future(self._ending.begin(ANSWER_SECONDS))
        letting_go = self._loop.call_later(GRACE_SECONDS, self._let_go)
        await super().shutdown(sockets)
        letting_go.cancel()
        await ending

    async def _take_what_has_arrived(self) -> None:
        """Accept who has come to the door and read what was sent before the signal: uvicorn closes
        connections that it has not heard of a request from."""
        deadline = asyncio.get_running_loop().time() + TAKE_SECONDS
        turns = 0
        while turns < TURNS and asyncio.get_running_loop().time() < deadline:
            turns = 0 if self._somebody_waits() else turns + 1
            await asyncio.sleep(0)

    def _somebody_waits(self) -> bool:
        doors = [door.fileno() for server in self.servers for door in server.sockets]
        poll = select.poll()
        for door in doors:
            poll.register(door, select.POLLIN)
        return bool(poll.poll(0))

    def _let_go(self) -> None:
        """Close what connections there are still."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def _leave(sig: int, frame: FrameType | None) -> NoReturn:
    os.write(2, b"WARNING:  The last of what was being done took too long, and is left undone.\n")
    os._exit(0)
