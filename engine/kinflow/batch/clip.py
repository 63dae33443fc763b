"""Sources as the frames of one clip: found, tracked, and each person solved as one motion."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import CancelledError, KinflowError
from ..fitting.sequence import SequenceConfig, Track, fit_sequence, track
from ..records import Camera, FitResult, Observation
from .sources import Source, read_frames
from .stream import Outcome
from .work import COLUMNS, FITTED, Settings, check_settings, load_models, png_bytes, row_of

MIN_FRAMES = 5
Progress = Callable[[float, str], bool | None]


def observe_clip(
    sources: Sequence[Source], settings: Settings, progress: Progress
) -> tuple[list[list[Observation]], dict[str, str]]:
    """People of every frame, and the reason for each frame that shows nobody or cannot be read."""
    from ..perception import observe
    from ..perception.photos import read_photo

    frames, failed = [], {}
    images = read_frames([s for s in sources if s.frame is not None])
    with_masks = "ba" in settings.losses
    for index, source in enumerate(sources):
        if progress(index / len(sources), f"frame {index + 1} of {len(sources)}") is False:
            raise CancelledError("The fit was cancelled.")
        found: list[Observation] = []
        try:
            image = (
                next(images)
                if source.frame is not None
                else read_photo(source.path, settings.fov).rgb
            )
            if isinstance(image, KinflowError):
                raise image
            found = observe(
                source.path if source.frame is None else image,
                fov_degrees=settings.fov,
                models=settings.models,
                search=settings.search,
            )
        except KinflowError as error:
            failed[source.key] = str(error)
        else:
            if not found:
                failed[source.key] = f"No person was found in {source.key}."
        # the masks of a long clip would fill the memory, and are needed only for their own loss
        frames.append(
            [replace(p, photo=source.index, mask=p.mask if with_masks else None) for p in found]
        )
    return frames, failed


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


def _part(tell: Progress, number: int, count: int) -> Progress:
    return lambda share, text: tell(
        0.6 + 0.3 * (number + share) / count, f"person {number + 1}: {text}"
    )


def run_clip(
    sources: Sequence[Source], out: Path, settings: Settings, progress: Progress | None = None
) -> Outcome:
    """Fits everybody who is seen in at least MIN_FRAMES frames; writes <stem>.<person>.npz a frame, overlays and report.csv.

    A clip is solved as a whole, so it begins again when it was cut off. Raises KinflowError where nobody is found.
    """
    import time

    from ..drawing.overlay import overlay
    from ..perception.photos import read_photo

    started = time.perf_counter()
    check_settings(settings)
    tell = progress or (lambda share, text: None)
    frames, failed = observe_clip(sources, settings, lambda share, text: tell(0.6 * share, text))
    tracks = [t for t in track(frames) if len(t) >= min(MIN_FRAMES, len(sources))]
    if not tracks:
        raise KinflowError(
            "Nobody was found in enough frames.",
            f"Give a clip that shows one person in at least {MIN_FRAMES} frames.",
        )
    out.mkdir(parents=True, exist_ok=True)
    rows: dict[int, list[list]] = {}
    shown: dict[int, list[FitResult]] = {}
    people = 0
    for number, one in enumerate(tracks):
        results = fit_track(one, settings, _part(tell, number, len(tracks)))
        for frame, person, result in zip(one.frames, one.people, results, strict=True):
            replace(result, timings={}).save(out / f"{sources[frame].stem}.{number}.npz")
            rows.setdefault(frame, []).append(row_of(sources[frame], number, person, result))
            shown.setdefault(frame, []).append(result)
            people += result.status in FITTED
    if settings.overlay:
        images = read_frames([s for s in sources if s.frame is not None])
        for index, source in enumerate(sources):
            tell(0.9 + 0.1 * index / len(sources), "overlays")
            image = next(images) if source.frame is not None else None
            if index in shown and not isinstance(image, KinflowError):
                rgb = read_photo(source.path).rgb if image is None else image
                (out / f"{source.stem}.overlay.png").write_bytes(
                    png_bytes(overlay(rgb, shown[index]))
                )
    with open(out / "report.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for index, source in enumerate(sources):
            reason = failed.get(source.key, "Nobody here was tracked for long enough.")
            writer.writerows(rows.get(index, [[source.key, "", "failed", "", "", "", "", reason]]))
    missing = {
        s.key: failed.get(s.key, "Nobody here was tracked for long enough.")
        for i, s in enumerate(sources)
        if i not in rows
    }
    return Outcome(len(sources), len(sources), people, missing, time.perf_counter() - started)
