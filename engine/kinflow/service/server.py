"""The request loop. One thread reads frames, the main thread computes."""

from __future__ import annotations

import inspect
import logging
import os
import queue
import socket
import threading
import time
from typing import Any

from ..errors import CancelledError, InvalidInputError, KinflowError, ProtocolError
from ..wire import PROTOCOL, FrameReader, pack
from .methods import METHODS, NEWEST_WINS

log = logging.getLogger("kinflow.service")
PROGRESS_INTERVAL = 0.05


class Server:
    """Answers one client. `serve` returns when the connection ends or `shutdown` is asked for."""

    def __init__(self, connection: socket.socket, idle_shutdown_s: float = 0.0) -> None:
        self._connection = connection
        self._idle = idle_shutdown_s
        self._requests: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._cancelled: set[int] = set()
        self._newest: dict[str, int] = {}
        self._write_lock = threading.Lock()

    def serve(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()
        with self._connection:
            self._loop()

    def _loop(self) -> None:
        while True:
            try:
                request = self._requests.get(timeout=self._idle or None)
            except queue.Empty:
                log.info("idle for %.0f s, ending", self._idle)
                return
            if request is None:
                return
            if request.get("method") == "shutdown":
                self._reply(request, {"kind": "result", "value": None})
                return
            self._answer(request)

    def _read(self) -> None:
        reader = FrameReader()
        try:
            while data := self._connection.recv(1 << 20):
                for message in reader.feed(data):
                    self._sort(message)
        except ProtocolError as error:
            # the stream cannot be followed any more: say so, and close
            log.warning("bad frame: %s", error)
            self._send(
                {
                    "id": None,
                    "kind": "error",
                    "code": error.code,
                    "message": error.message,
                    "hint": error.hint,
                }
            )
        except OSError as error:
            log.info("connection ended: %s", error)
        self._requests.put(None)

    def _sort(self, message: dict[str, Any]) -> None:
        method, number = message.get("method"), message.get("id")
        if method == "cancel" and isinstance(number, int):
            self._cancelled.add(number)
            return
        if isinstance(method, str) and method in NEWEST_WINS and isinstance(number, int):
            self._newest[method] = number
        self._requests.put(message)

    def _answer(self, request: dict[str, Any]) -> None:
        number, method = request.get("id"), request.get("method")
        if not isinstance(number, int):
            number = None
        last_report = 0.0

        def progress(fraction: float, text: str) -> bool | None:
            nonlocal last_report
            if number in self._cancelled:
                return False
            now = time.monotonic()
            if now - last_report > PROGRESS_INTERVAL:
                last_report = now
                self._reply(
                    request, {"kind": "progress", "fraction": float(fraction), "message": text}
                )
            return None

        try:
            function = METHODS.get(method) if isinstance(method, str) else None
            params = request.get("params", {})
            if function is None or not isinstance(params, dict):
                raise InvalidInputError(
                    f"The engine has no method '{method}'.", "Update the client or the engine."
                )
            if number in self._cancelled:
                raise CancelledError("The job was cancelled before it began.")
            if method in NEWEST_WINS and self._newest.get(method) != number:
                raise CancelledError("A newer request replaced this one.")
            try:
                inspect.signature(function).bind(progress, **params)
            except TypeError as error:
                raise InvalidInputError(f"{method}: {error}.") from error
            self._reply(request, {"kind": "result", "value": function(progress, **params)})
        except KinflowError as error:
            self._reply(
                request,
                {"kind": "error", "code": error.code, "message": error.message, "hint": error.hint},
            )
        except (
            Exception
        ) as error:  # the server lives on, whatever a request does; the log has the traceback
            log.exception("request %s failed", method)
            message = f"The engine failed on '{method}': {type(error).__name__}: {error}"
            self._reply(
                request,
                {
                    "kind": "error",
                    "code": "error",
                    "message": message,
                    "hint": "See the engine's log.",
                },
            )
        finally:
            self._cancelled.discard(number)

    def _reply(self, request: dict[str, Any], message: dict[str, Any]) -> None:
        self._send({"id": request.get("id"), "seq": request.get("seq")} | message)

    def _send(self, message: dict[str, Any]) -> None:
        try:
            frame = pack(message)
        except ProtocolError as error:
            frame = pack(
                {
                    "id": message.get("id"),
                    "kind": "error",
                    "code": error.code,
                    "message": error.message,
                    "hint": error.hint,
                }
            )
        with self._write_lock:
            try:
                self._connection.sendall(frame)
            except OSError:
                self._requests.put(None)


def connect_back(port: int, token: str, device: str, idle_shutdown_s: float = 0.0) -> Server:
    """Connects to the client that started this process and says hello."""
    from .. import __version__

    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.settimeout(None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(
        pack(
            {
                "token": token,
                "protocol": PROTOCOL,
                "version": __version__,
                "device": device,
                "pid": os.getpid(),
            }
        )
    )
    return Server(connection, idle_shutdown_s)
