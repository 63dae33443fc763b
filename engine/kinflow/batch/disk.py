"""What goes wrong with a SQLite file in a folder of results, in plain sentences."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ..errors import InvalidInputError, KinflowError

AGAIN = "Give another output folder, or --restart to fit all of it again."
_IN_USE = ("is in use by another run", "Wait for its end, or give another output folder.")
_UNWRITABLE = ("cannot be written", "Check its permissions, or give another output folder.")
_SENTENCES = {
    sqlite3.SQLITE_BUSY: _IN_USE,
    sqlite3.SQLITE_LOCKED: _IN_USE,
    sqlite3.SQLITE_FULL: ("has no space left", "Make room; the same command goes on from here."),
}


@contextlib.contextmanager
def plain_errors(file: Path) -> Iterator[None]:
    """SQLite's and the system's errors as KinflowError; InvalidInputError where the file is none of
    ours or damaged."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        what, hint = _SENTENCES.get(code, _UNWRITABLE)
        raise KinflowError(f"The folder {file.parent} {what}.", hint) from error
    except sqlite3.DatabaseError as error:
        raise InvalidInputError(f"{file} is damaged.", AGAIN) from error
    except OSError as error:
        raise KinflowError(
            f"The folder {file.parent} cannot be written: {error.strerror or error}.",
            "Check its space and permissions; the same command goes on from here.",
        ) from error
