"""One person through a clip: frame by frame first, then all frames together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...bodies.arrays import AnyBody
from ...bodies.files import load_body_arrays
from ...core.arrays import Array, asarray_like, pick, put_rows, to_numpy
from ...core.posterior import ROOT, SHARED_BETAS, TRANSL, State
from ...core.solver import Solution, SolverConfig
from ...core.terms.smoothness import Smoothness, SmoothWeights
from ...errors import InvalidInputError
from ...priors.arrays import PosePrior, prior_of
from ...records import FITTED, Camera, FitResult, Observation
from ..backend import Report, backend_for, iterations, minimise, share, silent
from ..config import FitConfig
from ..fit import fit
from ..part_fields import parts_term
from ..people import Means, People, gather
from ..population import Who
from ..results import results_of
from ..stages import NEAREST
from ..starts import state_of
from ..views import View, agreed, before_camera
from .chain import Chain
from .path import best_path

if TYPE_CHECKING:
    from ...priors.prior import Prior


@dataclass(frozen=True)
class SequenceConfig:
    """How `fit_sequence` works. window: frames solved together; overlap: with the window before."""

    smooth: SmoothWeights = field(default_factory=SmoothWeights)
    window: int = 120
    overlap: int = 10
    iterations: int = 20
    frame: FitConfig = field(default_factory=FitConfig)


def fit_sequence(
    observations: Sequence[Observation],
    *,
    frames: Sequence[int] | None = None,
    body: AnyBody | None = None,
    prior: Prior | PosePrior | str | Path | None = None,
    camera: Camera | None = None,
    losses: Sequence[str] = ("ka", "ba"),
    sex: str | None = None,
    age: str | None = None,
    pitch: float | None = None,
    roll: float | None = None,
    device: str = "auto",
    seed: int = 0,
    progress: Report | None = None,
    config: SequenceConfig | None = None,
) -> list[FitResult]:
    """Fits one person seen in successive frames: one shape, one camera, a smooth motion.

    Results in the same order. frames: the number of each observation's frame, rising; without, one
    after another. camera: of all frames; without, the first observation's. Each frame is fitted by
    itself, the chain of hypotheses that moves least is chosen, and the frames are solved jointly in
    windows. The camera is one that stands still: its gravity and floor are what the frames agree
    on. sex, age, pitch, roll: as for `fit`. Frames that cannot be fitted keep their status. Raises
    InvalidInputError for wrong arguments, CancelledError where progress returns False.
    """
    people = list(observations)
    config, report = config or SequenceConfig(), progress or silent
    numbers = _numbers(people, frames)
    if not people:
        return []
    lens = camera or people[0].camera or people[0].assumed_camera()
    single = fit(
        [replace(person, photo=number) for number, person in enumerate(people)],
        body=body,
        prior=prior,
        camera=lens,
        losses=losses,
        sex=sex,
        age=age,
        pitch=pitch,
        roll=roll,
        device=device,
        seed=seed,
        config=config.frame,
        progress=share(report, 0, 0.5),
    )
    single = [replace(r, photo=p.photo) for r, p in zip(single, people, strict=True)]
    fitted = [i for i, r in enumerate(single) if r.status in FITTED]
    if len(fitted) < 3:
        return single
    arrays = load_body_arrays() if body is None else body.arrays
    means = Means(arrays, prior_of(prior), backend_for(device), config.frame)
    best = [single[i] for i in fitted]
    view = agreed([View.of(result) for result in best])
    clip = _Clip([people[i] for i in fitted], lens, [numbers[i] for i in fitted], view)
    start = _chosen(best, clip, means)
    together = _frames(clip, means, Who(sex, age), start)
    if "ba" in losses:
        together = _with_parts(together, start, seed)
    together, start = before_camera(together, start, view)
    solution = _in_windows(together, start, clip.times, config, report)
    owner = means.backend.asarray(np.arange(len(fitted)))
    results = results_of(together, solution, owner, [view] * len(fitted))
    joint = dict(zip(fitted, results, strict=True))
    return [replace(joint[i], timings=r.timings) if i in joint else r for i, r in enumerate(single)]


@dataclass(frozen=True)
class _Clip:
    """Frames that could be fitted, their numbers, and how the camera was held."""

    people: list[Observation]
    camera: Camera
    times: list[int]
    view: View


def _numbers(people: list[Observation], frames: Sequence[int] | None) -> list[int]:
    numbers = list(range(len(people))) if frames is None else [int(f) for f in frames]
    rising = all(a < b for a, b in pairwise(numbers))
    if len(numbers) != len(people) or not rising:
        raise InvalidInputError(
            "A sequence needs one frame number an observation, rising.",
            "Give frames=[0, 1, 2, ...].",
        )
    if len({p.keypoint_set for p in people}) > 1:
        raise InvalidInputError(
            "The frames of a sequence have different keypoint sets.", "Use one detector for a clip."
        )
    return numbers


def _chosen(single: list[FitResult], clip: _Clip, means: Means) -> State:
    """Of each frame's hypotheses the one on the path that moves least."""
    path = best_path(
        [np.stack([h.joints for h in r.hypotheses]) for r in single],
        [np.array([h.energy for h in r.hypotheses]) for r in single],
        np.diff(clip.times).tolist(),
    )
    chosen = [r.hypotheses[k] for r, k in zip(single, path, strict=True)]
    return state_of(chosen, np.stack([h.z for h in chosen]), means)


