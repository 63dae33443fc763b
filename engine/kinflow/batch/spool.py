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
from .disk import plain_errors

NAME = "journal-clip.sqlite"
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS clip (settings TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS frames (number INTEGER PRIMARY KEY, people BLOB NOT NULL,"
    " reason TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS results (track INTEGER, number INTEGER, fit BLOB NOT NULL,"
    " PRIMARY KEY (track, number))",
)


class Spool:
    """A context manager; the file is in the folder of the run that uses it alone.

    All raise KinflowError where the file cannot be read or written.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """settings: with others than those of the file, it begins anew."""
        self.path = folder / NAME
        header = json.dumps(settings, sort_keys=True)
        with plain_errors(self.path):
            self._database = sqlite3.connect(self.path, timeout=0)
            try:
                self._begin(header)
            except BaseException:
                self._database.close()
                raise

    def _begin(self, header: str) -> None:
        """Empty tables, unless those of the same settings are there."""
        with self._database:
            for statement in _SCHEMA:
                self._database.execute(statement)
            known = self._database.execute("SELECT settings FROM clip").fetchone()
            if known != (header,):
                for table in ("clip", "frames", "results"):
                    self._database.execute(f"DELETE FROM {table}")
                self._database.execute("INSERT INTO clip VALUES (?)", (header,))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def remove(self) -> None:
        """The file goes; nothing is asked of it any more."""
        self._database.close()
        with plain_errors(self.path):
            self.path.unlink(missing_ok=True)

    def _one(self, query: str, *values: int) -> Any:
        with plain_errors(self.path):
            return self._database.execute(query, values).fetchone()[0]

    def _put(self, query: str, rows: Sequence[tuple[Any, ...]]) -> None:
        with plain_errors(self.path), self._database:
            self._database.executemany(query, rows)

    @property
    def frames(self) -> int:
        """How many frames were looked at."""
        return int(self._one("SELECT count(*) FROM frames"))

    def add_frame(self, number: int, people: Sequence[Observation], reason: str) -> None:
        """People of a frame, and why there are none."""
        row = (number, _packed(people), reason)
        self._put("INSERT OR REPLACE INTO frames VALUES (?, ?, ?)", [row])

    def people(self, number: int, maps: bool = True) -> list[Observation]:
        """Of a frame; without maps they have neither masks nor parts."""
        return _unpacked(self._one("SELECT people FROM frames WHERE number = ?", number), maps)

    def reason(self, number: int) -> str:
        """Why a frame shows nobody; "" where it does."""
        return str(self._one("SELECT reason FROM frames WHERE number = ?", number))

    def __iter__(self) -> Iterator[list[Observation]]:
        """Of every frame in turn, without maps."""
        return (self.people(number, maps=False) for number in range(self.frames))

    def add_results(self, track: int, first: int, results: Sequence[FitResult]) -> None:
        """Of a window of a track; first: of its frames."""
        rows = [(track, first + i, result.to_npz()) for i, result in enumerate(results)]
        self._put("INSERT OR REPLACE INTO results VALUES (?, ?, ?)", rows)

    def results(self, track: int) -> Results:
        """Those of a track that there are."""
        return Results(self, track)

    def fit(self, track: int, number: int) -> FitResult:
        """One of them."""
        query = "SELECT fit FROM results WHERE track = ? AND number = ?"
        return FitResult.load(bytes(self._one(query, track, number)))

    def count(self, track: int) -> int:
        """How many frames of a track are fitted."""
        return int(self._one("SELECT count(*) FROM results WHERE track = ?", track))


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


def _unpacked(blob: bytes, maps: bool) -> list[Observation]:
    with np.load(io.BytesIO(blob), allow_pickle=False) as arrays:
        people = [Observation.from_json(p) for p in json.loads(bytes(arrays["header"]))]
        if not maps:
            return people
        for number, person in enumerate(people):
            if f"mask{number}" in arrays:
                shape = tuple(arrays[f"shape{number}"])
                mask = np.unpackbits(arrays[f"mask{number}"], count=int(np.prod(shape)))
                person = replace(person, mask=mask.reshape(shape).astype(bool))
            if f"parts{number}" in arrays:
                person = replace(person, parts=arrays[f"parts{number}"])
            people[number] = person
    return people
