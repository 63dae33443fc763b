"""What is known of a clip so far, in one SQLite file: people of every frame, results of windows.

So a clip of any length fits into memory, its frames are read once, and a run that was cut off goes
on from the last frame or window. The file goes when the clip is done.
"""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from ..records import FitResult, Observation

NAME = "clip.sqlite"
_SCHEMA = (
    "CREATE TABLE clip (settings TEXT NOT NULL)",
    "CREATE TABLE frames (number INTEGER PRIMARY KEY, people BLOB NOT NULL, reason TEXT NOT NULL)",
    "CREATE TABLE results (track INTEGER, number INTEGER, fit BLOB NOT NULL,"
    " PRIMARY KEY (track, number))",
)


class Spool:
    """A context manager; the file is in the folder of the run that uses it alone."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """settings: with others than those of the file, it begins anew."""
        self.path = folder / NAME
        header = json.dumps(settings, sort_keys=True)
        try:
            self._open()
            known = self._database.execute("SELECT settings FROM clip").fetchone()
        except sqlite3.DatabaseError:
            known = None
        if known != (header,):
            self.remove()
            self._open()
            with self._database:
                for statement in _SCHEMA:
                    self._database.execute(statement)
                self._database.execute("INSERT INTO clip VALUES (?)", (header,))

    def _open(self) -> None:
        self._database = sqlite3.connect(self.path, timeout=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def remove(self) -> None:
        """The file goes; nothing is asked of it any more."""
        self._database.close()
        self.path.unlink(missing_ok=True)

    @property
    def frames(self) -> int:
        """How many frames were looked at."""
        return int(self._database.execute("SELECT count(*) FROM frames").fetchone()[0])

    def add_frame(self, number: int, people: Sequence[Observation], reason: str) -> None:
        """People of a frame, and why there are none."""
        with self._database:
            values = (number, _packed(people), reason)
            self._database.execute("INSERT OR REPLACE INTO frames VALUES (?, ?, ?)", values)

    def people(self, number: int) -> list[Observation]:
        """Of a frame, with their masks."""
        query = "SELECT people FROM frames WHERE number = ?"
        return _unpacked(self._database.execute(query, (number,)).fetchone()[0])

    def reason(self, number: int) -> str:
        """Why a frame shows nobody; "" where it does."""
        query = "SELECT reason FROM frames WHERE number = ?"
        return str(self._database.execute(query, (number,)).fetchone()[0])

    def __iter__(self) -> Iterator[list[Observation]]:
        """Of every frame in turn."""
        return (self.people(number) for number in range(self.frames))

    def add_results(self, track: int, first: int, results: Sequence[FitResult]) -> None:
        """Of a window of a track; first: of its frames."""
        rows = [(track, first + i, result.to_npz()) for i, result in enumerate(results)]
        with self._database:
            self._database.executemany("INSERT OR REPLACE INTO results VALUES (?, ?, ?)", rows)

    def results(self, track: int) -> Results:
        """Those of a track that there are."""
        return Results(self, track)

    def fit(self, track: int, number: int) -> FitResult:
        """One of them."""
        query = "SELECT fit FROM results WHERE track = ? AND number = ?"
        blob = self._database.execute(query, (track, number)).fetchone()[0]
        return FitResult.load(bytes(blob))

    def count(self, track: int) -> int:
        """How many frames of a track are fitted."""
        query = "SELECT count(*) FROM results WHERE track = ?"
        return int(self._database.execute(query, (track,)).fetchone()[0])


class Results(Sequence[FitResult]):
    """Results of a track's first frames, read when they are asked for."""

    def __init__(self, spool: Spool, track: int, rows: range | None = None) -> None:
        self._spool, self._track = spool, track
        self._rows = range(spool.count(track)) if rows is None else rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Results(self._spool, self._track, self._rows[index])
        return self._spool.fit(self._track, self._rows[index])


def _packed(people: Sequence[Observation]) -> bytes:
    arrays = {"header": np.frombuffer(json.dumps([p.to_json() for p in people]).encode(), np.uint8)}
    for number, person in enumerate(people):
        if person.mask is not None:
            arrays[f"mask{number}"] = np.packbits(person.mask)
            arrays[f"shape{number}"] = np.array(person.mask.shape)
        if person.parts is not None:
            arrays[f"parts{number}"] = person.parts
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def _unpacked(blob: bytes) -> list[Observation]:
    with np.load(io.BytesIO(blob), allow_pickle=False) as arrays:
        people = [Observation.from_json(p) for p in json.loads(bytes(arrays["header"]))]
        for number, person in enumerate(people):
            if f"mask{number}" in arrays:
                shape = tuple(arrays[f"shape{number}"])
                mask = np.unpackbits(arrays[f"mask{number}"], count=int(np.prod(shape)))
                person = replace(person, mask=mask.reshape(shape).astype(bool))
            if f"parts{number}" in arrays:
                person = replace(person, parts=arrays[f"parts{number}"])
            people[number] = person
    return people
