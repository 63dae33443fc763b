"""The public `fit`: observations in, results out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bodies.arrays import AnyBody
from ..bodies.files import load_body_arrays
from ..core.arrays import is_numpy
from ..errors import CancelledError, InvalidInputError
from ..priors.arrays import PosePrior, prior_of
from ..records import Camera, FitResult, Observation, Parameters
from .backend import Report, backend_for, iterations, share, silent
from .batches import Batch, split, usable
from .config import LOSSES, MIN_KEYPOINTS, NEAR_START, SOLVERS, STARTS, FitConfig
from .focal import estimate_focal
from .people import Means, gather
from .population import Who, everybody
from .results import failed_result, results_of
from .scene import Photos, Stated, polished, settle
from .scene_terms import photos_of
from .stages import Search, begin, body_parts, coarse, fine, other_depths, shared_shape, sharpen
from .views import views_of

if TYPE_CHECKING:
    from ..priors.prior import Prior

MAX_BATCH = 256  # people at once on a GPU: bounds memory, and is large enough that calls are
CPU_BATCH = 16  # numpy gains nothing beyond


@dataclass(frozen=True)
class Task:
    """What is asked for, beside who: the same for every batch."""

    use_parts: bool
    solver: str
    shared_betas: bool
    seed: int
    stated: Stated | None = None


def fit(
    observations: Observation | Sequence[Observation],
    *,
    body: AnyBody | None = None,
    prior: Prior | PosePrior | str | Path | None = None,
    camera: Camera | None = None,
    losses: Sequence[str] = ("ka", "ba"),
    solver: str = "lm",
    starts: Sequence[Parameters | None] | str | None = None,
    shared_betas: bool = False,
    sex: str | Sequence[str | None] | None = None,
    age: str | Sequence[str | None] | None = None,
    pitch: float | None = None,
    roll: float | None = None,
    device: str = "auto",
    seed: int = 0,
    progress: Report | None = None,
    config: FitConfig | None = None,
) -> list[FitResult]:
    """Fits the body to every observation; results in the same order.

    Observations of one photo (the same `photo`, path and camera) are solved together: before one
    camera that looks up or down as the people tell, and on one floor. pitch, roll: of the camera in
    degrees, where they are known (above 0 it looks up and is turned clockwise; one alone means that
    the other is 0). sex: "female" or "male", age: "child", "teen" or "adult", for all or one each.

    camera replaces the observations' own; without either, a normal lens is assumed. losses: "ka"
    keypoints, "ba" body parts or mask where an observation has them. starts: a previous result or
    guess an observation (or None), tried besides the four rotated ones (which are what None tries);
    or "regressor": the shipped network's guess instead of them, which is so near that a few steps
    are enough and, unless `config` asks for it, nothing else is tried (one hypothesis); or "both".
    shared_betas: one shape for all. progress(fraction, message) may return False to cancel
    (CancelledError). On a CPU all of it runs in numpy.

    One observation that cannot be fitted gets status "too_few_keypoints" or "failed" with a message
    and never harms the others. Raises InvalidInputError for wrong arguments.
    """
    began = time.perf_counter()
    people = [observations] if isinstance(observations, Observation) else list(observations)
    _check(people, losses, solver, starts, shared_betas)
    who = everybody(sex, age, len(people))
    means = Means(
        load_body_arrays() if body is None else body.arrays,
        prior_of(prior),
        backend_for(device),
        config or (NEAR_START if starts == "regressor" else FitConfig()),
    )
    cameras = [camera or p.camera or p.assumed_camera() for p in people]
    if means.config.estimate_focal and camera is None:
        cameras = _with_focal(people, cameras, means, progress or silent)
    if isinstance(starts, str):
        means = replace(means, config=replace(means.config, rotated_starts=starts != "regressor"))
        starts = None if starts == "rotations" else _guessed(people, cameras, means, device)
    stated = None if pitch is None and roll is None else Stated(pitch or 0.0, roll or 0.0)
    task = Task("ba" in losses, solver, shared_betas, seed, stated)
    everyone = Batch(people, cameras, who, starts)
    results = in_batches(everyone, means, task, progress or silent)
    elapsed = time.perf_counter() - began
    times = {"fit_s": elapsed / max(1, len(people)), "batch_s": elapsed}
    return [replace(r, timings=r.timings | times) for r in results]


def _check(
    people: list[Any], losses: Sequence[str], solver: str, starts: Any, shared_betas: bool
) -> None:
    for index, person in enumerate(people):
        if not isinstance(person, Observation):
            raise InvalidInputError(
                f"Observation {index} is a {type(person).__name__}.",
                "Build it with kinflow.Observation.",
            )
    if unknown := set(losses) - set(LOSSES):
        raise InvalidInputError(f"Unknown loss {sorted(unknown)}.", "Use ka and ba.")
    if "ka" not in losses:
        raise InvalidInputError(
            "Losses without 'ka' cannot place a body.", "Use ('ka',) or ('ka', 'ba')."
        )
    if solver not in SOLVERS:
        raise InvalidInputError(f"Unknown solver '{solver}'.", f"Use one of {', '.join(SOLVERS)}.")
    if isinstance(starts, str) and starts not in STARTS:
        raise InvalidInputError(
            f"Unknown starts '{starts}'.",
            f"Use one of {', '.join(STARTS)}, or give a result an observation.",
        )
    if starts is not None and not isinstance(starts, str) and len(starts) != len(people):
        raise InvalidInputError(
            f"{len(starts)} starts are given for {len(people)} observations.",
            "Give one each, or None.",
        )
    if shared_betas and len({p.keypoint_set for p in people}) > 1:
        raise InvalidInputError(
            "People of different keypoint sets cannot share a shape.", "Use one detector for all."
        )


def _with_focal(
    people: list[Observation], cameras: list[Camera], means: Means, report: Report
) -> list[Camera]:
    """Cameras, with the focal length looked for where neither caller nor observation has one."""
    rows = [i for i, p in enumerate(people) if p.camera is None and usable(p)]
    # sharpened scales would make energies of different lenses incomparable
    quick = replace(
        means.config, estimate_focal=False, hypotheses=False, sharpen=False, together=False
    )

    def fit_with(lenses: list[Camera], starts: list[FitResult] | None) -> list[FitResult]:
        bare = [
            replace(people[i], camera=lens, mask=None, parts=None)
            for i, lens in zip(rows, lenses, strict=True)
        ]
        everyone = Batch(bare, lenses, [Who()] * len(rows), starts)
        task = Task(False, "lm", False, 0)
        return in_batches(everyone, replace(means, config=quick), task, share(report, 0, 0))

    estimated = estimate_focal([cameras[i] for i in rows], fit_with)
    known = dict(zip(rows, estimated, strict=True))
    return [known.get(i, camera) for i, camera in enumerate(cameras)]


def _guessed(
    people: list[Observation], cameras: list[Camera], means: Means, device: str
) -> Sequence[Parameters | None]:
    from ..bodies.model import Body, torch_backend
    from ..devices import pick_device
    from ..guessing.guess import guess

    body = Body(means.body, torch_backend(pick_device(device)))
    return guess(people, cameras=cameras, body=body)


def in_batches(everyone: Batch, means: Means, task: Task, report: Report) -> list[FitResult]:
    """Everybody, a few photos at a time; results in the same order."""
    results: dict[int, FitResult] = {}
    for index, person in enumerate(everyone.people):
        if not usable(person):
            message = (
                f"Only {int(person.usable.sum())} keypoints are usable; at least {MIN_KEYPOINTS} "
                "are needed."
            )
            status, camera = "too_few_keypoints", everyone.cameras[index]
            results[index] = failed_result(person, camera, means, status, message)
    size = CPU_BATCH if is_numpy(means.backend.xp) else MAX_BATCH
    batches = split(everyone, len(everyone) if task.shared_betas else size)
    total, done = sum(map(len, batches)), 0
    for rows in batches:
        part = share(report, done / total, len(rows) / total)
        fitted = _careful(everyone.pick(rows), means, task, part)
        results |= dict(zip(rows, fitted, strict=True))
        done += len(rows)
    return [results[i] for i in range(len(everyone))]


def _careful(batch: Batch, means: Means, task: Task, report: Report) -> list[FitResult]:
    """Everybody together; where that raises, one by one, so that who is the cause fails alone."""
    try:
        return _staged(batch, means, task, report)
    except (CancelledError, MemoryError):
        raise
    except Exception as error:  # whatever one person's data makes a library raise
        if (
            type(error).__name__ == "OutOfMemoryError"
        ):  # torch's: who calls may ask for less at once
            raise
        if len(batch) == 1:
            message = f"The fit failed: {error or type(error).__name__}."
            return [failed_result(batch.people[0], batch.cameras[0], means, "failed", message)]
    singles = []
    for i in range(len(batch)):
        part = share(report, i / len(batch), 1 / len(batch))
        singles += _careful(batch.pick([i]), means, replace(task, shared_betas=False), part)
    return singles


def _staged(batch: Batch, means: Means, task: Task, report: Report) -> list[FitResult]:
    """The stages, one after the other."""
    people = gather(batch.people, batch.cameras, means, batch.who)
    people, candidates = begin(people, batch.starts)
    if task.solver != "lm":
        from .reference import minimise_by_gradient

        search = minimise_by_gradient(people, candidates, task.solver, iterations(report, 0, 1))
        report(1.0, "done")
        return results_of(search.people, search.solution, search.owner)
    candidates = coarse(people, candidates, iterations(report, 0.0, 0.2, "coarse fit"))
    search = fine(people, candidates, iterations(report, 0.2, 0.2, "fine fit"))
    photos = Photos(photos_of(batch.people, batch.cameras), task.stated)
    search = _refined(search, photos, task, report)
    report(1.0, "done")
    views = views_of(search, photos) if means.config.together else None
    return results_of(search.people, search.solution, search.owner, views)


def _refined(search: Search, photos: Photos, task: Task, report: Report) -> Search:
    config = search.people.means.config
    if config.hypotheses:
        search = other_depths(search, iterations(report, 0.4, 0.05, "other depths"))
    if config.sharpen:
        search = sharpen(search, iterations(report, 0.45, 0.05, "fine fit"))
    if config.together:
        search = settle(search, photos, iterations(report, 0.5, 0.25, "camera and floor"))
    if task.use_parts:
        search = body_parts(search, task.seed, iterations(report, 0.75, 0.2, "body parts"))
        if config.together:
            search = polished(search, photos, iterations(report, 0.95, 0.05, "camera and floor"))
    if task.shared_betas and len(search.people) > 1:
        search = shared_shape(search, iterations(report, 0.95, 0.05, "one shape"))
    return search
