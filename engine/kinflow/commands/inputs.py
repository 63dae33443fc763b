"""Files and folders that a command reads: whether they are there, before anything starts."""

import difflib
import os
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from ..errors import InvalidInputError

INPUT = {"kinflow": "input"}
"""Metadata of a field that names what is read: a path or several."""
_PATTERN = "*?["


def check_inputs(options: Any) -> None:
    """Raises InvalidInputError for the first path of the options that is not there."""
    for path in _inputs(options):
        # of a pattern that nothing matches, the sources speak
        if not os.path.lexists(path) and not any(c in str(path) for c in _PATTERN):
            near = nearest(path)
            hint = f"Did you mean {near}?" if near else "Check the path."
            raise InvalidInputError(f"There is no file {path}.", hint)


def _inputs(options: Any) -> Iterator[Path]:
    for field in fields(options):
        value = getattr(options, field.name)
        if is_dataclass(value):
            yield from _inputs(value)
        elif field.metadata == INPUT and value is not None:
            yield from (value if isinstance(value, (list, tuple)) else (value,))


def nearest(path: Path) -> Path | None:
    """A path that is there, whose first wrong name is like that of `path`."""
    known = path
    wrong: list[str] = []
    while not known.exists():
        if known == known.parent:
            return None
        wrong.insert(0, known.name)
        known = known.parent
    try:
        names = sorted(os.listdir(known))
    except OSError:
        return None
    for name in similar(wrong[0], names):
        candidate = known.joinpath(name, *wrong[1:])
        if candidate.exists():
            return candidate
    return None


def similar(word: str, names: list[str]) -> list[str]:
    """The names that a word may have meant, likeliest first."""
    folded = {name.casefold(): name for name in reversed(names)}
    near = difflib.get_close_matches(word.casefold(), folded, 3, 0.6)
    # of equals, rather the one that begins alike: few mistype the first letter
    return [folded[name] for name in sorted(near, key=lambda n: n[:1] != word[:1].casefold())]
