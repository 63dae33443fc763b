"""A Blender that is installed here, with kinflow's extension in a user folder of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .archive import build_archive
from .environment import ENGINE, ROOT, VENVS, BuildError, ensure, environment, run
from .pins import OLDEST_BLENDER

PLACES = {
    "win32": ("C:/Program Files/Blender Foundation", "*/blender.exe"),
    "darwin": ("/Applications", "Blender*.app/Contents/MacOS/Blender"),
}
SOURCES = ("addon/**/*", "engine/kinflow/**/*", "engine/locks/*")


def candidates() -> Iterator[str | Path]:
    """What is on the PATH, then where installers put it, newest first."""
    if found := shutil.which("blender"):
        yield found
    if sys.platform in PLACES:
        folder, pattern = PLACES[sys.platform]
        yield from sorted(Path(folder).glob(pattern), reverse=True)


def release_of(blender: str | Path) -> tuple[int, ...] | None:
    """(5, 2) of a Blender; None where it does not start."""
    try:
        done = subprocess.run([blender, "--version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"Blender (\d+)\.(\d+)", done.stdout)
    return tuple(map(int, found.groups())) if found else None


def installed_blender() -> str | Path | None:
    """The one that KINFLOW_BLENDER names, else the first that is new enough. Raises BuildError."""
    stated = os.environ.get("KINFLOW_BLENDER")
    for blender in [stated] if stated else candidates():
        if (release_of(blender) or (0,)) >= OLDEST_BLENDER:
            return blender
    if stated:
        raise BuildError(f"KINFLOW_BLENDER is {stated}, which is no Blender from {oldest()} on.")
    return None


def oldest() -> str:
    return ".".join(map(str, OLDEST_BLENDER))


def with_kinflow(blender: str | Path) -> dict[str, str]:
    """The environment in which a Blender has the extension; your own user folder stays as it is."""
    folder = VENVS / "blender"
    env = environment() | {"BLENDER_USER_RESOURCES": str(folder)}

    def install() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        archive, *_ = build_archive(folder / "dist")
        command = ("--command", "extension", "install-file", "-r", "user_default", "-e", archive)
        run(blender, *command, quiet=True, env=env)

    files = sorted(path for pattern in SOURCES for path in ROOT.glob(pattern) if path.is_file())
    files = [f for f in (*files, ENGINE / "pyproject.toml") if "__pycache__" not in f.parts]
    times = [(str(f), f.stat().st_mtime_ns) for f in files]
    folder.mkdir(parents=True, exist_ok=True)
    ensure(folder, "extension", (str(blender), times), install)
    return env


def batch_command() -> tuple[list[str | Path], dict[str, str]]:
    """What opens photos in that Blender, and its environment. Raises BuildError without one."""
    blender = installed_blender()
    if blender is None:
        raise BuildError(missing())
    start = [blender, "--background", "--python-exit-code", "1", "--python"]
    return [*start, ROOT / "addon/headless/batch.py", "--"], with_kinflow(blender)


def missing() -> str:
    """What the demo needs, in one sentence."""
    this = sys.version.split()[0]
    return (
        f"The demo needs Python 3.11, for which Blender's pip package is built, or a Blender from "
        f"{oldest()} on; this is Python {this} and no Blender was found, so install one of them "
        "or set KINFLOW_BLENDER to where Blender is, then run this again."
    )
