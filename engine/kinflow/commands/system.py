"""setup, doctor, serve."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import KinflowError
from .common import Common, say


@dataclass(frozen=True, kw_only=True)
class Setup(Common):
    """Get the detector's networks, and note this Python for Blender."""

    detector: Literal["full", "heavy"] = "full"
    """The landmark network: heavy sees better and takes three times as long."""
    file: Path | None = None
    """A file at hand instead of fetching: MediaPipe's wheel 0.10.21; for heavy also a .tflite, a
    .task or the npm package @mediapipe/pose."""


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
    from ..paths import engine_note
    from ..perception.detector_files import set_up

    network = set_up(command.detector, command.file, say)
    engine_note().write_text(json.dumps({"python": sys.executable}), "utf-8")
    return {"detector": command.detector, "network": str(network), "python": sys.executable}


def run_doctor(command: Doctor) -> dict[str, Any]:
    from .doctor import run_checks

    checks = run_checks()
    for check in checks:
        word, remedy = ("ok  ", "") if check.ok else ("FAIL", f" -> {check.remedy}")
        say(f"{word} {check.name}: {check.detail}{remedy}")
    if not all(check.ok for check in checks):
        raise KinflowError("Not everything is in order.", "See the lines above.")
    return {"checks": {check.name: check.detail for check in checks}}


def run_serve(command: Serve) -> dict[str, Any]:
    from ..service.__main__ import run

    run(command.connect, command.idle)
    return {}
