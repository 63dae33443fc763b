"""Sources as the frames of one clip: found, tracked, and each person solved as one motion."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import CancelledError, KinflowError, PhotoError
from ..fitting.sequence import SequenceConfig, Track, fit_sequence, track
from ..records import Camera, FitResult, Observation
from .journal import Journal
from .sources import Source, read_frames
from .stream import Outcome, Progress, settings_of
from .work import Settings, check_settings, failed, finish_people, load_models, nobody, pictures

MIN_FRAMES = 5
UNTRACKED = "Nobody here was tracked for long enough."


def observe_clip(
    sources: Sequence[Source], settings: Settings, progress: Progress
) -> tuple[list[list[Observation]], dict[str, str]]:
    """People of every frame, and the reason for each frame that shows nobody or is unreadable."""
    people, reasons = [], {}
    images = read_frames([s for s in sources if s.frame is not None])
    with_masks = "ba" in settings.losses
    for index, source in enumerate(sources):
        if progress(index / len(sources), f"frame {index + 1} of {len(sources)}") is False:
            raise CancelledError("The fit was cancelled.")
        found: list[Observation] = []
        try:
            found = _observe(source, images, settings)
        except KinflowError as error:
            reasons[source.key] = str(error)
        else:
            if not found:
                reasons[source.key] = nobody(source.key)
        # the masks of a long clip would fill the memory, and are needed only for their own loss
        people.append(
            [replace(p, photo=source.index, mask=p.mask if with_masks else None) for p in found]
        )
    return people, reasons


def _observe(
    source: Source, images: Iterator[np.ndarray | PhotoError], settings: Settings
) -> list[Observation]:
    """People of one frame: the next image where it is a video's, else its file."""
    from ..perception import observe

    image = source.path if source.frame is None else next(images)
    if isinstance(image, PhotoError):
        raise image
    return observe(image, fov_degrees=settings.fov, models=settings.models, search=settings.search)


def fit_track(
    one: Track, settings: Settings, progress: Progress, config: SequenceConfig | None = None
) -> list[FitResult]:
    """One tracked person as one motion."""
    body, prior = load_models(settings.body, settings.prior)
    camera = one.people[0].camera
    same = all(p.camera == camera for p in one.people)
    return fit_sequence(
        one.people,
        frames=one.frames,
        body=body,
        prior=prior,
        camera=camera if same else _common(one.people),
        losses=settings.losses,
        device=settings.device,
        seed=settings.seed,
        progress=progress,
        config=config,
    )


def _common(people: Sequence[Observation]) -> Camera | None:
    """The frames' cameras with their median focal length."""
    cameras = [p.camera for p in people if p.camera is not None]
    if not cameras:
        return None
    return replace(
        cameras[0],
        fx=float(np.median([c.fx for c in cameras])),
        fy=float(np.median([c.fy for c in cameras])),
    )


def run_clip(
    sources: Sequence[Source],
    out: Path,
    settings: Settings,
    progress: Progress | None = None,
    restart: bool = False,
) -> Outcome:
    """Fits everybody who is seen in at least MIN_FRAMES frames.

    Writes <stem>.<person>.npz a frame, overlays and report.csv. A clip is solved as a whole, so it
    begins again when it was cut off. Raises KinflowError where nobody is found.
    """
    started = time.perf_counter()
    check_settings(settings)
    report = progress or _silent
    with Journal(out, settings_of(settings, sequence=True), restart) as journal:
        named = journal.name(sources)
        done = 0 if all(journal.has(source) for source in named) else len(named)
        if done:
            _fit_clip(journal, named, settings, report)
        people, reasons = journal.write_report(named)
    return Outcome(tuple(named), done, people, reasons, time.perf_counter() - started)


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
        results = fit_track(
            one, settings, _share_of(progress, begin, length, f"person {number + 1}: ")
        )
        for frame, person, result in zip(one.frames, one.people, results, strict=True):
            # what depends on the clock alone would make two runs differ
            fitted.setdefault(frame, []).append((number, (person, replace(result, timings={}))))
    images = read_frames([s for s in sources if s.frame is not None])
    for index, source in enumerate(sources):
        progress(0.9 + 0.1 * index / len(sources), "writing")
        image = next(images, None) if source.frame is not None else None
        if index in fitted:
            finished = finish_people(source, fitted[index])
            if not isinstance(image, PhotoError):
                results = [result for _, (_, result) in fitted[index]]
                finished.files.update(pictures(source, image, results, settings))
        else:
            finished = failed(source, reasons.get(source.key, UNTRACKED))
        journal.commit({source.key: finished}, [source])


def _silent(share: float, text: str) -> None:
    """Progress that nobody asked for."""


def _share_of(progress: Progress, begin: float, length: float, prefix: str = "") -> Progress:
    """Progress of a step that is `length` of the whole."""

    def report(share: float, text: str) -> bool | None:
        return progress(begin + length * share, prefix + text)

    return report
