"""A step of a journey, and what all steps share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .blender import BlenderWindow
from .screen import WindowError

SLOW = 120.0  # seconds
BODY = "[o for o in D.objects if o.type == 'ARMATURE' and o.kinflow.is_body][-1]"


@dataclass(frozen=True)
class Trip:
    """What the steps share."""

    window: BlenderWindow
    photo: Path
    folder: Path

    def check(self, code: str, sentence: str) -> None:
        """Raises WindowError with a sentence where Python in Blender is not true."""
        if not self.window.ask(code):
            raise WindowError(f"{sentence} ({code})")


@dataclass(frozen=True)
class Step:
    """A step's name, what it does, and whether it needs the engine, or its absence."""

    name: str
    walk: Callable[[Trip], None]
    needs_engine: bool = False
    without_engine: bool = False
