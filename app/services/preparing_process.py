"""Another process that prepares pictures, so that a second core does where many ask at once.

It is a fork of the server, made before the server has threads of its own: all is imported there
already, and the memory is shared. It ends with its end of a socket, however the server does.
Requests and answers take turns on that socket, each behind its length; a request is a line of JSON
and the picture.
"""

import asyncio
import json
import os
import signal
import socket
import struct
import sys
import traceback
from collections import deque
from dataclasses import asdict
from time import perf_counter
from typing import BinaryIO

import torch
from torch import Tensor

from app.core import errors
from app.core.errors import ConvScopeError
from app.core.images import Encoded
from app.core.preparing import prepare
from models.registry import ModelCard, Preprocessing

_REQUEST = struct.Struct("<I")  # bytes that follow
_ANSWER = struct.Struct("<IBd")  # bytes that follow, what they are, seconds that it took
_TENSOR, _REFUSED, _FAULT = range(3)


class ProcessLost(Exception):
    """The process has ended, and with it what it was asked for."""


class PreparingProcess:
    """The server's end: asks for one picture after the other, and tells each answer."""

    def __init__(self, process: int, socket_: socket.socket) -> None:
        self._process = process
        self._socket = socket_
        self._connection: _Connection | None = None

    async def connect(self) -> None:
        """Join the event loop that pictures are asked for in."""
        loop = asyncio.get_running_loop()
        transport, self._connection = await loop.create_unix_connection(
            lambda: _Connection(self._process), sock=self._socket
        )
        self._connection.transport = transport

    @property
    def waiting(self) -> int:
        """How many pictures it was given and hasn't answered."""
        return len(self._connection.waiting) if self._connection else 0

    async def prepare(self, picture: Encoded, card: ModelCard) -> tuple[Tensor, float]:
        """The model's input (1, channels, height, width), and the seconds that it took.

        Raises what decoding and preparing raise, and ProcessLost.
        """
        if self._connection is None:
            raise ProcessLost
        values, seconds = await self._connection.ask(_write_request(picture, card))
        return values.view(1, *card.input_shape), seconds

    def close(self) -> None:
        """Let the process end."""
        if self._connection:
            self._connection.transport.close()
        else:
            self._socket.close()
            os.waitpid(self._process, 0)


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, process: int) -> None:
        self._process = process
        self._received = bytearray()
        self._lost = False
        self.waiting: deque[asyncio.Future[tuple[Tensor, float]]] = deque()

    async def ask(self, request: bytes) -> tuple[Tensor, float]:
        if self._lost:
            raise ProcessLost
        answer: asyncio.Future[tuple[Tensor, float]] = asyncio.get_running_loop().create_future()
        self.waiting.append(answer)
        self.transport.write(_REQUEST.pack(len(request)) + request)
        return await answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= _ANSWER.size:
            length, kind, seconds = _ANSWER.unpack_from(self._received)
            end = _ANSWER.size + length
            if len(self._received) < end:
                return
            content = self._received[_ANSWER.size : end]
            del self._received[:end]
            self._tell(kind, content, seconds)

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True
        # Its end of the socket is closed some moments before it has ended.
        asyncio.get_running_loop().call_later(1, os.waitpid, self._process, os.WNOHANG)
        for answer in self.waiting:
            if not answer.done():
                answer.set_exception(ProcessLost())
        self.waiting.clear()

    def _tell(self, kind: int, content: bytearray, seconds: float) -> None:
        answer = self.waiting.popleft()
        if answer.done():
            pass  # Whoever asked went away meanwhile.
        elif kind == _TENSOR:
            answer.set_result((torch.frombuffer(content, dtype=torch.float32), seconds))
        elif kind == _REFUSED:
            answer.set_exception(_read_refusal(content))
        else:
            answer.set_exception(RuntimeError(content.decode()))


def fork_preparing_process() -> PreparingProcess | None:
    """A process to prepare in; None where there is no second core, or no fork that is safe.

    To be called before anything but OpenBLAS has begun a thread: a fork has none of them, and may
    wait for ever for a lock that one of them held. OpenBLAS prepares itself for forks.
    """
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        return None
    ours, theirs = socket.socketpair()
    process = os.fork()
    if process:
        theirs.close()
        return PreparingProcess(process, ours)
    try:
        ours.close()
        _prepare_until_it_ends(theirs)
    except BaseException:
        traceback.print_exc()
    finally:
        # Whatever the server would do at its end is the server's to do.
        os._exit(0)


def _prepare_until_it_ends(connection: socket.socket) -> None:
    # A terminal and a container's host ask all processes to end. The server still has to answer,
    # and closes the connection when it has.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    torch.set_num_threads(1)
    requests = connection.makefile("rb")
    while request := _read_request(requests):
        kind, content, seconds = _answer(request)
        connection.sendall(_ANSWER.pack(len(content), kind, seconds) + content)


def _read_request(requests: BinaryIO) -> bytes:
    """The next request, or nothing at the end."""
    head = requests.read(_REQUEST.size)
    if len(head) < _REQUEST.size:
        return b""
    (length,) = _REQUEST.unpack(head)
    request = requests.read(length)
    return request if len(request) == length else b""


def _answer(request: bytes) -> tuple[int, bytes, float]:
    begun = perf_counter()
    try:
        kind, content = _TENSOR, _prepare(request)
    except ConvScopeError as error:
        kind, content = _REFUSED, json.dumps([type(error).__name__, str(error)]).encode()
    except Exception:  # The server has to hear of it, whatever it is.
        kind, content = _FAULT, traceback.format_exc().encode()
    return kind, content, perf_counter() - begun


def _prepare(request: bytes) -> bytes:
    line, _, data = request.partition(b"\n")
    asked = json.loads(line)
    how = Preprocessing(**asked["preprocessing"])
    picture = Encoded(data, **asked["picture"]).read()
    return prepare(picture, tuple(asked["shape"]), how).tensor.numpy().tobytes()


def _write_request(picture: Encoded, card: ModelCard) -> bytes:
    line = {
        "picture": {
            "max_pixels": picture.max_pixels,
            "form": picture.form,
            "width": picture.width,
        },
        "shape": card.input_shape,
        "preprocessing": asdict(card.preprocessing),
    }
    return json.dumps(line).encode() + b"\n" + picture.data


def _read_refusal(content: bytearray) -> ConvScopeError:
    name, words = json.loads(content)
    refusal = getattr(errors, name)(words)
    assert isinstance(refusal, ConvScopeError)
    return refusal
