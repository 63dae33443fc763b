"""What is done, in one SQLite file beside the results.

One run at a time writes to a folder; one that was cut off goes on from here. A photo is noted as
done after its files are in place, and its files are noted as its own before that: whatever the
moment of a kill, the next run knows which files belong to nothing.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import InvalidInputError, KinflowError
from .sources import Source, fold, name_sources
from .work import COLUMNS, FITTED, Finished

VERSION = 2
NAME = "journal.sqlite"
_AGAIN = "Give another --out, or --restart to fit all of it again."
_PICTURE = re.compile(r"(\.overlay|\.\d+\.hypotheses)\.png$", re.IGNORECASE)
_SCHEMA = (
    "CREATE TABLE run (settings TEXT NOT NULL)",
    "CREATE TABLE photos (identity BLOB PRIMARY KEY, stem BLOB NOT NULL,"
    " stamp TEXT, rows TEXT, failure TEXT)",
    "CREATE TABLE files (name BLOB PRIMARY KEY, identity BLOB NOT NULL)",
    "CREATE INDEX files_of ON files (identity)",
    f"PRAGMA user_version = {VERSION}",
)
_SENTENCES = {
    sqlite3.SQLITE_BUSY: ("is in use by another run", "Wait for its end, or give another --out."),
    sqlite3.SQLITE_LOCKED: ("is in use by another run", "Wait for its end, or give another --out."),
    sqlite3.SQLITE_FULL: ("has no space left", "Make room; the same command goes on from here."),
}


class Journal:
    """The journal of one output folder; a context manager that holds the folder until its end."""

    def __init__(
        self, folder: Path, settings: Mapping[str, Any], restart: bool = False, name: str = NAME
    ) -> None:
        """Opens or begins it. name: its file, of which a folder may have one a kind of results.

        Raises InvalidInputError where the folder holds a run with other settings, KinflowError
        where another run is using it or where it cannot be written.
        """
        self.folder = folder
        self.path = folder / name
        self._unfinished = f".{self.path.stem}-unfinished"
        header = json.dumps(settings, sort_keys=True)
        with self._plain_errors():
            folder.mkdir(parents=True, exist_ok=True)
            try:
                self._open(header, restart)
            except sqlite3.DatabaseError as error:
                if not restart or isinstance(error, sqlite3.OperationalError):
                    raise  # not damaged, but in use or not writable
                self.path.unlink()
                self._open(header, restart)
            for left_over in folder.glob(f"*{self._unfinished}"):
                left_over.unlink()
            stale = "SELECT name FROM files JOIN photos USING (identity) WHERE rows IS NULL"
            self._remove(self._database.execute(stale).fetchall())

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def _open(self, header: str, restart: bool) -> None:
        self._database = sqlite3.connect(self.path, timeout=0, isolation_level=None)
        try:
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            with self._transaction():
                self._check(header, restart)
        except BaseException:
            self._database.close()
            raise

    def _check(self, header: str, restart: bool) -> None:
        """Makes the tables where there are none, and sees to it that the settings are those."""
        version = self._one("PRAGMA user_version")
        if version == 0 and self._one("SELECT count(*) FROM sqlite_master") == 0:
            for statement in _SCHEMA:
                self._database.execute(statement)
            self._database.execute("INSERT INTO run VALUES (?)", (header,))
        elif version != VERSION:
            raise InvalidInputError(
                f"{self.path} is of another kinflow.", "Give another --out, or remove that file."
            )
        elif restart:
            self._database.execute("UPDATE photos SET rows = NULL")
        elif self._one("SELECT settings FROM run") != header and self._one(
            "SELECT count(*) FROM photos WHERE rows IS NOT NULL"
        ):
            raise InvalidInputError(f"{self.folder} holds a run with other settings.", _AGAIN)
        self._database.execute("UPDATE run SET settings = ?", (header,))

    def _one(self, query: str, *values: Any) -> Any:
        row = self._database.execute(query, values).fetchone()
        return None if row is None else row[0]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN EXCLUSIVE")
        try:
            yield
        except BaseException:
            self._database.rollback()
            raise
        self._database.execute("COMMIT")

    @contextlib.contextmanager
    def _plain_errors(self) -> Iterator[None]:
        """SQLite's and the system's errors as sentences."""
        try:
            yield
        except sqlite3.OperationalError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            what, hint = _SENTENCES.get(
                code, ("cannot be written", "Check its permissions, or give another --out.")
            )
            raise KinflowError(f"The folder {self.folder} {what}.", hint) from error
        except sqlite3.DatabaseError as error:
            raise InvalidInputError(f"{self.path} is damaged.", _AGAIN) from error
        except OSError as error:
            raise KinflowError(
                f"The folder {self.folder} cannot be written: {error.strerror or error}.",
                "Check its space and permissions; the same command goes on from here.",
            ) from error

    def name(self, sources: Sequence[Source]) -> list[Source]:
        """The sources under the names that are theirs here for good.

        New ones get free names, noted before any work; what this journal wrote is no source.
        """
        with self._plain_errors():
            known = {
                identity: os.fsdecode(stem)
                for identity, stem in self._database.execute("SELECT identity, stem FROM photos")
            }
            inside = {s.identity: os.path.basename(s.path) for s in sources if self._holds(s.path)}
            written = {i for i, name in inside.items() if self._wrote(name)}
            reserved = {fold(_PICTURE.sub("", n)) for n in inside.values() if _PICTURE.search(n)}
            kept = [s for s in sources if s.identity not in written]
            named = name_sources(kept, known, reserved)
            with self._transaction():
                self._database.executemany(
                    "INSERT OR IGNORE INTO photos (identity, stem) VALUES (?, ?)",
                    [(s.identity, os.fsencode(s.stem)) for s in named],
                )
        return [replace(source, index=index) for index, source in enumerate(named)]

    def _holds(self, path: str) -> bool:
        return os.path.dirname(os.path.abspath(path)) == os.path.abspath(self.folder)

    def _wrote(self, name: str) -> bool:
        return bool(self._one("SELECT count(*) FROM files WHERE name = ?", os.fsencode(name)))

    def has(self, source: Source) -> bool:
        """Whether it is done, and its files are still those that it was done from."""
        query = "SELECT stamp FROM photos WHERE identity = ? AND rows IS NOT NULL"
        stamp = self._one(query, source.identity)
        return stamp is not None and json.loads(stamp) == source.stamp()

    def failure(self, source: Source) -> str:
        """Why a source that is done failed; "" where it did not."""
        query = "SELECT failure FROM photos WHERE identity = ? AND rows IS NOT NULL"
        return self._one(query, source.identity) or ""

    def commit(self, finished: Mapping[str, Finished], sources: Iterable[Source]) -> None:
        """Puts the files of finished photos in place, each whole or not at all, and notes them.

        finished: by the sources' keys. Files of an earlier result that are no longer made go.
        """
        done = [(source, finished[source.key]) for source in sources]
        files = {name: data for _, one in done for name, data in one.files.items()}
        with self._plain_errors():
            try:
                for name, data in files.items():
                    _write(self.folder / f"{name}{self._unfinished}", data)
                earlier = self._claim(done)
                for name in files:
                    os.replace(self.folder / f"{name}{self._unfinished}", self.folder / name)
            except BaseException:
                for name in files:
                    (self.folder / f"{name}{self._unfinished}").unlink(missing_ok=True)
                raise
            self._remove([(name,) for name in earlier if os.fsdecode(name) not in files])
            _sync(self.folder)
            with self._transaction():
                self._database.executemany(
                    "UPDATE photos SET stamp = ?, rows = ?, failure = ? WHERE identity = ?",
                    [
                        (json.dumps(s.stamp()), json.dumps(one.rows), one.failure, s.identity)
                        for s, one in done
                    ],
                )

    def _claim(self, done: Sequence[tuple[Source, Finished]]) -> list[bytes]:
        """Notes the files that are about to come. -> those of the photos' earlier results."""
        earlier = []
        with self._transaction():
            for source, one in done:
                owner = (source.identity,)
                self._database.execute("UPDATE photos SET rows = NULL WHERE identity = ?", owner)
                query = "SELECT name FROM files WHERE identity = ?"
                earlier += [name for (name,) in self._database.execute(query, owner)]
                self._database.executemany(
                    "INSERT OR REPLACE INTO files VALUES (?, ?)",
                    [(os.fsencode(name), source.identity) for name in one.files],
                )
        return earlier

    def _remove(self, names: Sequence[tuple[bytes]]) -> None:
        for (name,) in names:
            (self.folder / os.fsdecode(name)).unlink(missing_ok=True)
        with self._transaction():
            self._database.executemany("DELETE FROM files WHERE name = ?", names)

    def write_report(self, sources: Sequence[Source]) -> tuple[int, dict[str, str]]:
        """report.csv in the order of the sources that are done.

        -> people fitted, and the reason for each source that failed.
        """
        good, failed = 0, {}
        target = self.folder / "report.csv"
        unfinished = self.folder / f"report.csv{self._unfinished}"
        query = "SELECT rows, failure FROM photos WHERE identity = ? AND rows IS NOT NULL"
        with self._plain_errors():
            try:
                # a name that is no UTF-8 is shown with its bytes as \xNN
                with open(
                    unfinished, "w", newline="", encoding="utf-8", errors="backslashreplace"
                ) as stream:
                    writer = csv.writer(stream)
                    writer.writerow(COLUMNS)
                    for source in sources:
                        found = self._database.execute(query, (source.identity,)).fetchone()
                        if found is None:
                            continue
                        rows = json.loads(found[0])
                        writer.writerows(rows)
                        good += sum(row[2] in FITTED for row in rows)
                        if found[1]:
                            failed[source.key] = found[1]
                os.replace(unfinished, target)
            except BaseException:
                unfinished.unlink(missing_ok=True)
                raise
        return good, failed


def _write(path: Path, data: bytes) -> None:
    with open(path, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    """Has the folder's names on disk, where the system can be asked for that."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
