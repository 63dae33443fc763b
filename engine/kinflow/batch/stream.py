"""A whole run: what is left to do, done by whoever is there, journalled, reported."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from .. import __version__
from ..errors import CancelledError
from .cluster import run_on_ray
from .journal import Journal
from .pool import Unit, run_here, run_in_processes, usual_workers
from .sources import Source, units_of
from .work import Finished, Settings, check_settings

UNIT = 8  # photos: enough for a batch of the solver, few enough to lose when a machine goes down
Progress = Callable[[float, str], bool | None]
Answers = Generator[dict[str, Finished], None, None]


@dataclass(frozen=True)
class Outcome:
    """What a run did.

    sources: as the folder names them; done: photos of this run; people: fitted, in all of the
    photos; failed: the reason for each photo that failed; seconds: of this run.
    """

    sources: tuple[Source, ...]
    done: int
    people: int
    failed: dict[str, str]
    seconds: float

    @property
    def photos(self) -> int:
        """How many there are, done before or now."""
        return len(self.sources)


def settings_of(settings: Settings, **more: Any) -> dict[str, Any]:
    """What a journal compares: with other settings, results would be others."""
    return settings.to_json() | {"kinflow": __version__} | more


def run(
    sources: Sequence[Source],
    out: Path,
    settings: Settings,
    *,
    workers: int = 0,
    ray: str | None = None,
    restart: bool = False,
    retry_failed: bool = False,
    progress: Progress | None = None,
) -> Outcome:
    """Fits all sources into a folder, going on where an earlier run with the same settings stopped.

    workers: processes, 0 for a core each; ray: a cluster's address instead. retry_failed: also
    those photos that failed before. progress(share, message) may return False to stop
    (CancelledError); what is done stays done. Results do not depend on how often a run was cut
    off: units are the same, and so are their batches. Raises KinflowError where another run is
    using the folder.
    """
    started = time.perf_counter()
    check_settings(settings)
    with Journal(out, settings_of(settings), restart) as journal:
        named = journal.name(sources)
        units = _left(journal, named, retry_failed)
        # decided by the whole list, not by what is left of it: threads and batches, and so the
        # last bits, stay the same
        if ray is not None:
            answers = run_on_ray(units, settings, ray)
        elif len(named) <= UNIT or workers == 1:
            answers = run_here(units, settings)
        else:
            answers = run_in_processes(units, settings, workers or usual_workers(settings.device))
        pace = _Pace(len(named), sum(map(len, units)), started)
        try:
            _take(journal, cast(Answers, answers), {s.key: s for s in named}, pace, progress)
        finally:
            people, reasons = journal.write_report(named)
    return Outcome(tuple(named), pace.done, people, reasons, time.perf_counter() - started)


def _left(journal: Journal, sources: Sequence[Source], retry_failed: bool) -> list[Unit]:
    """Units that are not done; with retry_failed also the failed photos, each by itself."""
    units = [u for u in units_of(sources, UNIT) if not all(journal.has(s) for s in u)]
    if retry_failed:
        in_units = {source for unit in units for source in unit}
        units += [(s,) for s in sources if s not in in_units and journal.failure(s)]
    return units


def _take(
    journal: Journal,
    answers: Answers,
    by_key: dict[str, Source],
    pace: _Pace,
    progress: Progress | None,
) -> None:
    """Journals what comes, until all has come or progress says stop."""
    try:
        for answer in answers:
            journal.commit(answer, [by_key[key] for key in answer])
            pace.done += len(answer)
            if progress is not None and progress(pace.share(), str(pace)) is False:
                raise CancelledError("The run was stopped; the same command goes on from here.")
    finally:
        answers.close()


@dataclass
class _Pace:
    """How fast a run is. total: photos; left: those to do when it started, at time `started`."""

    total: int
    left: int
    started: float
    done: int = 0

    def share(self) -> float:
        return (self.total - self.left + self.done) / max(1, self.total)

    def __str__(self) -> str:
        rate = self.done / max(1e-6, time.perf_counter() - self.started)
        seconds = round((self.left - self.done) / max(1e-6, rate))
        minutes, second = divmod(seconds, 60)
        hours, minute = divmod(minutes, 60)
        clock = f"{hours} h {minute} min" if hours else f"{minute} min {second:02d} s"
        at = self.total - self.left + self.done
        return f"{at} of {self.total} photos, {rate:.2f} photos/s, {clock} left"
