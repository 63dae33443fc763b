"""The request loop. One thread reads frames, the main thread computes."""

import contextlib
import inspect
import logging
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .. import __version__
from ..client.wire import PROTOCOL, FrameReader, pack
from ..errors import CancelledError, InvalidInputError, KinflowError, ProtocolError

log = logging.getLogger("kinflow.service")
PROGRESS_INTERVAL = 0.05
MAX_WAITING = 1000
GOODBYE_SECONDS = 1.0
NEWEST_WINS = frozenset({"refit", "decode"})
Method = Callable[..., Any]


@dataclass
class Request:
    """A request that waits or is worked on; `stop` says why it should not be finished."""

    number: int
    method: str
    params: dict[str, Any]
    stop: str = ""


class Server:
    """Answers one client. `serve` returns when the connection ends, or after `idle` seconds."""

    def __init__(
        self, connection: socket.socket, methods: Mapping[str, Method], idle: float = 0.0
    ) -> None:
        self._connection = connection
        self._methods = methods
        self._idle = idle
        self._queue: queue.Queue[Request | None] = queue.Queue()
        self._live: dict[int, Request] = {}
        self._lock = threading.Lock()
        self._write_lock = threading.Lock()

    def serve(self) -> None:
        """Works until the client goes."""
        reader = threading.Thread(target=self._read, name="reader", daemon=True)
        reader.start()
        try:
            self._loop()
        finally:
            reader.join(GOODBYE_SECONDS)
            self._connection.close()

    def _loop(self) -> None:
        while True:
            try:
                request = self._queue.get(timeout=self._idle or None)
            except queue.Empty:
                log.info("idle for %.0f s, ending", self._idle)
                with contextlib.suppress(OSError):
                    self._connection.shutdown(socket.SHUT_RDWR)
                return
            if request is None:
                return
            self._answer(request)

    # -- reading, in a thread of its own ---------------------------------------------------------

    def _read(self) -> None:
        """However this ends, the main thread and the client hear of it."""
        reader = FrameReader()
        try:
            while data := self._connection.recv(1 << 20):
                for message in reader.feed(data):
                    self._sort(message)
        except OSError as error:
            log.info("connection ended: %s", error)
        except ProtocolError as error:
            log.warning("bad frame: %s", error)
            self._send({"id": None} | _error(error))
        except Exception as error:
            log.exception("the reader failed")
            self._send({"id": None} | _error(_failure("reading", error)))
        finally:
            self._end()
        self._drain()

    def _drain(self) -> None:
        """What still comes is thrown away, for a while: closing on unread bytes would make the
        client's system drop the last answer."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)
            self._connection.settimeout(GOODBYE_SECONDS)
            deadline = time.monotonic() + GOODBYE_SECONDS
            while time.monotonic() < deadline and self._connection.recv(1 << 20):
                pass

    def _end(self) -> None:
        """Nobody listens any more: what runs is stopped, what waits is dropped."""
        with self._lock:
            for request in self._live.values():
                request.stop = "The client has gone."
        self._queue.put(None)

    def _sort(self, message: dict[str, Any]) -> None:
        number, method, params = (message.get(name) for name in ("id", "method", "params"))
        if type(number) is not int or not isinstance(method, str) or not isinstance(params, dict):
            raise ProtocolError("A request has an id, a method and its params.")
        with self._lock:
            if method == "cancel":
                if number in self._live:
                    self._live[number].stop = "The job was cancelled."
                return
            if number in self._live or len(self._live) >= MAX_WAITING:
                raise ProtocolError("A request's id is in use, or too many requests wait.")
            if method in NEWEST_WINS:
                for request in self._live.values():
                    if request.method == method:
                        request.stop = "A newer request replaced this one."
            self._live[number] = request = Request(number, method, params)
        self._queue.put(request)

    # -- answering ---------------------------------------------------------------------------------

    def _answer(self, request: Request) -> None:
        try:
            if request.stop:
                raise CancelledError(request.stop)
            answer = {"kind": "result", "value": self._call(request)}
            self._send({"id": request.number} | answer)
        except KinflowError as error:
            self._send({"id": request.number} | _error(error))
        except Exception as error:  # the server lives on, whatever a request does
            log.exception("request %.100r failed", request.method)
            failure = _failure(f"'{request.method:.100}'", error)
            self._send({"id": request.number} | _error(failure))
        finally:
            with self._lock:
                self._live.pop(request.number, None)

    def _call(self, request: Request) -> Any:
        last_report = 0.0

        def progress(fraction: float, text: str) -> bool | None:
            nonlocal last_report
            if request.stop:
                return False
            now = time.monotonic()
            if now - last_report > PROGRESS_INTERVAL:
                last_report = now
                report = {"kind": "progress", "fraction": float(fraction), "message": text}
                self._send({"id": request.number} | report)
            return None

        function = self._methods.get(request.method)
        if function is None:
            raise InvalidInputError(
                f"The engine has no method '{request.method:.100}'.",
                "Update the client or the engine.",
            )
        try:
            inspect.signature(function).bind(progress, **request.params)
        except TypeError as error:
            raise InvalidInputError(f"{request.method}: {error}.") from error
        return function(progress, **request.params)

    def _send(self, message: dict[str, Any]) -> None:
        """Raises ProtocolError, before anything is sent, for what cannot travel."""
        frames = pack(message)
        with self._write_lock:
            try:
                for frame in frames:
                    self._connection.sendall(frame)
            except OSError:
                self._end()


def _error(error: KinflowError) -> dict[str, Any]:
    return {"kind": "error", "code": error.code, "message": error.message, "hint": error.hint}


def _failure(what: str, error: Exception) -> KinflowError:
    name = type(error).__name__
    return KinflowError(f"The engine failed on {what}: {name}: {error}", "See the engine's log.")


def connect_back(
    port: int, token: str, methods: Mapping[str, Method], device: str, idle: float = 0.0
) -> Server:
    """Connects to the client that started this process and says hello."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.settimeout(None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    hello = {"token": token, "protocol": PROTOCOL, "version": __version__, "device": device}
    for frame in pack(hello | {"pid": os.getpid()}):
        connection.sendall(frame)
    return Server(connection, methods, idle)
