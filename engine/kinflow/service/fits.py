"""People -> fits: one photo, a clip, a folder, a moved keypoint."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from ..batch.clip import SEEING, Followed, fit_track, observe_clip
from ..batch.sources import list_sources
from ..batch.spool import Spool
from ..batch.stream import run
from ..batch.work import Settings
from ..client.values import without_mesh
from ..errors import InvalidInputError
from ..fitting.fit import fit
from ..fitting.refit import refit
from ..fitting.sequence import Pin, refit_span, track
from ..records import FitResult, Observation
from .models import DEFAULT_PRIOR, Progress, body_of, prior_of

Starts = list[FitResult | None] | str | None
FitCall = Callable[[list[Observation], Starts, str], list[FitResult]]


def fit_people(
    progress: Progress,
    observations: list[Observation],
    body: str | None = None,
    prior: str | None = None,
    starts: Starts = None,
    device: str = "auto",
    mesh: bool = False,
    **options: Any,
) -> list[FitResult]:
    """`kinflow.fit` with these options; without `mesh`, the results have none."""
    if not isinstance(observations, list) or not all(
        isinstance(o, Observation) for o in observations
    ):
        raise InvalidInputError("fit needs a list of observations.")
    try:
        inspect.signature(fit).bind_partial(**options)
    except TypeError as error:
        raise InvalidInputError(f"fit: {error}.") from error

    def call(people: list[Observation], some: Starts, where: str) -> list[FitResult]:
        return fit(
            people,
            body=body_of(body),
            prior=prior_of(prior),
            starts=some,
            device=where,
            progress=progress,
            **options,
        )

    return _travelling(fit_in_memory(call, observations, starts, device), mesh)


def _travelling(results: Iterable[FitResult], mesh: bool) -> list[FitResult]:
    return [result if mesh else without_mesh(result) for result in results]


def fit_in_memory(
    call: FitCall, people: list[Observation], starts: Starts, device: str
) -> list[FitResult]:
    """Fits in one batch; where the device runs out of memory in halves, and one person alone on
    the CPU. What was done instead is said in the results' message."""
    try:
        return call(people, starts, device)
    except torch.OutOfMemoryError:
        if len(people) == 1:
            results = call(people, starts, "cpu")
            message = "The device ran out of memory, so this was fitted on the CPU."
        else:
            half = len(people) // 2
            results = []
            for rows in (slice(0, half), slice(half, None)):
                some = starts[rows] if isinstance(starts, list) else starts
                results += fit_in_memory(call, people[rows], some, device)
            message = "The device ran out of memory, so fewer people were fitted at once."
        return [r if r.message else replace(r, message=message) for r in results]


def fit_photos(
    progress: Progress,
    photos: list[str],
    prior: str | None = None,
    losses: list[str] | None = None,
    device: str = "auto",
    smooth: bool = False,
    mesh: bool = False,
) -> dict[str, Any]:
    """One shape for all photos (or frames of videos).

    smooth: they are frames of a clip; the person who is seen longest is tracked and fitted as one
    motion. Without, the clearest person of each photo is fitted by itself.
    -> {"results", "observations"}: of each photo, None where nobody is; what is seen, without maps.
    """
    sources = list_sources([Path(p) for p in photos])
    settings = Settings(
        prior=prior or DEFAULT_PRIOR,
        losses=tuple(losses or ("ka", "ba")),
        device=device,
        search="quick",
    )
    fitting = _part(progress, SEEING, 1)
    owners: list[int] = []
    people: list[Observation] = []
    fitted: list[FitResult] = []
    with TemporaryDirectory() as folder, Spool(Path(folder), {}) as spool:
        observe_clip(sources, settings, _part(progress, 0, SEEING), spool)
        if smooth:
            owners, people, fitted = _followed(spool, settings, fitting, mesh)
        elif owners := [index for index, found in enumerate(spool) if found]:
            people = [spool.people(index)[0] for index in owners]
            fitted = fit_people(
                fitting,
                people,
                prior=prior,
                device=device,
                mesh=mesh,
                losses=settings.losses,
                shared_betas=True,
            )
    bare = [replace(person, mask=None, parts=None) for person in people]
    return {
        "results": _spread(fitted, owners, len(sources)),
        "observations": _spread(bare, owners, len(sources)),
    }


