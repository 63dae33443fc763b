"""One run of the engine's process: isolated, logged, and gone when its standard input closes."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ..errors import EngineError
from ..paths import cache_folder

# as -I, but for packages that pip installed for the user alone
ISOLATED = ("-E", "-P", "-X", "utf8")
LOG_LINES = 8
MAX_TAIL = 64 << 10
MAX_LOG_BYTES = 1 << 20
KEPT_LOGS = 20


class EngineProcess:
    """python -m kinflow.service, in a working folder of its own and without Python's variables.

    Nothing beside the user's files or on an inherited path is imported. Raises EngineError where
    the process cannot be started; one that ends at once is noticed by `running`.
    """

    def __init__(
        self, python: str, arguments: Sequence[str], token: str, log_path: str | os.PathLike[str]
    ) -> None:
        self._log = Path(log_path)
        try:
            folder = cache_folder() / "engine"
            folder.mkdir(parents=True, exist_ok=True)
            _rotate(self._log)
            log = self._log.open("ab")
        except OSError as error:
            raise EngineError(
                f"The engine's log cannot be written: {error}.",
                "Set KINFLOW_CACHE to a folder that can be written to.",
            ) from error
        with log:
            self._log_start = log.tell()
            try:
                self._process = subprocess.Popen(
                    [_absolute(python), *ISOLATED, "-m", "kinflow.service", *arguments],
                    cwd=folder,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    env=_environment(),
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
            except OSError as error:
                raise EngineError(
                    f"The engine could not be started: {error}.",
                    f"Check that {python} has kinflow installed.",
                ) from error
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it ended already: `running` says so
            self._process.stdin.write(f"{token}\n".encode())
            self._process.stdin.flush()

    @property
    def pid(self) -> int:
        """The process' number."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit code; None where it still runs after so many seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """Ends it at once."""
        self._process.kill()

    def end(self, grace: float = 2.0) -> None:
        """Closes its standard input, which ends it; after `grace` seconds, kills it."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        if self.wait(grace) is None:
            self.kill()
            self.wait()

    def log_tail(self) -> str:
        """The last lines that this run or its libraries printed."""
        try:
            with open(self._log, "rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(min(self._log_start, size), size - MAX_TAIL))
                lines = log.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-LOG_LINES:])


def _absolute(python: str) -> str:
    """A path still means the same in another working folder."""
    return os.path.abspath(python) if os.path.dirname(python) else shutil.which(python) or python


def _environment() -> dict[str, str]:
    """This process' environment, less what tells a Python where to look and what to run."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON") and name != "__PYVENV_LAUNCHER__"
    }
    if "KINFLOW_CACHE" in kept:
        kept["KINFLOW_CACHE"] = os.path.abspath(kept["KINFLOW_CACHE"])
    return kept


def _rotate(log: Path) -> None:
    """A log over MAX_LOG_BYTES becomes `.1`; of the folder's logs the newest KEPT_LOGS stay."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        os.replace(log, log.with_suffix(".log.1"))
    ages = []
    for path in log.parent.glob("engine-*.log*"):
        with contextlib.suppress(OSError):  # another process tidies up too
            ages.append((path.stat().st_mtime, path))
    for _, path in sorted(ages)[:-KEPT_LOGS]:
        with contextlib.suppress(OSError):
            path.unlink()
