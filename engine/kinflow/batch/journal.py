"""What is done: one line of JSON a unit, appended after its files are in place. A run that was cut off goes on from it."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..errors import InvalidInputError
from .sources import Source
from .work import COLUMNS, Done

VERSION = 1
NAME = "journal.jsonl"


class Journal:
    """The journal of one output folder. Only offsets are held in memory, so it may grow to any length."""

    def __init__(self, folder: Path, settings: dict[str, Any], restart: bool = False) -> None:
        """Opens or begins it. Raises InvalidInputError where the folder holds a run with other settings."""
        self.folder = folder
        self.path = folder / NAME
        self._lines: dict[str, int] = {}
        self._stamps: dict[str, list] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for left_over in folder.glob("*.unfinished"):
            left_over.unlink()
        header = {"kinflow_kind": "batch", "format_version": VERSION, "settings": settings}
        if restart or not self.path.exists() or not self._read(header):
            self._write_new(header)

    def _read(self, header: dict[str, Any]) -> bool:
        """Reads what is there, and cuts off a line that was being written. False where not even the header is whole."""
        with open(self.path, "r+b") as stream:
            first = stream.readline()
            if not first.endswith(b"\n"):
                return False
            try:
                known = json.loads(first)
            except ValueError:
                known = None
            if known is None:
                raise InvalidInputError(
                    f"{self.path} is damaged.",
                    "Give another --out, or --restart to fit all of it again.",
                )
            if known != header:
                raise InvalidInputError(
                    f"{self.folder} holds a run with other settings.",
                    "Give another --out, or --restart to fit all of it again.",
                )
            while True:
                start = stream.tell()
                line = stream.readline()
                try:
                    entry = json.loads(line) if line.endswith(b"\n") else None
                except ValueError:
                    entry = None
                if entry is None:
                    stream.truncate(start)
                    return True
                for key in entry["rows"]:
                    self._lines[key] = start
                self._stamps.update(entry["stamps"])

    def _write_new(self, header: dict[str, Any]) -> None:
        self._lines.clear()
        with open(self.path, "wb") as stream:
            stream.write(json.dumps(header).encode() + b"\n")

    def has(self, source: Source) -> bool:
        """Whether it is done, and its files are still those that it was done from."""
        return source.key in self._lines and self._stamps.get(source.key) == source.stamp()

    def rows(self, source: Source) -> list[list[Any]]:
        """The report's rows of a source that is done."""
        with open(self.path, "rb") as stream:
            stream.seek(self._lines[source.key])
            return json.loads(stream.readline())["rows"][source.key]

    def forget(self, sources: Iterable[Source]) -> None:
        """Has them done again."""
        for source in sources:
            self._lines.pop(source.key, None)

    def commit(self, done: Done, sources: Iterable[Source]) -> None:
        """Files first, each whole or not at all; then the line that says so."""
        for name, data in done.files.items():
            temporary = self.folder / f"{name}.unfinished"
            with open(temporary, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, self.folder / name)
        stamps = {s.key: s.stamp() for s in sources}
        with open(self.path, "ab") as stream:
            start = stream.tell()
            stream.write(json.dumps({"rows": done.rows, "stamps": stamps}).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        for key in done.rows:
            self._lines[key] = start
        self._stamps.update(stamps)

    def write_report(self, sources: Sequence[Source]) -> tuple[int, dict[str, str]]:
        """report.csv in the order of the sources. -> people fitted, and the reason for each source that failed."""
        from .work import FITTED

        good, failed = 0, {}
        temporary = self.folder / "report.csv.unfinished"
        with open(temporary, "w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            for source in sources:
                if source.key not in self._lines:
                    continue
                rows = self.rows(source)
                writer.writerows(rows)
                good += sum(row[2] in FITTED for row in rows)
                if any(row[2] == "failed" and row[1] == "" for row in rows):
                    failed[source.key] = rows[0][-1]
        os.replace(temporary, self.folder / "report.csv")
        return good, failed
