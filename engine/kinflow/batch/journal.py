"""What is done, in one SQLite file beside the results.

One run at a time writes to a folder; one that was cut off goes on from here. A photo is noted as
done after its files are in place, and its files are noted as its own before that: whatever the
moment of a kill, the next run knows which files belong to nothing.
"""

import contextlib
import csv
import io
import json
import os
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from ..errors import InvalidInputError
from ..records import FITTED
from .disk import AGAIN, plain_errors
from .report import MARK, ReportLine, report_page
from .sources import Source, fold, name_sources
from .work import COLUMNS, Finished

VERSION = 3
NAME = "journal.sqlite"
PAGE = "report.html"
_NUMBER = re.compile(r"^\d+\.")
_PICTURE = re.compile(r"(\.overlay|\.sheet|\.\d+\.hypotheses)\.png$", re.IGNORECASE)
_SCHEMA = (
    "CREATE TABLE run (settings TEXT NOT NULL)",
    "CREATE TABLE photos (identity BLOB PRIMARY KEY, stem BLOB NOT NULL,"
    " stamp TEXT, rows TEXT, failure TEXT)",
    "CREATE TABLE files (name BLOB PRIMARY KEY, identity BLOB NOT NULL)",
    "CREATE TABLE thumbnails (identity BLOB, number INTEGER, jpeg BLOB NOT NULL,"
    " PRIMARY KEY (identity, number))",
    "CREATE INDEX files_of ON files (identity)",
    f"PRAGMA user_version = {VERSION}",
)


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

    def __enter__(self) -> Self:
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
                f"{self.path} is of another kinflow.", "Give another output folder, or remove it."
            )
        elif restart:
            self._database.execute("UPDATE photos SET rows = NULL")
        elif self._one("SELECT settings FROM run") != header and self._one(
            "SELECT count(*) FROM photos WHERE rows IS NOT NULL"
        ):
            raise InvalidInputError(f"{self.folder} holds a run with other settings.", AGAIN)
        self._database.execute("UPDATE run SET settings = ?", (header,))

    def _one(self, query: str, *values: Any) -> Any:
        return (self._database.execute(query, values).fetchone() or (None,))[0]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN EXCLUSIVE")
        with self._database:
            yield

    def _plain_errors(self) -> contextlib.AbstractContextManager[None]:
        return plain_errors(self.path)

    def name(self, sources: Sequence[Source]) -> list[Source]:
        """The sources under the names that are theirs here for good.

        New ones get free names, noted before any work; what this journal wrote is no source.
        """
        with self._plain_errors():
            stems = self._database.execute("SELECT identity, stem FROM photos")
            known = {identity: os.fsdecode(stem) for identity, stem in stems}
            folder = os.path.abspath(self.folder)
            places = {s.identity: os.path.split(os.path.abspath(s.path)) for s in sources}
            inside = {i: name for i, (holder, name) in places.items() if holder == folder}
            ours = "SELECT 1 FROM files WHERE name = ?"
            written = {i for i, name in inside.items() if self._one(ours, os.fsencode(name))}
            reserved = {fold(_PICTURE.sub("", n)) for n in inside.values() if _PICTURE.search(n)}
            kept = [s for s in sources if s.identity not in written]
            named = name_sources(kept, known, reserved)
            with self._transaction():
                self._database.executemany(
                    "INSERT OR IGNORE INTO photos (identity, stem) VALUES (?, ?)",
                    [(s.identity, os.fsencode(s.stem)) for s in named],
                )
        return [replace(source, index=index) for index, source in enumerate(named)]

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
        query = "UPDATE photos SET stamp = ?, rows = ?, failure = ? WHERE identity = ?"
        with self._plain_errors():
            earlier = self._place(files, done)
            self._remove([(name,) for name in earlier if os.fsdecode(name) not in files])
            _sync(self.folder)
            with self._transaction():
                for source, one in done:
                    noted = (json.dumps(source.stamp()), json.dumps(one.rows), one.failure)
                    self._database.execute(query, (*noted, source.identity))
                    self._keep_thumbnails(source, one.thumbnails)

    def _keep_thumbnails(self, source: Source, pictures: Sequence[bytes]) -> None:
        self._database.execute("DELETE FROM thumbnails WHERE identity = ?", (source.identity,))
        self._database.executemany(
            "INSERT INTO thumbnails VALUES (?, ?, ?)",
            [(source.identity, number, jpeg) for number, jpeg in enumerate(pictures)],
        )

    def _place(
        self, files: Mapping[str, bytes], done: Sequence[tuple[Source, Finished]] = ()
    ) -> list[bytes]:
        """Puts files in place that are claimed when all are written. -> as `_claim`."""
        unfinished = {name: self.folder / f"{name}{self._unfinished}" for name in files}
        try:
            for name, data in files.items():
                with open(unfinished[name], "wb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
            earlier = self._claim(done)
            for name, path in unfinished.items():
                os.replace(path, self.folder / name)
        except BaseException:
            for path in unfinished.values():
                path.unlink(missing_ok=True)
            raise
        return earlier

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

    def write_report(
        self, sources: Sequence[Source], page: bool = False
    ) -> tuple[int, dict[str, str]]:
        """report.csv in the order of the sources that are done; page: report.html too.

        -> people fitted, and the reason for each source that failed.
        """
        good, failed, text = 0, {}, io.StringIO()
        lines: list[ReportLine] = []
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        query = "SELECT rows, failure FROM photos WHERE identity = ? AND rows IS NOT NULL"
        with self._plain_errors():
            for source in sources:
                for rows, failure in self._database.execute(query, (source.identity,)).fetchall():
                    people = json.loads(rows)
                    writer.writerows(people)
                    good += sum(person[2] in FITTED for person in people)
                    lines += [ReportLine(source, i, row) for i, row in enumerate(people) if page]
                    if failure:
                        failed[source.key] = failure
            # a name that is no UTF-8 is shown with its bytes as \xNN
            self._place({"report.csv": text.getvalue().encode("utf-8", "backslashreplace")})
            if lines:
                self._place({PAGE: report_page(lines, self._thumbnail)})
            else:
                self._drop_page()
        return good, failed

    def _drop_page(self) -> None:
        """A page of earlier results goes; a user's own of that name stays."""
        with contextlib.suppress(FileNotFoundError), open(self.folder / PAGE, "rb") as stream:
            if stream.read(len(MARK)) == MARK.encode():
                (self.folder / PAGE).unlink()

    def _thumbnail(self, line: ReportLine) -> bytes:
        query = "SELECT jpeg FROM thumbnails WHERE identity = ? AND number = ?"
        return self._one(query, line.source.identity, line.number) or b""

    def kinds(self, sources: Sequence[Source]) -> dict[str, int]:
        """How many files of each kind the sources have here: "npz", "overlay.png", ..."""
        counts: Counter[str] = Counter()
        query = "SELECT name FROM files WHERE identity = ?"
        with self._plain_errors():
            for source in sources:
                for (name,) in self._database.execute(query, (source.identity,)):
                    rest = os.fsdecode(name).removeprefix(f"{source.stem}.")
                    counts[_NUMBER.sub("", rest)] += 1
        return dict(counts)


def _sync(folder: Path) -> None:
    """Has the folder's names on disk, where the system can be asked for that."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
