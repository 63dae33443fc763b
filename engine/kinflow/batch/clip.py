"""Sources as the frames of one clip: looked at in order, tracked, each person solved as a motion.

What is known stands in a `Spool`, so that neither the clip's length nor its masks fill the memory,
and a run that was cut off goes on from the frame or the window that it had come to.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CancelledError, KinflowError
from ..fitting.sequence import Track, fit_windows, track
from ..records import FitResult, Observation
from .journal import Journal
from .sources import Image, Source, read_frames
from .spool import Spool
from .stream import Outcome, Progress, settings_of, silent
from .work import Finished, Settings, check_settings, failed, finish, fit_options, observe_source

MIN_FRAMES = 5
SEEING, FITTING = 0.6, 0.3  # shares of a clip's time
UNTRACKED = "Nobody here was tracked for long enough."


@dataclass(frozen=True)
class Followed(Sequence[Observation]):
    """What is seen of a track in every frame from its first to its last, with the masks that the
    spool keeps, read when they are asked for.

    places: which of a frame's people this is; gaps: frames behind one, and the last before it."""

    frames: list[int]
    bare: list[Observation]
    places: dict[int, int]
    gaps: dict[int, int]
    spool: Spool

    @staticmethod
    def of(one: Track, spool: Spool) -> Followed:
        """A track."""
        places = dict(zip(one.frames, one.places, strict=True))
        return Followed(*one.whole(), places, one.gaps, spool)

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return replace(self, frames=self.frames[index], bare=self.bare[index])
        frame = self.frames[index]
        if frame not in self.places:
            return self.bare[index]
        return self.spool.people(frame)[self.places[frame]]


def observe_clip(
    sources: Sequence[Source], settings: Settings, progress: Progress, spool: Spool
) -> None:
    """Looks at every frame that was not looked at yet, in order, and keeps who is there."""
    begin = spool.frames
    rest = sources[begin:]
    for index, (source, image) in enumerate(zip(rest, read_frames(rest), strict=True), begin):
        if progress(index / len(sources), f"frame {index + 1} of {len(sources)}") is False:
            raise CancelledError("The fit was cancelled.")
        people, reason = observe_source(source, image, settings)
        if "ba" not in settings.losses:
            people = [replace(person, mask=None, parts=None) for person in people]
        spool.add_frame(index, people, reason)


def fit_track(
    seen: Followed, settings: Settings, progress: Progress, known: Sequence[FitResult] = ()
) -> Iterator[list[FitResult]]:
    """One tracked person as one motion, seen with the median of the frames' focal lengths.

    known: results of the first windows. -> results, a window at a time."""
    cameras = [p.camera for p in seen.bare if p.camera is not None]
    camera = None
    if cameras:
        fx, fy = np.median([(c.fx, c.fy) for c in cameras], axis=0)
        camera = replace(cameras[0], fx=float(fx), fy=float(fy))
    options = fit_options(settings) | {"camera": camera, "progress": progress}
    return fit_windows(seen, frames=seen.frames, known=known, **options)


def run_clip(
    sources: Sequence[Source],
    out: Path,
    settings: Settings,
    progress: Progress = silent,
    restart: bool = False,
) -> Outcome:
    """Fits everybody who is seen in at least MIN_FRAMES frames.

    Writes <stem>.<person>.npz a frame, overlays and report.csv. A run that was cut off goes on from
    the frame or the window that it had come to. Raises KinflowError where nobody is found.
    """
    started = time.perf_counter()
    check_settings(settings)
    with Journal(out, settings_of(settings, sequence=True), restart) as journal:
        named = journal.name(sources)
        done = 0 if all(journal.has(source) for source in named) else len(named)
        if done:
            stamps = [[source.key, source.stamp()] for source in named]
            with Spool(out, settings_of(settings, frames=stamps)) as spool:
                _fit_clip(journal, spool, named, settings, progress)
                spool.remove()
        people, reasons = journal.write_report(named)
        kinds = journal.kinds(named)
    seconds = time.perf_counter() - started
    return Outcome(tuple(named), done, people, reasons, seconds, kinds)


def _fit_clip(
    journal: Journal,
    spool: Spool,
    sources: Sequence[Source],
    settings: Settings,
    progress: Progress,
) -> None:
    """Finds, tracks and fits, then journals frame by frame."""
    observe_clip(sources, settings, _share_of(progress, 0.0, SEEING), spool)
    tracks = [t for t in track(spool) if len(t) >= min(MIN_FRAMES, len(sources))]
    if not tracks:
        raise KinflowError(
            "Nobody was found in enough frames.",
            f"Give a clip that shows one person in at least {MIN_FRAMES} frames.",
        )
    everybody = [Followed.of(one, spool) for one in tracks]
    for number, one in enumerate(everybody):
        begin, length = SEEING + FITTING * number / len(tracks), FITTING / len(tracks)
        _fit_one(spool, number, one, settings, _share_of(progress, begin, length, number))
    pairs = zip(sources, read_frames(sources), strict=True)
    for index, photo in enumerate(pairs):
        progress(0.9 + 0.1 * index / len(sources), "writing")
        finished = _finished(spool, index, everybody, photo, settings)
        journal.commit({photo[0].key: finished}, photo[:1])


def _fit_one(
    spool: Spool, number: int, seen: Followed, settings: Settings, progress: Progress
) -> None:
    """What is not fitted yet of a track, window by window."""
    done = spool.count(number)
    for window in fit_track(seen, settings, progress, spool.results(number)):
        # what depends on the clock alone would make two runs differ
        spool.add_results(number, done, [replace(result, timings={}) for result in window])
        done += len(window)


def _finished(
    spool: Spool,
    index: int,
    everybody: Sequence[Followed],
    photo: tuple[Source, Image],
    settings: Settings,
) -> Finished:
    """Rows and files of a frame: everybody who is tracked through it, seen or not."""
    people = []
    for number, one in enumerate(everybody):
        row = index - one.frames[0]
        if not 0 <= row < len(one):
            continue
        result = spool.fit(number, row)
        if index in one.gaps:
            said = f"Taken for who was last seen in frame {one.gaps[index] + 1}."
            result = replace(result, message=f"{result.message} {said}".strip())
        people.append((number, (one[row], result)))
    if people:
        return finish(*photo, people, settings)
    return failed(photo[0], spool.reason(index) or UNTRACKED)


def _share_of(
    progress: Progress, begin: float, length: float, person: int | None = None
) -> Progress:
    """Progress of a step that is `length` of the whole."""
    prefix = "" if person is None else f"person {person + 1}: "

    def report(share: float, text: str) -> bool | None:
        return progress(begin + length * share, prefix + text)

    return report