def _frames(clip: _Clip, means: Means, who: Who, state: State) -> People:
    """One row a frame; the keypoints' scale as in a single fit, from the clip's median depth."""
    count = len(clip.people)
    people = gather(clip.people, [clip.camera] * count, means, [who] * count)
    median = float(np.median(to_numpy(_depth(state))))
    people = people.scaled(
        (means.config.weights.keypoint_metres * people.focal() / median)[:, None]
    )
    together = replace(
        people.problem,
        unknowns=(ROOT, TRANSL, SHARED_BETAS),
        group=means.backend.asarray(np.zeros(len(people), np.int64)),
    )
    return replace(people, problem=together)


def _depth(state: State) -> Array:
    return state.transl[:, 2].clip(NEAREST, None)


def _with_parts(people: People, state: State, seed: int) -> People:
    parts = parts_term(people.observations, people.means, people.focal() / _depth(state), seed)
    return people if parts is None else people.with_term(parts)


def _in_windows(
    people: People, state: State, times: list[int], config: SequenceConfig, report: Report
) -> Solution:
    """Window after window; the first finds the shape, later ones hold it and the last frames of the
    one before. -> the frames without their smoothness."""
    xp, problem, count = people.means.backend.xp, people.problem, len(people)
    mean = xp.mean(state.betas[: config.window], axis=0)[None]
    state = replace(state, betas=mean + xp.zeros_like(state.betas))
    numbers = asarray_like(xp, np.array(times, np.float64), state.z)
    energies = xp.zeros_like(state.z[:, 0])
    converged = energies > 0
    for start in range(0, max(1, count - config.overlap), config.window - config.overlap):
        rows = people.means.backend.asarray(np.arange(start, min(count, start + config.window)))
        held = np.arange(len(rows)) < (config.overlap if start else 0)
        smoothness = Smoothness(config.smooth, numbers[rows])
        chain = Chain(problem.pick(rows), smoothness, held, hold_shape=start > 0)
        solver = SolverConfig(config.iterations, tolerance=1e-3 * len(rows), first_damping=0.1)
        half = (0.5 + 0.5 * start / count, 0.5 * len(rows) / count)
        progress = iterations(report, *half, "whole clip")
        solution = minimise(chain, pick(state, rows), solver, progress)
        state = put_rows(state, rows, solution.state)
        state = replace(state, betas=solution.state.betas[:1] + xp.zeros_like(state.betas))
        bare = problem.pick(rows).energy(solution.state)
        energies = put_rows(energies, rows, bare)
        converged = put_rows(converged, rows, solution.converged)
    return Solution(state, energies, converged)
