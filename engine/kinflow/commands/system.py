"""setup, doctor, serve."""

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ..errors import KinflowError
from ..paths import engine_note
from ..terminal import say, warn
from .common import Common
from .inputs import INPUT

_FILE = (
    "A file at hand instead of fetching: MediaPipe's wheel 0.10.21; for heavy also a .tflite, a "
    ".task or the npm package @mediapipe/pose."
)


@dataclass(frozen=True, kw_only=True)
class Setup(Common):
    """Get the detector's networks, and note this Python for Blender.

    Where Blender already uses the engine of another Python, that stays unless you agree.
    """

    detector: Literal["full", "heavy"] = "full"
    """The landmark network: heavy sees better and takes three times as long."""
    file: Annotated[Path | None, tyro.conf.arg(help=_FILE, help_behavior_hint="")] = field(
        default=None, metadata=INPUT
    )
    force: bool = False
    """Have Blender use the engine of this Python, whatever it uses now."""


@dataclass(frozen=True, kw_only=True)
class Doctor(Common):
    """Check versions, device, assets, detector, access and ports."""


@dataclass(frozen=True, kw_only=True)
class Serve(Common):
    """Run the engine for a client that listens on this machine.

    Its one-time token is read from standard input. Started by `kinflow.Engine` and by the Blender
    add-on; it ends when its standard input closes.
    """

    connect: int
    """Port of the client on 127.0.0.1."""
    idle: float = 0.0
    """End after so many seconds without a request; 0: never."""


def run_setup(command: Setup) -> dict[str, Any]:
    from ..perception.detector_files import set_up

    visible = sys.stderr.isatty() and not command.quiet
    network = set_up(command.detector, command.file, say, visible)
    return {"detector": command.detector, "network": str(network)} | _note(command.force)


def _note(force: bool) -> dict[str, Any]:
    """Notes this Python for Blender, unless it uses another one that is there and nobody agrees."""
    other = noted_engine()
    here = sys.executable
    if other and Path(other).exists() and _environment(other) != _environment(here):
        say(f"Blender uses the engine of {other}.")
        if not force and not _agreed(f"Use that of {here} instead?"):
            say(f"That stays. To use the one of {here} instead: kinflow setup --force")
            return {"python": other, "changed": False}
    note = engine_note()
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps({"python": here}), "utf-8")
    say(f"Blender will use the engine of {here}; noted in {note}")
    return {"python": here, "changed": other != here}


def _environment(python: str) -> str:
    """Where a Python lies: an environment has several names for its own."""
    return os.path.normcase(os.path.dirname(os.path.abspath(python)))


def noted_engine() -> str:
    """The Python whose engine Blender uses; "" where none is noted."""
    try:
        return str(json.loads(engine_note().read_text("utf-8"))["python"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _agreed(question: str) -> bool:
    """Whether somebody at a terminal says yes."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def run_doctor(command: Doctor) -> dict[str, Any]:
    from .doctor import Check, run_checks

    checks: list[Check] = []
    for check in run_checks():
        checks.append(check)
        word = "FAIL" if not check.ok else "note" if check.remedy else "ok  "
        line = f"{word} {check.name}: {check.detail}"
        (say if check.ok else warn)(f"{line} -> {check.remedy}" if check.remedy else line)
    if not all(check.ok for check in checks):
        raise KinflowError("Not everything is in order.", "See the lines above.")
    notes = {check.name: check.remedy for check in checks if check.remedy}
    return {"checks": {check.name: check.detail for check in checks}, "notes": notes}


def run_serve(command: Serve) -> dict[str, Any]:
    from ..service.__main__ import run

    run(command.connect, command.idle)
    return {}
