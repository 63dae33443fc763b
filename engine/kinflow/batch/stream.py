"""A whole run: what is left to do, done by whoever is there, journalled, reported."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..errors import CancelledError
from .cluster import run_on_ray
from .journal import Journal
from .pool import run_here, run_in_processes, usual_workers
from .sources import Source, units_of
from .work import Settings, check_settings

UNIT = 8  # photos: enough people for a batch of the solver, few enough to lose when a machine goes down


@dataclass(frozen=True)
class Outcome:
    """photos: all of them; done: in this run; people fitted; the reason for each photo that failed; seconds of this run."""

    photos: int
    done: int
    people: int
    failed: dict[str, str]
    seconds: float


def run(
    sources: Sequence[Source],
    out: Path,
    settings: Settings,
    *,
    workers: int = 0,
    ray: str | None = None,
    restart: bool = False,
    retry_failed: bool = False,
    progress: Callable[[float, str], bool | None] | None = None,
) -> Outcome:
    """Fits all sources into a folder, going on where an earlier run with the same settings stopped.

    workers: processes, 0 for a core each; ray: a cluster's address instead. retry_failed: also those photos that failed
    before. progress(share, message) may return False to stop (CancelledError); what is done stays done.
    Results do not depend on how often a run was cut off: units are the same, and so are their batches.
    """
    check_settings(settings)
    journal = Journal(out, settings.to_json() | {"kinflow": __version__}, restart)
    units = [u for u in units_of(sources, UNIT) if not all(journal.has(s) for s in u)]
    if retry_failed:
        failed = [
            s
            for s in sources
            if journal.has(s) and all(row[2] == "failed" for row in journal.rows(s))
        ]
        journal.forget(failed)
        units += [(s,) for s in failed if not any(s in u for u in units)]
    by_key = {s.key: s for s in sources}
    total, left = len(sources), sum(map(len, units))
    started, done = time.perf_counter(), 0
    # decided by the whole list, not by what is left of it: threads and batches, and so the last bits, stay the same
    if ray is not None:
        answers = run_on_ray(units, settings, ray)
    elif len(sources) <= UNIT or workers == 1:
        answers = run_here(units, settings)
    else:
        answers = run_in_processes(units, settings, workers or usual_workers(settings.device))
    try:
        for answer in answers:
            journal.commit(answer, [by_key[key] for key in answer.rows])
            done += len(answer.rows)
            if (
                progress is not None
                and progress(
                    (total - left + done) / max(1, total),
                    _pace(total - left + done, total, done, started),
                )
                is False
            ):
                raise CancelledError("The run was stopped; the same command goes on from here.")
    finally:
        if hasattr(answers, "close"):
            answers.close()
        people, reasons = journal.write_report(sources)
    return Outcome(total, done, people, reasons, time.perf_counter() - started)


def _pace(at: int, total: int, done: int, started: float) -> str:
    rate = done / max(1e-6, time.perf_counter() - started)
    left = (total - at) / max(1e-6, rate)
    hours, rest = divmod(round(left), 3600)
    clock = (
        f"{hours} h {rest // 60} min"
        if hours
        else f"{rest // 60} min {rest % 60:02d} s"
        if rest >= 60
        else f"{rest} s"
    )
    return f"{at} of {total} photos, {rate:.2f} photos/s, {clock} left"
