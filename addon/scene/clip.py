"""A clip that became keys: what is known of it while its file is open (no bpy)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinflow.records import FITTED, FitResult, Observation

from .frames import Viewpoint
from .sparse import Tolerance

MARGIN = 2  # frames on either side that a refit joins: as far as its smoothness reaches
AROUND = 10  # frames on either side that a moved keypoint or a pin changes


@dataclass(frozen=True)
class Fitted:
    """What the engine found in files, by files or frames of a video: None where nobody is."""

    paths: list[str]
    results: list[FitResult | None]
    observations: list[Observation | None]


@dataclass(frozen=True)
class Refitted:
    """Results of some rows of somebody's clip: the person's key, and the first of the rows."""

    key: str
    begin: int
    results: list[FitResult]


@dataclass(frozen=True)
class Clip:
    """Rows of a motion on the timeline: row 0 at frame `first`, then every `step` frames.

    view: where its camera is, and origin (3,) m: where the rig was, when it was keyed; tolerance:
    of sparse keys. observations: with keypoints that were moved since. versions: the results after
    each refit, so that undo needs no more than the number of one.
    """

    first: int
    step: int
    view: Viewpoint
    origin: np.ndarray
    tolerance: Tolerance | None
    observations: list[Observation | None]
    versions: list[list[FitResult | None]]

    def row_at(self, frame: int) -> int | None:
        """The row that is shown at a frame of the timeline; None between two, and outside."""
        row, rest = divmod(frame - self.first, self.step)
        return row if rest == 0 and 0 <= row < len(self.observations) else None

    def frame_of(self, row: int) -> int:
        """Where a row is on the timeline."""
        return self.first + row * self.step

    def rows_in(self, first: int, last: int) -> range:
        """Rows at the frames first to last (both) of the timeline."""
        begin = max(0, -((self.first - first) // self.step))
        end = min(len(self.observations), (last - self.first) // self.step + 1)
        return range(begin, max(begin, end))

    def fitted(self, version: int, row: int) -> FitResult | None:
        """A row's result where it can be shown."""
        if not 0 <= row < len(self.observations) or self.observations[row] is None:
            return None
        result = self.versions[version][row]
        return result if result is not None and result.status in FITTED else None

    def run_around(self, version: int, rows: range) -> range | None:
        """Rows with those beside them that stay, as far as they were fitted; None where a row was
        not."""
        if not len(rows) or any(self.fitted(version, row) is None for row in rows):
            return None
        begin, end = rows.start, rows.stop
        while rows.start - begin < MARGIN and self.fitted(version, begin - 1) is not None:
            begin -= 1
        while end - rows.stop < MARGIN and self.fitted(version, end) is not None:
            end += 1
        return range(begin, end)

    def refitted(self, version: int, rows: Refitted) -> int:
        """Takes rows that were fitted again. -> the version that has them."""
        results = list(self.versions[version])
        results[rows.begin : rows.begin + len(rows.results)] = rows.results
        # what was undone before it is lost
        self.versions[version + 1 :] = [results]
        return version + 1


def keyed(results: Sequence[FitResult | None]) -> list[int]:
    """Rows that can be shown."""
    return [i for i, r in enumerate(results) if r is not None and r.status in FITTED]


def said_of(results: Sequence[FitResult | None], first: int = 0, step: int = 1) -> list[str]:
    """In sentences without a full stop: frames that were filled, and those without anybody."""
    said = []
    if filled := sum(r is not None and r.status == "filled" for r in results):
        said.append(f"not seen in {filled} {_frames(filled)}, filled from those beside")
    known = set(keyed(results))
    gaps = [row for row in range(len(results)) if row not in known]
    if gaps:
        spans = [
            (row, next((b for b in range(row, len(results)) if b in known), len(results)) - 1)
            for row in gaps
            if row - 1 not in gaps
        ]
        texts = [_span(first + a * step, first + b * step) for a, b in spans[:3]]
        more = f" and {len(spans) - 3} more gaps" if len(spans) > 3 else ""
        said.append(f"nobody was found in {len(gaps)} ({', '.join(texts)}{more})")
    return said


def _frames(count: int) -> str:
    return "frame" if count == 1 else "frames"


def _span(a: int, b: int) -> str:
    return f"frame {a}" if a == b else f"frames {a} to {b}"