def _followed(
    spool: Spool, settings: Settings, progress: Progress, mesh: bool
) -> tuple[list[int], list[Observation], list[FitResult]]:
    """Frames, sightings and fits of the person who is seen longest; nothing where nobody is."""
    tracks = track(spool)
    if not tracks:
        return [], [], []
    seen = Followed.of(tracks[0], spool)
    windows = fit_track(seen, settings, progress)
    return seen.frames, seen.bare, [r for window in windows for r in _travelling(window, mesh)]


def _spread(values: list[Any], owners: list[int], count: int) -> list[Any]:
    """A list of so many, None where nobody owns a place."""
    spread = [None] * count
    for index, value in zip(owners, values, strict=True):
        spread[index] = value
    return spread


def _part(progress: Progress, start: float, end: float) -> Progress:
    """A step's share of the whole progress."""

    def report(share: float, text: str) -> bool | None:
        return progress(start + (end - start) * share, text)

    return report


def fit_folder(
    progress: Progress,
    inputs: list[str],
    out: str,
    prior: str | None = None,
    losses: list[str] | None = None,
    device: str = "auto",
    overlay: bool = True,
    restart: bool = False,
) -> dict[str, Any]:
    """`kinflow fit INPUTS --out OUT`.

    -> {"sources": [{"path", "stem", "frame"}], "people", "done", "failed": [[source, reason]]}.
    """
    sources = list_sources([Path(p) for p in inputs])
    settings = Settings(
        prior=prior or DEFAULT_PRIOR,
        losses=tuple(losses or ("ka", "ba")),
        device=device,
        overlay=overlay,
    )
    outcome = run(sources, Path(out), settings, restart=restart, progress=progress)
    return {
        "sources": [{"path": s.path, "stem": s.stem, "frame": s.frame} for s in outcome.sources],
        "people": outcome.people,
        "done": outcome.done,
        "failed": list(outcome.failed.items()),  # a list travels in pieces
    }


def refit_person(
    progress: Progress,
    observation: Observation,
    last: FitResult,
    body: str | None = None,
    prior: str | None = None,
    device: str = "auto",
    mesh: bool = False,
    keep_shape: bool = True,
) -> FitResult:
    """A moved keypoint: a few steps from the last result, keypoints only, no other starts."""
    result = refit(
        observation,
        last,
        body=body_of(body),
        prior=prior_of(prior),
        device=device,
        keep_shape=keep_shape,
    )
    return result if mesh else without_mesh(result)


def refit_frames(
    progress: Progress,
    observations: list[Observation],
    last: list[FitResult],
    span: list[int],
    pins: list[list[Any]] | None = None,
    body: str | None = None,
    prior: str | None = None,
    device: str = "auto",
    mesh: bool = False,
) -> list[FitResult]:
    """`kinflow.fitting.sequence.refit_span`: frames span[0] to span[1] (not included) again.

    pins: [contact, first, last] each, in frames of these lists.
    """
    try:
        begin, end = map(int, span)
        stated = [Pin(str(name), int(first), int(last_one)) for name, first, last_one in pins or ()]
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            "A span is two numbers of frames, and a pin a contact with two.",
            "Give span=[begin, end] and pins=[['left_heel', first, last]].",
        ) from error
    results = refit_span(
        observations,
        last,
        (begin, end),
        pins=stated,
        body=body_of(body),
        prior=prior_of(prior),
        device=device,
        progress=progress,
    )
    return _travelling(results, mesh)
