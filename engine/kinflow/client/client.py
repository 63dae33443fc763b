"""Jobs for the engine: it is started, asked, watched and ended.

From Blender's timer: `submit`, then `poll` until `job.done`; neither blocks. The engine ends when
this process does. A Client belongs to one thread.
"""

import contextlib
import itertools
import math
import os
import sys
import time
from pathlib import Path
from typing import Any, Self

from .. import errors
from ..errors import CancelledError, EngineError, ProtocolError
from ..paths import cache_folder
from ..records import FitResult
from .job import Job, Progress
from .link import Link
from .process import EngineProcess
from .values import without_mesh

START_TIMEOUT = 120.0
CANCEL_TIMEOUT = 30.0
LAST_WORDS = 1.0  # seconds for a process to end by itself once it has hung up
_numbers = itertools.count()
_PATHS = ("photo", "photos", "inputs", "out", "models")
_NAMES_OR_PATHS = ("body", "prior")


class Client:
    """The engine process, started at the first call and started again after a crash.

    python: the interpreter that has kinflow installed (this one by default). idle_shutdown_s: it
    ends after so long without a request; 0: never.
    """

    def __init__(
        self,
        python: str | os.PathLike[str] | None = None,
        *,
        idle_shutdown_s: float = 0.0,
        log_path: str | os.PathLike[str] | None = None,
    ) -> None:
        self.python = os.fspath(python or sys.executable)
        self.idle_shutdown_s = idle_shutdown_s
        name = f"engine-{os.getpid()}-{next(_numbers)}.log"
        self.log_path = Path(log_path) if log_path else cache_folder() / "logs" / name
        self._process: EngineProcess | None = None
        self._link: Link | None = None
        self._jobs: dict[int, Job] = {}
        self._next_id = 0
        self._deadline = 0.0
        self._ended = EngineError("The engine does not run.")

    # -- life -----------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    @property
    def running(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.running

    @property
    def ready(self) -> bool:
        """Whether it runs and has called back."""
        return self.running and self._link is not None and self._link.ready

    @property
    def device(self) -> str:
        """What the engine computes on; "" until it is ready."""
        return self._link.device if self._link is not None else ""

    def log_tail(self) -> str:
        """Last lines that the engine or its libraries printed."""
        return self._process.log_tail() if self._process is not None else ""

    def start(self, wait: bool = True) -> None:
        """Starts the process where none runs; with wait=False, `poll` completes the handshake.

        Raises EngineError, with what the process printed, where it does not come up.
        """
        self._launch()
        link = self._link
        while wait and not self.ready:
            self.poll(0.05)
            if self._process is None:
                if link is not None and link.ready:
                    return  # it came up, and ended by itself before anybody looked
                raise self._ended

    def _launch(self) -> None:
        if self.running:
            return
        with contextlib.suppress(EngineError):  # it ended while nobody looked: its jobs are told
            self.poll()
        self.close()
        try:
            link = Link()
        except OSError as error:
            raise EngineError(f"No port of 127.0.0.1 can be opened: {error}.") from error
        arguments = ["--connect", str(link.port)]
        if self.idle_shutdown_s:
            arguments += ["--idle", str(self.idle_shutdown_s)]
        try:
            self._process = EngineProcess(self.python, arguments, link.token, self.log_path)
        except EngineError:
            link.close()
            raise
        self._link = link
        self._deadline = time.monotonic() + START_TIMEOUT

    def close(self) -> None:
        """Ends the engine, and every job that is under way as cancelled."""
        self._hang_up()
        self._end_jobs(CancelledError, "The engine was closed.", "")

    def _hang_up(self) -> None:
        process, self._process = self._process, None
        link, self._link = self._link, None
        if process is not None:
            process.end()
        if link is not None:
            link.close()

    def _end_jobs(self, kind: type[errors.KinflowError], message: str, hint: str) -> None:
        jobs, self._jobs = self._jobs, {}
        for job in jobs.values():
            job.end(error=kind(message, hint))

    def _fail(self, why: str) -> None:
        """Ends the process and all jobs. Raises where there are no jobs to tell it."""
        process, link = self._process, self._link
        assert process is not None and link is not None
        link.close()
        code = process.wait(LAST_WORDS)
        if code is not None and not isinstance(link.error, errors.KinflowError):
            when = "unexpectedly" if link.ready else "before it was ready"
            why = f"The engine ended {when} (exit code {code})."
        tail = process.log_tail()
        hint = "The next call starts it again."
        if not link.ready:
            hint = f"Check that {self.python} has kinflow installed."
        if tail:
            hint = f"{hint} It printed:\n{tail}"
        self._hang_up()
        self._ended = EngineError(why, hint)
        if not self._jobs and (code != 0 or not link.ready):
            raise self._ended
        self._end_jobs(EngineError, why, hint)

    # -- traffic --------------------------------------------------------------------------------

    def submit(self, method: str, on_progress: Progress | None = None, **params: Any) -> Job:
        """Sends a request without waiting; `poll` moves it on.

        Paths may be relative to this process' working folder. Results travel without their mesh,
        unless `mesh=True` asks for it.
        """
        params = {name: _for_the_engine(name, value) for name, value in params.items()}
        self._launch()
        assert self._link is not None
        self._next_id += 1
        job = Job(self._next_id, method, on_progress=on_progress)
        self._link.send({"id": job.id, "method": method, "params": params})
        self._jobs[job.id] = job
        self.poll()
        return job

    def cancel(self, job: Job) -> None:
        """Asks the engine to stop a job between two iterations; it then ends with CancelledError.

        An engine that has not stopped after CANCEL_TIMEOUT is ended.
        """
        if self._jobs.get(job.id) is not job or self._link is None:
            return
        job.give_up = min(job.give_up, time.monotonic() + CANCEL_TIMEOUT)
        self._link.send({"id": job.id, "method": "cancel", "params": {}})
        self.poll()

    def poll(self, timeout: float = 0.0) -> None:
        """Sends and receives what is ready, waiting at most `timeout` seconds; for a timer.

        A crash ends all jobs with EngineError; it is raised here only where there are none.
        """
        process, link = self._process, self._link
        if process is None or link is None:
            return
        alive = process.running  # asked first: what it sent before it ended is still read below
        link.poll(timeout if alive else 0)
        self._take_all(link)
        while not alive and link.poll(0):
            self._take_all(link)
        if self._process is not process:
            return  # a callback closed it
        now = time.monotonic()
        if link.error is not None:
            self._fail(f"The connection to the engine broke: {link.error}")
        elif not alive:
            self._fail("The engine ended.")
        elif not link.ready and now > self._deadline:
            self._fail("The engine did not answer in time.")
        elif any(now > job.give_up for job in self._jobs.values()):
            self._fail("The engine did not stop when it was asked to.")

    def _take_all(self, link: Link) -> None:
        while link.inbox:
            self._take(link, link.inbox.popleft())

    def _take(self, link: Link, message: dict[str, Any]) -> None:
        number, kind, text = message.get("id"), message.get("kind"), str(message.get("message", ""))
        job = self._jobs.get(number) if type(number) is int else None
        if number is None or kind not in ("progress", "error", "result"):
            link.error = link.error or ProtocolError(text or "a message makes no sense")
        elif job is None:
            return  # of a job that has ended here already
        elif kind == "progress":
            share = message.get("fraction")
            job.fraction = min(1.0, max(0.0, share)) if isinstance(share, (int, float)) else 0.0
            job.message = text
            if job.on_progress is not None and job.on_progress(job.fraction, text) is False:
                self.cancel(job)
        else:
            del self._jobs[job.id]
            code, hint = str(message.get("code")), str(message.get("hint", ""))
            error = errors.from_code(code, text, hint) if kind == "error" else None
            job.end(message.get("value"), error)

    def wait(self, job: Job, timeout: float = math.inf) -> Any:
        """Blocks until a job is done and returns its value. Ctrl+C cancels it.

        Raises the job's error; EngineError where it has not ended after `timeout` seconds (it is
        then cancelled), or is not under way here.
        """
        deadline = time.monotonic() + timeout
        try:
            while not job.done:
                if self._jobs.get(job.id) is not job:
                    raise EngineError(f"The job '{job.method}' is not under way in this engine.")
                if time.monotonic() > deadline:
                    self.cancel(job)
                    raise EngineError(f"'{job.method}' has not ended after {timeout:g} s.")
                self.poll(0.1)
        except KeyboardInterrupt:
            self.cancel(job)
            raise CancelledError("Interrupted.") from None
        return job.result()

    def call(self, method: str, progress: Progress | None = None, **params: Any) -> Any:
        """`submit` and `wait`."""
        return self.wait(self.submit(method, progress, **params))


def _for_the_engine(name: str, value: Any) -> Any:
    """A parameter as it travels: paths absolute, for the engine has a working folder of its own,
    and results without their mesh, which nothing there needs."""
    if isinstance(value, FitResult):
        return without_mesh(value)
    if isinstance(value, (list, tuple)):
        return [_for_the_engine(name, item) for item in value]
    if isinstance(value, os.PathLike):
        return os.path.abspath(value)
    if not isinstance(value, str):
        return value
    is_path = name in _PATHS or (
        name in _NAMES_OR_PATHS and os.path.exists(value) and not value.isidentifier()
    )
    return os.path.abspath(value) if is_path else value
