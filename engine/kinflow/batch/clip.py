"""Sources as the frames of one clip: found, tracked, and each person solved as one motion."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import CancelledError, KinflowError
from ..fitting.sequence import Track, fit_sequence, track
from ..records import FitResult, Observation
from .journal import Journal
from .sources import Source, read_frames
from .stream import Outcome, Progress, settings_of, silent
from .work import Settings, check_settings, failed, finish, fit_options, observe_source

MIN_FRAMES = 5
UNTRACKED = "Nobody here was tracked for long enough."


def observe_clip(
    sources: Sequence[Source], settings: Settings, progress: Progress
) -> tuple[list[list[Observation]], dict[str, str]]:
    """People of every frame, and the reason for each frame that shows nobody or is unreadable."""
    people, reasons = [], {}
    for index, (source, image) in enumerate(zip(sources, read_frames(sources), strict=True)):
        if progress(index / len(sources), f"frame {index + 1} of {len(sources)}") is False:
            raise CancelledError("The fit was cancelled.")
        in_frame, reason = observe_source(source, image, settings)
        if reason:
            reasons[source.key] = reason
        if "ba" not in settings.losses:  # the masks of a long clip would fill the memory
            in_frame = [replace(person, mask=None) for person in in_frame]
        people.append(in_frame)
    return people, reasons


def fit_track(one: Track, settings: Settings, progress: Progress) -> list[FitResult]:
    """One tracked person as one motion, seen with the median of the frames' focal lengths."""
    cameras = [p.camera for p in one.people if p.camera is not None]
    camera = None
    if cameras:
        fx, fy = np.median([(c.fx, c.fy) for c in cameras], axis=0)
        camera = replace(cameras[0], fx=float(fx), fy=float(fy))
    options = fit_options(settings) | {"camera": camera, "progress": progress}
    return fit_sequence(one.people, frames=one.frames, **options)


def run_clip(
    sources: Sequence[Source],
    out: Path,
    settings: Settings,
    progress: Progress = silent,
    restart: bool = False,
) -> Outcome:
    """Fits everybody who is seen in at least MIN_FRAMES frames.

    Writes <stem>.<person>.npz a frame, overlays and report.csv. A clip is solved as a whole, so it
    begins again when it was cut off. Raises KinflowError where nobody is found.
    """
    started = time.perf_counter()
    check_settings(settings)
    with Journal(out, settings_of(settings, sequence=True), restart) as journal:
        named = journal.name(sources)
        done = 0 if all(journal.has(source) for source in named) else len(named)
        if done:
            _fit_clip(journal, named, settings, progress)
        people, reasons = journal.write_report(named)
        kinds = journal.kinds(named)
    seconds = time.perf_counter() - started
    return Outcome(tuple(named), done, people, reasons, seconds, kinds)


def _fit_clip(
    journal: Journal, sources: Sequence[Source], settings: Settings, progress: Progress
) -> None:
    """Finds, tracks and fits, then journals frame by frame."""
    frames, reasons = observe_clip(sources, settings, _share_of(progress, 0.0, 0.6))
    tracks = [t for t in track(frames) if len(t) >= min(MIN_FRAMES, len(sources))]
    if not tracks:
        raise KinflowError(
            "Nobody was found in enough frames.",
            f"Give a clip that shows one person in at least {MIN_FRAMES} frames.",
        )
    fitted: dict[int, list[tuple[int, tuple[Observation, FitResult]]]] = {}
    for number, one in enumerate(tracks):
        begin, length = 0.6 + 0.3 * number / len(tracks), 0.3 / len(tracks)
        fitting = _share_of(progress, begin, length, f"person {number + 1}: ")
        results = fit_track(one, settings, fitting)
        for frame, person, result in zip(one.frames, one.people, results, strict=True):
            # what depends on the clock alone would make two runs differ
            fitted.setdefault(frame, []).append((number, (person, replace(result, timings={}))))
    for index, (source, image) in enumerate(zip(sources, read_frames(sources), strict=True)):
        progress(0.9 + 0.1 * index / len(sources), "writing")
        if index in fitted:
            finished = finish(source, image, fitted[index], settings)
        else:
            finished = failed(source, reasons.get(source.key, UNTRACKED))
        journal.commit({source.key: finished}, [source])


def _share_of(progress: Progress, begin: float, length: float, prefix: str = "") -> Progress:
    """Progress of a step that is `length` of the whole."""

    def report(share: float, text: str) -> bool | None:
        return progress(begin + length * share, prefix + text)

    return report
