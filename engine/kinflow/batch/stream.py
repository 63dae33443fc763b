"""A whole run: what is left to do, done by whoever is there, journalled, reported."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import CancelledError
from .cluster import run_on_ray
from .journal import Journal
from .pool import Answers, Unit, run_in_processes, usual_workers
from .sources import Source, units_of
from .work import Finished, Settings, check_settings, process

UNIT = 8  # photos: enough for a batch of the solver, few enough to lose when a machine goes down
Progress = Callable[[float, str], bool | None]


@dataclass(frozen=True)
class Outcome:
    """What a run did.

    sources: as the folder names them; done: photos of this run; people: fitted, in all of the
    photos; failed: the reason for each photo that failed; seconds: of this run; files: how many of
    each kind ("npz", "sheet.png", ...) the photos have in the folder.
    """

    sources: tuple[Source, ...]
    done: int
    people: int
    failed: dict[str, str]
    seconds: float
    files: dict[str, int] = field(default_factory=dict)


def silent(share: float, text: str) -> None:
    """Progress that nobody asked for."""


def settings_of(settings: Settings, **more: Any) -> dict[str, Any]:
    """What a journal compares: with other settings, results would be others."""
    return asdict(settings) | {"kinflow": __version__} | more


@dataclass
class _Pace:
    """How fast a run is. total: photos; left: those to do when it started; progress: who is told;
    seen: keys of those in which people were looked for; done: photos that are finished."""

    total: int
    left: int
    progress: Progress
    started: float = field(default_factory=time.perf_counter)
    seen: set[str] = field(default_factory=set)
    done: int = 0

    def looked_at(self, source: Source) -> None:
        """People were looked for in a photo. A stop waits for its unit, or that would be lost."""
        self.seen.add(source.key)
        self.tell()

    def finished(self, answer: dict[str, Finished]) -> None:
        """A unit is done, whoever looked at it. Raises CancelledError."""
        self.done += len(answer)
        self.seen.update(answer)
        if self.tell() is False:
            raise CancelledError("The run was stopped; the same command goes on from here.")

    def tell(self) -> bool | None:
        """-> False where the user has enough."""
        at = self.total - self.left + len(self.seen)
        rate = len(self.seen) / max(1e-6, time.perf_counter() - self.started)
        time_left = timedelta(seconds=round((self.total - at) / max(1e-6, rate)))
        text = f"{at} of {self.total} photos, {rate:.2f} photos/s, {time_left} left"
        return self.progress(at / max(1, self.total), text if self.seen else "")


def run(
    sources: Sequence[Source],
    out: Path,
    settings: Settings,
    *,
    workers: int = 0,
    ray: str | None = None,
    restart: bool = False,
    retry_failed: bool = False,
    progress: Progress = silent,
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
        pace = _Pace(len(named), sum(map(len, units)), progress)
        pace.tell()
        # decided by the whole list, not by what is left of it: threads and batches, and so the
        # last bits, stay the same
        if ray is not None:
            answers: Answers = run_on_ray(units, settings, ray)
        elif len(named) <= UNIT or workers == 1:  # no start-up to wait for
            answers = _here(units, settings, pace.looked_at)
        else:
            answers = run_in_processes(units, settings, workers or usual_workers(settings.device))
        by_key = {source.key: source for source in named}
        try:
            with closing(answers):
                for answer in answers:
                    if isinstance(answer, Source):
                        pace.looked_at(answer)
                        continue
                    journal.commit(answer, [by_key[key] for key in answer])
                    pace.finished(answer)
        finally:
            page = settings.sheet and len(named) > 1
            people, reasons = journal.write_report(named, page)
        kinds = journal.kinds(named)
    seconds = time.perf_counter() - started
    return Outcome(tuple(named), pace.done, people, reasons, seconds, kinds)


def _here(units: Sequence[Unit], settings: Settings, seen: Callable[[Source], None]) -> Answers:
    """Units, done in this process."""
    for unit in units:
        yield process(unit, settings, seen)


def _left(journal: Journal, sources: Sequence[Source], retry_failed: bool) -> list[Unit]:
    """Units that are not done; with retry_failed also the failed photos, each by itself."""
    units = [u for u in units_of(sources, UNIT) if not all(journal.has(s) for s in u)]
    if retry_failed:
        in_units = {source for unit in units for source in unit}
        units += [(s,) for s in sources if s not in in_units and journal.failure(s)]
    return units
