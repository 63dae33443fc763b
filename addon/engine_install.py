"""Drives `install_worker.py` from Blender: which Python, which folder, how far it is."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import bpy

from kinflow.paths import cache_folder, engine_note

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
    return next(iter(sorted((HERE / "wheels").glob("kinflow-*.whl"))), None)


def base_python(chosen: str = "") -> str | None:
    """A Python to make the environment with: the chosen one, Blender's own where torch has a build, one on the PATH."""
    if chosen:
        return chosen if Path(chosen).is_file() else None
    if sys.version_info[:2] in [(3, minor) for minor in MINORS] and Path(
        sys.executable
    ).name.startswith("python"):
        return sys.executable
    found = (shutil.which(f"python3.{minor}") for minor in MINORS)
    return next((path for path in found if path), None)


def clean_environment() -> dict[str, str]:
    """Blender's variables would lead another Python astray."""
    return {
        k: v
        for k, v in os.environ.items()
        if k not in ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONINSPECT")
    }


@dataclass
class Progress:
    """step and fraction while it runs; python at the end, or error and hint."""

    step: str = ""
    fraction: float = 0.0
    python: str = ""
    error: str = ""
    hint: str = ""


class Installation:
    """One run of the worker, polled; nothing here waits unless asked to."""

    def __init__(self, python: str, folder: Path, wheel: Path, cuda: bool) -> None:
        self.folder, self.progress = folder, Progress("starting")
        self.before = set(folder.glob("engine-*"))
        log_folder = cache_folder() / "logs"
        log_folder.mkdir(parents=True, exist_ok=True)
        self.log, self._lines = log_folder / "install.log", log_folder / "install.jsonl"
        self._read = 0
        command = [
            python,
            "-I",
            str(HERE / "install_worker.py"),
            "--folder",
            str(folder),
            "--wheel",
            str(wheel),
            *(["--cuda"] if cuda else []),
        ]
        # a group of its own, so that cancelling ends pip too
        group = (
            {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
            if os.name == "nt"
            else {"start_new_session": True}
        )
        with open(self.log, "wb") as log, open(self._lines, "wb") as lines:
            self.process = subprocess.Popen(
                command,
                stdout=lines,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=clean_environment(),
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
            try:
                for key, value in json.loads(line).items():
                    if hasattr(self.progress, key):
                        setattr(self.progress, key, value)
            except ValueError:
                continue
        if ended and not self.progress.python and not self.progress.error:
            self.progress.error, self.progress.hint = (
                "The installation ended unexpectedly.",
                "Copy the diagnostics for the details.",
            )
        return ended

    def cancel(self) -> None:
        """Ends the worker with all that it started, and takes away what it made."""
        if self.process.poll() is None:
            if os.name == "nt":
                subprocess.run(
                    ["taskkill", "/T", "/F", "/PID", str(self.process.pid)], capture_output=True
                )
            else:
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for made in set(self.folder.glob("engine-*")) - self.before:
            shutil.rmtree(made, ignore_errors=True)


def note_engine(python: str) -> None:
    """Notes which Python has the engine, where `engine_setup.find_python` looks."""
    engine_note().parent.mkdir(parents=True, exist_ok=True)
    engine_note().write_text(json.dumps({"python": python}), "utf-8")
