"""Drives `install_worker.py` from Blender: which Python, which folder, how far it is."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import bpy

from kinflow.paths import cache_folder, engine_note

from . import find
from .install_worker import COMPLETE, clean_environment

HERE = Path(__file__).parent
MINORS = (11, 12, 13, 14)  # Pythons that torch has builds for
SIZES = {
    "cpu": "about 350 MB to fetch and 1.5 GB on disk",
    "cuda": "about 3.5 GB to fetch and 8 GB on disk",
}


def default_folder() -> Path:
    """Where environments go unless the user chooses."""
    return Path(bpy.utils.user_resource("DATAFILES")) / "kinflow_engine"


def carried_wheel() -> Path | None:
    """The engine's wheel inside the installed add-on."""
    return next(iter(sorted((HERE.parent / "wheels").glob("kinflow-*.whl"))), None)


def carried_locks() -> Path:
    """The folder of locks: the installed add-on's, else that of the checkout."""
    inside = HERE / "locks"
    return inside if inside.is_dir() else HERE.parents[1] / "engine" / "locks"


def base_python(chosen: str = "") -> str | None:
    """A Python for the environment: the chosen one, Blender's where torch has a build, PATH's."""
    if chosen:
        return chosen if Path(chosen).is_file() else None
    if sys.version_info[:2] in [(3, minor) for minor in MINORS] and Path(
        sys.executable
    ).name.startswith("python"):
        return sys.executable
    on_path = (shutil.which(f"python3.{minor}") for minor in MINORS)
    return next((path for path in on_path if path), None)


@dataclass
class Progress:
    """step and fraction while it runs; python at the end, or error and hint."""

    step: str = ""
    fraction: float = 0.0
    python: str = ""
    error: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Request:
    """What to install: made with `python`, below `folder`, the wheel and what the locks name."""

    python: str
    folder: Path
    wheel: Path
    locks: Path
    cuda: bool = False

    def command(self, target: Path) -> list[str]:
        """The worker's command line, for an environment at `target`."""
        worker = [self.python, "-I", str(HERE / "install_worker.py"), "--locks", str(self.locks)]
        where = ["--target", str(target), "--wheel", str(self.wheel)]
        return [*worker, *where, *(["--cuda"] if self.cuda else [])]


class Installation:
    """One run of the worker, polled; nothing here waits unless asked to."""

    def __init__(self, request: Request) -> None:
        self.progress = Progress("starting")
        self.ended = False
        # names of this Blender's own: another one may be installing too
        name = f"engine-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        self._target = request.folder / name
        log_folder = cache_folder() / "logs"
        log_folder.mkdir(parents=True, exist_ok=True)
        self.log = log_folder / f"install-{os.getpid()}.log"
        self._lines = self.log.with_suffix(".jsonl")
        self._read = 0
        # a group of its own, so that cancelling ends pip too
        group = (
            {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
            if os.name == "nt"
            else {"start_new_session": True}
        )
        with open(self.log, "wb") as log, open(self._lines, "wb") as lines:
            self.process = subprocess.Popen(
                request.command(self._target),
                stdout=lines,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=clean_environment(),
                cwd=log_folder,
                **group,
            )

    def poll(self) -> bool:
        """Reads what is new; True once it has ended."""
        ended = self.process.poll() is not None
        with open(self._lines, encoding="utf-8", errors="replace") as stream:
            stream.seek(self._read)
            text = stream.read()
        whole = text[: text.rfind("\n") + 1]
        self._read += len(whole.encode())
        for line in whole.splitlines():
            with contextlib.suppress(ValueError):
                for key, value in json.loads(line).items():
                    if hasattr(self.progress, key):
                        setattr(self.progress, key, value)
        if ended and not self.progress.python and not self.progress.error:
            self.progress.error, self.progress.hint = (
                "The installation ended unexpectedly.",
                "Copy the diagnostics for the details.",
            )
        self.ended = ended
        return ended

    def cancel(self) -> None:
        """Ends the worker with all that it started, and takes away what is half-made."""
        if self.process.poll() is None:
            if os.name == "nt":
                subprocess.run(
                    ["taskkill", "/T", "/F", "/PID", str(self.process.pid)], capture_output=True
                )
            else:
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if not (self._target / COMPLETE).is_file():
            shutil.rmtree(self._target, ignore_errors=True)


# the last one, also when it has ended: the preferences show how
current: Installation | None = None


def running() -> bool:
    """Whether the engine is being installed."""
    return current is not None and not current.ended


def begin(request: Request) -> None:
    """Starts an installation, which becomes the current one."""
    global current
    current = Installation(request)


def cancel_current() -> None:
    """Ends an installation that goes on; one that has ended stays."""
    global current
    if current is not None and not current.poll():
        current.cancel()
        current = None


def note_engine(python: str) -> None:
    """Notes which Python has the engine, where `find.find_python` looks."""
    engine_note().parent.mkdir(parents=True, exist_ok=True)
    engine_note().write_text(json.dumps({"python": python}), "utf-8")
    find.forget()
