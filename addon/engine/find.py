"""Finding a Python that has the engine."""

import importlib.util
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from kinflow.paths import engine_note


@dataclass(frozen=True)
class FoundPython:
    """path: the interpreter, or None; sentence: what to tell the user."""

    path: str | None
    sentence: str


_last: FoundPython | None = None


def last_found(chosen: str = "") -> FoundPython:
    """What was found last, for panels, which must not read files; looks where nobody did yet."""
    return _last or find_python(chosen)


def forget() -> None:
    """An engine was installed, or taken away: the next panel looks again."""
    global _last
    _last = None


def find_python(chosen: str = "") -> FoundPython:
    """The user's choice, KINFLOW_PYTHON, what `kinflow setup` noted, or this if it has torch."""
    global _last
    _last = _look(chosen)
    return _last


def _look(chosen: str) -> FoundPython:
    if chosen:
        if Path(chosen).is_file():
            return FoundPython(chosen, f"Engine: {chosen}")
        return FoundPython(
            None, f"There is no file {chosen}; choose a Python that has kinflow installed"
        )
    if (path := os.environ.get("KINFLOW_PYTHON")) and Path(path).is_file():
        return FoundPython(path, f"Engine: {path} (KINFLOW_PYTHON)")
    try:
        noted = json.loads(engine_note().read_text("utf-8"))["python"]
        if Path(noted).is_file():
            return FoundPython(noted, f"Engine: {noted}")
    except (OSError, ValueError, KeyError, TypeError):
        pass
    if importlib.util.find_spec("torch") and importlib.util.find_spec("kinflow"):
        return FoundPython(sys.executable, f"Engine: {sys.executable}")
    return FoundPython(
        None,
        "No engine found: press Install Engine in the add-on's preferences, "
        "or choose a Python that has kinflow",
    )
