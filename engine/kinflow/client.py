"""Drives the engine process: from Blender's timer without blocking, or from a script with plain calls.

Imports numpy and the standard library only. The client listens on a free loopback port and starts the engine, which
connects back and proves itself with a one-time token that it reads from its standard input. The engine ends when that
input closes, so it dies with this process.
"""

from __future__ import annotations

import hmac
import itertools
import os
import secrets
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import errors
from .errors import CancelledError, EngineError, ProtocolError
from .paths import cache_folder
from .records import Camera, FitResult, Observation
from .wire import PROTOCOL, FrameReader, pack

START_TIMEOUT = 60.0
LOG_LINES = 8
MAX_LOG_BYTES = 1 << 20
KEPT_LOGS = 20
_numbers = itertools.count()


@dataclass
class Job:
    """A request under way. `fraction` and `message` say how far it is; `done` when a reply has come."""

    id: int
    method: str
    done: bool = False
    fraction: float = 0.0
    message: str = ""
    value: Any = None
    error: errors.KinflowError | None = None
    on_progress: Callable[[float, str], bool | None] | None = field(default=None, repr=False)

    def result(self) -> Any:
        """The reply's value. Raises the typed error that the engine sent."""
        if self.error is not None:
            raise self.error
        return self.value


class Engine:
    """The engine process, started at the first call and started again after a crash.

    python: the interpreter that has kinflow installed (this one by default). All calls of the public API work as in
    process, with the same numbers; bodies and priors are given by name or path.
    """

    def __init__(
        self,
        python: str | os.PathLike | None = None,
        *,
        idle_shutdown_s: float = 0.0,
        log_path: str | os.PathLike | None = None,
    ) -> None:
        self.python = os.fspath(python or sys.executable)
        self.idle_shutdown_s = idle_shutdown_s
        self.log_path = (
            Path(log_path)
            if log_path
            else cache_folder() / "logs" / f"engine-{os.getpid()}-{next(_numbers)}.log"
        )
        self._process: subprocess.Popen | None = None
        self._socket: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._reader = FrameReader()
        self._outgoing: deque[memoryview] = deque()
        self._jobs: dict[int, Job] = {}
        self._next_id = 0
        self._token = ""
        self._deadline = 0.0
        self.device = ""

    # -- life ---------------------------------------------------------------------------------------------------

    def __enter__(self) -> Engine:
        self.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def ready(self) -> bool:
        return self.running and self._socket is not None

    def start(self, wait: bool = True) -> None:
        """Starts the process where none runs; with wait=False, `poll` completes the handshake."""
        if not self.running:
            self._launch()
        while wait and not self.ready:
            self.poll(0.05)

    def _launch(self) -> None:
        self._drop()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4)
        self._listener.setblocking(False)
        self._token = secrets.token_hex(32)
        command = [
            self.python,
            "-m",
            "kinflow.service",
            "--connect",
            str(self._listener.getsockname()[1]),
        ]
        if self.idle_shutdown_s:
            command += ["--idle", str(self.idle_shutdown_s)]
        environment = {
            k: v
            for k, v in os.environ.items()
            if k not in ("PYTHONHOME", "PYTHONSTARTUP", "PYTHONINSPECT")
        }
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        try:
            self._rotate_log()
            with open(self.log_path, "ab") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    env=environment,
                    close_fds=True,
                    creationflags=flags,
                )
            pipe = self._process.stdin
            assert pipe is not None
            pipe.write(f"{self._token}\n".encode())
            pipe.flush()
        except OSError as error:
            self._drop()
            raise EngineError(
                f"The engine could not be started: {error}.",
                f"Check that {self.python} has kinflow installed.",
            ) from error
        self._deadline = time.monotonic() + START_TIMEOUT

    def _rotate_log(self) -> None:
        """A log over MAX_LOG_BYTES becomes `.1`; of the folder's logs the newest KEPT_LOGS stay."""
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        if self.log_path.exists() and self.log_path.stat().st_size > MAX_LOG_BYTES:
            os.replace(self.log_path, self.log_path.with_suffix(".log.1"))
        logs = sorted(self.log_path.parent.glob("engine-*.log*"), key=lambda p: p.stat().st_mtime)
        for old in logs[:-KEPT_LOGS]:
            old.unlink(missing_ok=True)

    def close(self) -> None:
        """Ends the engine."""
        process, self._process = self._process, None
        if process is not None:
            if process.stdin:
                try:
                    process.stdin.close()
                except OSError:
                    pass
            try:
                process.wait(2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._drop()

    def _drop(self) -> None:
        for name in ("_socket", "_listener"):
            if getattr(self, name) is not None:
                getattr(self, name).close()
                setattr(self, name, None)
        self._reader = FrameReader()
        self._outgoing.clear()

    def log_tail(self) -> str:
        """Last lines that the engine or its libraries printed."""
        try:
            lines = self.log_path.read_text("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-LOG_LINES:])

    def _crashed(self, why: str) -> None:
        tail = self.log_tail()
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            if process.stdin is not None:
                process.stdin.close()
        self._drop()
        error = EngineError(
            why, "The next call starts it again." + (f" Its last words:\n{tail}" if tail else "")
        )
        jobs, self._jobs = self._jobs, {}
        for job in jobs.values():
            job.error, job.done = error, True
        if not jobs:
            raise error

    # -- traffic ------------------------------------------------------------------------------------------------

    def submit(
        self,
        method: str,
        on_progress: Callable[[float, str], bool | None] | None = None,
        **params: Any,
    ) -> Job:
        """Sends a request without waiting; `poll` moves it on."""
        if not self.running:
            self._launch()
        self._next_id += 1
        frame = pack(
            {"id": self._next_id, "seq": self._next_id, "method": method, "params": params}
        )
        job = Job(self._next_id, method, on_progress=on_progress)
        self._jobs[job.id] = job
        self._outgoing.append(memoryview(frame))
        self.poll(0)
        return job

    def cancel(self, job: Job) -> None:
        """Asks the engine to stop a job between two solver iterations; the job then ends with CancelledError."""
        if not job.done and self.running:
            self._outgoing.append(
                memoryview(pack({"id": job.id, "method": "cancel", "params": {}}))
            )
            self.poll(0)

    def poll(self, timeout: float = 0.0) -> None:
        """Sends and receives what is ready, waiting at most `timeout` seconds. Cheap enough for a timer."""
        if self._process is not None and self._process.poll() is not None:
            return self._crashed(
                f"The engine ended unexpectedly (exit code {self._process.returncode})."
            )
        if self._process is None:
            return None
        if self._socket is None:
            return self._handshake(timeout)
        try:
            readable, writable, _ = select.select(
                [self._socket], [self._socket] if self._outgoing else [], [], timeout
            )
            if writable:
                self._send()
            if readable:
                self._receive()
        except (OSError, ProtocolError) as error:
            self._crashed(f"The connection to the engine broke: {error}")
        return None

    def _handshake(self, timeout: float) -> None:
        if time.monotonic() > self._deadline:
            return self._crashed("The engine did not answer in time.")
        assert self._listener is not None
        readable, _, _ = select.select([self._listener], [], [], timeout)
        if not readable:
            return None
        connection, _ = self._listener.accept()
        connection.settimeout(5)
        reader = FrameReader()
        hello: list[dict] = []
        try:
            while not hello:
                data = connection.recv(4096)
                if not data:
                    raise ProtocolError("closed")
                hello = reader.feed(data)
        except (OSError, ProtocolError):
            connection.close()
            return None
        token = hello[0].get("token")
        if not isinstance(token, str) or not hmac.compare_digest(
            token.encode(), self._token.encode()
        ):
            connection.close()  # somebody else knocked: not our engine
            return None
        if hello[0].get("protocol") != PROTOCOL:
            connection.close()
            return self._crashed(
                f"The engine speaks protocol {hello[0].get('protocol')} and this client {PROTOCOL}: install the same version of both."
            )
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket, self._reader = connection, reader
        self._listener.close()
        self._listener = None
        self.device = str(hello[0].get("device", ""))
        return None

    def _send(self) -> None:
        assert self._socket is not None
        while self._outgoing:
            frame = self._outgoing[0]
            try:
                sent = self._socket.send(frame[: 1 << 20])
            except BlockingIOError:
                return
            if sent == len(frame):
                self._outgoing.popleft()
            else:
                self._outgoing[0] = frame[sent:]

    def _receive(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(1 << 20)
        except BlockingIOError:
            return
        if not data:
            raise OSError("it was closed")
        for message in self._reader.feed(data):
            self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        job = self._jobs.get(message.get("id", -1))
        if job is None:
            return
        kind = message.get("kind")
        if kind == "progress":
            job.fraction, job.message = (
                float(message.get("fraction", 0)),
                str(message.get("message", "")),
            )
            if job.on_progress is not None and job.on_progress(job.fraction, job.message) is False:
                self.cancel(job)
            return
        if kind == "error":
            job.error = errors.from_code(
                str(message.get("code")), str(message.get("message")), str(message.get("hint", ""))
            )
        else:
            job.value = message.get("value")
        job.fraction, job.done = 1.0, True
        del self._jobs[job.id]

    def wait(self, job: Job) -> Any:
        """Blocks until a job is done and returns its value. Ctrl+C cancels it."""
        try:
            while not job.done:
                self.poll(0.1)
        except KeyboardInterrupt:
            self.cancel(job)
            raise CancelledError("Interrupted.") from None
        return job.result()

    def call(
        self,
        method: str,
        progress: Callable[[float, str], bool | None] | None = None,
        **params: Any,
    ) -> Any:
        """`submit` and `wait`."""
        return self.wait(self.submit(method, progress, **params))

    # -- the public API, out of process ------------------------------------------------------------------------------

    def observe(
        self,
        photo: Any,
        *,
        boxes: np.ndarray | None = None,
        device: str = "auto",
        fov_degrees: float | None = None,
        models: Sequence[str | os.PathLike] = (),
        parts: bool = False,
    ) -> list[Observation]:
        """As `kinflow.observe`."""
        if isinstance(photo, os.PathLike):
            photo = os.fspath(photo)
        elif isinstance(photo, (list, tuple)):
            photo = [os.fspath(p) if isinstance(p, os.PathLike) else p for p in photo]
        paths = [os.fspath(m) for m in models]
        return self.call(
            "observe",
            photo=photo,
            boxes=boxes,
            device=device,
            fov_degrees=fov_degrees,
            models=paths,
            parts=parts,
        )

    def fit(
        self,
        observations: Observation | Sequence[Observation],
        *,
        body: str | None = None,
        prior: str | None = None,
        camera: Camera | None = None,
        losses: Sequence[str] = ("ka", "ba"),
        solver: str = "lm",
        starts: Sequence[FitResult | None] | str | None = None,
        shared_betas: bool = False,
        device: str = "auto",
        seed: int = 0,
        progress: Callable[[float, str], bool | None] | None = None,
    ) -> list[FitResult]:
        """As `kinflow.fit`."""
        people = [observations] if isinstance(observations, Observation) else list(observations)
        return self.call(
            "fit",
            progress,
            observations=people,
            body=body,
            prior=prior,
            camera=camera,
            losses=list(losses),
            solver=solver,
            starts=starts if starts is None or isinstance(starts, str) else list(starts),
            shared_betas=shared_betas,
            device=device,
            seed=seed,
        )

    def decode(self, z: np.ndarray, prior: str | None = None) -> np.ndarray:
        """Latent codes (B, D) -> rotations (B, 23, 3, 3)."""
        return self.call("decode", z=np.asarray(z, np.float32), prior=prior)

    def encode(self, pose: np.ndarray, prior: str | None = None) -> np.ndarray:
        """Poses (B, 23, 3, 3) or (B, 23, 3) -> codes (B, D)."""
        return self.call("encode", pose=np.asarray(pose, np.float32), prior=prior)

    def sample(
        self, n: int, temperature: float = 1.0, seed: int | None = None, prior: str | None = None
    ) -> np.ndarray:
        """Random poses (n, 23, 3, 3)."""
        return self.call("sample", n=n, temperature=temperature, seed=seed, prior=prior)
