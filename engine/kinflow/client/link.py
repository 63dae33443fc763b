"""The client's end of the wire: lets the engine in, sends and receives without ever blocking."""

import contextlib
import hmac
import secrets
import selectors
import socket
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from ..errors import EngineError, KinflowError, ProtocolError
from .wire import HELLO, LIMITS, PROTOCOL, FrameReader, pack

HELLO_SECONDS = 5.0
MAX_CALLERS = 64
CHUNK = 1 << 20
MAX_CHUNKS = 16  # in one go, so that a poll stays short


@dataclass
class _Caller:
    """Somebody who connected and has not shown the token yet."""

    socket: socket.socket
    reader: FrameReader
    deadline: float


class Link:
    """Listens on a free port of 127.0.0.1 until who knows `token` calls, then talks to it.

    Whoever else connects is turned away, or after HELLO_SECONDS of silence, and keeps nobody
    waiting. inbox: the messages that have come. error: why nothing more will come.
    """

    def __init__(self) -> None:
        self.token = secrets.token_hex(32)
        self.inbox: deque[dict[str, Any]] = deque()
        self.error: KinflowError | OSError | None = None
        self.device = ""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.setblocking(False)
        self._callers: list[_Caller] = []
        self._socket: socket.socket | None = None
        self._reader = FrameReader(HELLO)
        self._unsent: deque[memoryview] = deque()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    @property
    def ready(self) -> bool:
        """Whether the engine has called and shown the token."""
        return self._socket is not None

    def send(self, message: dict[str, Any]) -> None:
        """Queues a message; `poll` sends it. Raises ProtocolError where it cannot travel."""
        self._unsent.extend(map(memoryview, pack(message)))

    def poll(self, timeout: float) -> bool:
        """Moves what can be moved within `timeout` seconds. -> whether anything came."""
        if self.error is not None:
            return False
        try:
            if self._socket is None:
                return self._admit(timeout)
            return self._exchange(self._socket, timeout)
        except (OSError, KinflowError) as error:
            self.error = error
            return False

    def close(self) -> None:
        """Hangs up."""
        self._listener.close()
        if self._socket is not None:
            self._socket.close()
        self._turn_away(self._callers)
        self._unsent.clear()

    def _turn_away(self, callers: list[_Caller]) -> None:
        for caller in callers:
            caller.socket.close()
        self._callers = [c for c in self._callers if c not in callers]

    def _admit(self, timeout: float) -> bool:
        _wait({s: selectors.EVENT_READ for s in (self._listener, *self._sockets())}, timeout)
        with contextlib.suppress(OSError):
            for _ in range(MAX_CALLERS):
                connection, _ = self._listener.accept()
                connection.setblocking(False)
                deadline = time.monotonic() + HELLO_SECONDS
                self._callers.append(_Caller(connection, FrameReader(HELLO), deadline))
        for caller in list(self._callers):
            if self._greet(caller):
                self._callers.remove(caller)
                self._turn_away(self._callers)
                self._listener.close()
                return True
        now = time.monotonic()
        late = [c for c in self._callers if now > c.deadline]
        self._turn_away(late or self._callers[:-MAX_CALLERS])
        return False

    def _sockets(self) -> list[socket.socket]:
        return [caller.socket for caller in self._callers]

    def _greet(self, caller: _Caller) -> bool:
        """Reads what a caller says; whether it is the engine. Raises EngineError for another one's
        protocol."""
        try:
            data = caller.socket.recv(HELLO.header)
            messages = caller.reader.feed(data)
            hello = next(messages, None)
        except BlockingIOError:
            return False
        except (OSError, ProtocolError):
            self._turn_away([caller])
            return False
        if hello is None and data:
            return False
        token = str((hello or {}).get("token")).encode("utf-8", "replace")
        if hello is None or not hmac.compare_digest(token, self.token.encode()):
            self._turn_away([caller])
            return False
        if hello.get("protocol") != PROTOCOL:
            raise EngineError(
                f"The engine speaks protocol {hello.get('protocol')} and this client {PROTOCOL}.",
                "Install the same version of both.",
            )
        self._socket, self._reader = caller.socket, caller.reader
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader.limits = LIMITS
        self.device = str(hello.get("device", ""))
        self.inbox.extend(messages)
        return True

    def _exchange(self, connection: socket.socket, timeout: float) -> bool:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        _wait({connection: events}, timeout)
        try:
            self._write(connection)
        except OSError:
            self._unsent.clear()  # it has gone; what it said before is still there to be read
        return self._read(connection)

    def _write(self, connection: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._unsent:
                sent = connection.send(self._unsent[0][:CHUNK])
                self._unsent[0] = self._unsent[0][sent:]
                if not self._unsent[0]:
                    self._unsent.popleft()

    def _read(self, connection: socket.socket) -> bool:
        came = False
        with contextlib.suppress(BlockingIOError):
            for _ in range(MAX_CHUNKS):
                data = connection.recv(CHUNK)
                if not data:
                    raise ConnectionResetError("it was closed")
                came = True
                for message in self._reader.feed(data):
                    self.inbox.append(message)
        return came


def _wait(sockets: dict[socket.socket, int], timeout: float) -> None:
    """Until one of the sockets can do what is asked of it. (`select` fails beyond 1,024 files.)"""
    with selectors.DefaultSelector() as selector:
        for connection, events in sockets.items():
            selector.register(connection, events)
        selector.select(timeout)
