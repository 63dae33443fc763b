"""The public `fit`: observations in, results out, one batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..bodies.files import load_body
from ..bodies.keypoints import KeypointRegressor, keypoint_regressor
from ..bodies.model import Body
from ..devices import pick_device
from ..errors import InvalidInputError
from ..priors.prior import Prior, load_prior
from ..records import Camera, FitResult, Observation
from ..rotations import axis_angle_to_matrix
from .backend import levenberg_marquardt, uses_numpy
from .evaluate import posed_joints
from .focal import estimate_focal
from ..guess.guess import Guess, guess
from .hypotheses import distinct, flipped_starts
from .losses import keypoint_alignment
from .problem import Problem, State, Weights
from .reference import minimise
from .residuals.keypoints import project
from .residuals.parts import part_field
from .results import build_result, failed_result
from .setup import assumed_camera, base_problem
from .solver import Solution, SolverConfig, replace_rows
from .starts import NUM_YAWS, place, trunk_roll, upright_rotations

MIN_KEYPOINTS = 3
SHARPEST = 0.2
MAX_BATCH = 256  # people at once on a GPU: bounds memory, and is large enough that calls are
CPU_BATCH = 16  # numpy gains nothing beyond
LOSSES = ("ka", "ba")
SOLVERS = ("lm", "adam", "lbfgs")
STARTS = ("rotations", "regressor", "both")


@dataclass(frozen=True)
class FitConfig:
    """How `fit` works, beyond its arguments."""

    weights: Weights = field(default_factory=Weights)
    coarse_iterations: int = 7
    fine_iterations: int = 40
    flip_iterations: int = 10
    part_iterations: int = 15
    keep_starts: int = 2
    hints: bool = True
    hypotheses: bool = True
    sharpen: bool = True
    estimate_focal: bool = False
    """Look for the focal length too, where neither `camera` nor the observation gives one."""
    rotated_starts: bool = True
    """Try the four rotations also for people for whom a start is given."""


NEAR_START = FitConfig(fine_iterations=6, hypotheses=False)
"""For starts that are near already."""


def fit(
    observations: Observation | Sequence[Observation],
    *,
    body: Body | None = None,
    prior: Prior | str | None = None,
    camera: Camera | None = None,
    losses: Sequence[str] = ("ka", "ba"),
    solver: str = "lm",
    starts: Sequence[FitResult | Guess | None] | str | None = None,
    shared_betas: bool = False,
    device: str = "auto",
    seed: int = 0,
    progress: Callable[[float, str], bool | None] | None = None,
    config: FitConfig | None = None,
) -> list[FitResult]:
    """Fits the body to every observation in one batch; results in the same order.

    camera replaces the observations' own; without either, a normal lens is assumed. losses: "ka" keypoints,
    "ba" body parts or mask where an observation has them. starts: a previous result or guess an observation (or None), tried
    besides the four rotated ones (which are what None tries); or "regressor": the shipped network's guess instead of them, which is so near that a few
    steps are enough and, unless `config` asks for it, nothing else is tried (one hypothesis); or "both". shared_betas: one shape for all. progress(fraction, message) may return False to
    cancel (CancelledError).

    One observation that cannot be fitted gets status "too_few_keypoints" or "failed" with a message and never harms
    the others. Raises InvalidInputError for wrong arguments.
    """
    people: list[Observation] = (
        [observations] if isinstance(observations, Observation) else list(observations)
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
    torch_device = pick_device(device)
    config = config or (NEAR_START if starts == "regressor" else FitConfig())
    body = (body or load_body()).to(torch_device)
    if prior is None or isinstance(prior, (str, Path)):
        prior = load_prior(prior or "light")
    prior = prior.to(torch_device)
    started = time.perf_counter()
    results: list[FitResult | None] = [None] * len(people)
    cameras: list[Camera] = []
    usable: list[int] = []
    for index, person in enumerate(people):
        if not isinstance(person, Observation):
            raise InvalidInputError(
                f"Observation {index} is a {type(person).__name__}.",
                "Build it with kinflow.Observation.",
            )
        own = camera or person.camera or assumed_camera(person)
        cameras.append(own)
        count = int(person.usable.sum())
        if count < MIN_KEYPOINTS:
            message = f"Only {count} keypoints are usable; at least {MIN_KEYPOINTS} are needed."
            results[index] = failed_result(body, prior, own, person, "too_few_keypoints", message)
        else:
            usable.append(index)
    if config.estimate_focal and camera is None:
        unknown_lens = [i for i in usable if people[i].camera is None]
        # sharpened scales would make energies of different lenses incomparable
        quick = replace(config, estimate_focal=False, hypotheses=False, sharpen=False)

        def fit_with(tried: list[Camera], given: list[FitResult] | None) -> list[FitResult]:
            seen = [
                replace(people[i], camera=c, mask=None, parts=None)
                for i, c in zip(unknown_lens, tried, strict=True)
            ]
            return fit(
                seen,
                body=body,
                prior=prior,
                losses=("ka",),
                starts=given,
                device=device,
                config=quick,
            )

        for i, found in zip(
            unknown_lens, estimate_focal([cameras[i] for i in unknown_lens], fit_with), strict=True
        ):
            cameras[i] = found
    if isinstance(starts, str):
        config = replace(config, rotated_starts=starts != "regressor")
        starts = None if starts == "rotations" else guess(people, cameras=cameras, body=body)
    groups: dict[str, list[int]] = {}
    for index in usable:
        groups.setdefault(people[index].keypoint_set, []).append(index)
    done = 0
    size = (
        len(people) if shared_betas else CPU_BATCH if uses_numpy(prior, torch_device) else MAX_BATCH
    )
    batches = [
        (name, group[i : i + size])
        for name, group in groups.items()
        for i in range(0, len(group), size)
    ]
    for keypoint_set, members in batches:
        regressor = keypoint_regressor(body, keypoint_set)

        def report(
            fraction: float, message: str, offset: int = done, size: int = len(members)
        ) -> bool | None:
            return (
                None
                if progress is None
                else progress((offset + fraction * size) / max(1, len(usable)), message)
            )

        fitted = _fit_group(
            [people[i] for i in members],
            [cameras[i] for i in members],
            regressor,
            body,
            prior,
            config,
            "ba" in losses,
            [starts[i] for i in members] if starts is not None else None,
            solver,
            shared_betas,
            report,
            seed,
        )
        for index, result in zip(members, fitted, strict=True):
            results[index] = result
        done += len(members)
    elapsed = time.perf_counter() - started
    return [
        replace(r, timings=r.timings | {"fit_s": elapsed / max(1, len(people)), "batch_s": elapsed})
        for r in results
        if r is not None
    ]


def _fit_group(
    people: list[Observation],
    cameras: list[Camera],
    regressor: KeypointRegressor,
    body: Body,
    prior: Prior,
    config: FitConfig,
    use_parts: bool,
    starts: list[FitResult | Guess | None] | None,
    solver: str,
    shared_betas: bool,
    report: Callable[[float, str], bool | None],
    seed: int,
) -> list[FitResult]:
    count = len(people)
    names = regressor.names
    base = base_problem(people, cameras, body, prior, config.weights, config.hints)
    keypoints, confidence, focal = base.keypoints, base.confidence, base.focal

    given = [] if starts is None else [i for i, s in enumerate(starts) if s is not None]
    rotated = torch.tensor(
        [i for i in range(count) if config.rotated_starts or i not in given],
        dtype=torch.long,
        device=body.device,
    )
    owner = rotated.repeat_interleave(NUM_YAWS)
    problem = base.pick(owner)
    roots = upright_rotations(trunk_roll(keypoints, confidence, names)[rotated]).flatten(0, 1)
    zeros = torch.zeros(len(owner), prior.dim, device=body.device)
    state = place(
        problem, zeros, roots, torch.zeros(len(owner), body.num_betas, device=body.device)
    )
    if starts is not None and given:
        owner, problem, state = _with_given(base, owner, state, starts)
    # one Laplace scale of the keypoints in px: keypoint_metres at the nearest start's depth
    depth = torch.full((count,), torch.inf, device=body.device).scatter_reduce(
        0, owner, state.transl[:, 2].clamp_min(0.3), "amin"
    )
    base = replace(base, scale=(config.weights.keypoint_metres * focal.mean(-1) / depth)[:, None])
    problem = base.pick(owner)

    if solver != "lm":
        solution = minimise(problem, state, solver, lambda i, n: report(i / n, solver))
    else:
        iterate = lambda low, high, text: lambda i, n: report(low + (high - low) * i / n, text)  # noqa: E731
        if len(rotated):
            coarse = SolverConfig(max_iterations=config.coarse_iterations)
            solution = levenberg_marquardt(problem, state, coarse, iterate(0.0, 0.3, "coarse fit"))
            rows = _best_rows(solution.energy, owner, config.keep_starts)
            owner, state = owner[rows], solution.state.pick(rows)
        fine = SolverConfig(max_iterations=config.fine_iterations, first_damping=0.1)
        solution = levenberg_marquardt(base.pick(owner), state, fine, iterate(0.3, 0.6, "fine fit"))
        if config.hypotheses:
            flips, flip_owner = flipped_starts(base.pick(owner), solution, owner, names)
            if len(flip_owner):
                brief = SolverConfig(max_iterations=config.flip_iterations, first_damping=0.1)
                flipped = levenberg_marquardt(
                    base.pick(flip_owner), flips, brief, iterate(0.6, 0.7, "other depths")
                )
                solution, owner = _join(solution, flipped), torch.cat((owner, flip_owner))
                solution = _polish(base, solution, owner, fine)
        if config.sharpen:
            base, solution = _sharpen(base, solution, owner, config)
    if use_parts and solver == "lm":
        best = _best_rows(solution.energy, owner, 1)
        near = torch.ones(count, device=body.device).index_copy(
            0, owner[best], solution.state.transl[best, 2].clamp_min(0.3)
        )
        labelled = part_field(people, body, focal.mean(-1) / near, seed)
        if labelled is not None:
            base = replace(base, parts=labelled)
            keep = _best_rows(solution.energy, owner, 3)
            refine = SolverConfig(max_iterations=config.part_iterations, first_damping=1.0)
            chosen = solution.state.pick(keep)
            refined = levenberg_marquardt(
                base.pick(owner[keep]),
                chosen,
                refine,
                lambda i, n: report(0.75 + 0.2 * i / n, "body parts"),
            )
            solution, owner = refined, owner[keep]
    if shared_betas and count > 1:
        solution, owner = _share_betas(base, solution, owner, config)
    groups = distinct(base, solution, owner, count)
    report(1.0, "done")
    return [
        build_result(base, solution, rows, person, camera, regressor, number)
        for number, (rows, person, camera) in enumerate(zip(groups, people, cameras, strict=True))
    ]


def _polish(base: Problem, solution: Solution, owner: Tensor, config: SolverConfig) -> Solution:
    """Takes to convergence what leads but was not given the time for it."""
    best = _best_rows(solution.energy, owner, 1)
    rows = best[~solution.converged[best]]
    if not len(rows):
        return solution
    return replace_rows(
        solution,
        rows,
        levenberg_marquardt(base.pick(owner[rows]), solution.state.pick(rows), config),
    )


def _sharpen(
    base: Problem, solution: Solution, owner: Tensor, config: FitConfig
) -> tuple[Problem, Solution]:
    """Keypoints that turn out better than a usual detector's are believed more.

    The Laplace scale's maximum-likelihood estimate is the mean distance that is left. Where that is less than half of
    the assumed scale, the scale falls to it (at most by SHARPEST) and the person is fitted on from there.
    """
    problem = base.pick(owner)
    _, posed = posed_joints(problem, solution.state)
    pixels, _ = project(
        posed.points + solution.state.transl[:, None], problem.focal, problem.centre
    )
    left = keypoint_alignment(pixels, problem.keypoints, problem.confidence)
    best = _best_rows(solution.energy, owner, 1)
    estimate = torch.full((len(base.scale),), torch.inf, device=left.device).index_copy(
        0, owner[best], left[best]
    )[:, None]
    sharp = estimate < 0.5 * base.scale
    if not bool(sharp.any()):
        return base, solution
    base = replace(
        base, scale=torch.where(sharp, torch.maximum(estimate, SHARPEST * base.scale), base.scale)
    )
    rows = torch.nonzero(sharp[owner, 0])[:, 0]
    again = levenberg_marquardt(
        base.pick(owner[rows]),
        solution.state.pick(rows),
        SolverConfig(config.fine_iterations, first_damping=0.1),
    )
    return base, replace_rows(solution, rows, again)


def _best_rows(energy: Tensor, owner: Tensor, keep: int) -> Tensor:
    """Rows of the `keep` lowest energies of each owner."""
    order = torch.argsort(energy)
    order = order[torch.argsort(owner[order], stable=True)]
    sorted_owner = owner[order]
    position = torch.arange(len(order), device=order.device)
    first = torch.searchsorted(sorted_owner.contiguous(), sorted_owner.contiguous())
    return order[position - first < keep]


def _join(a: Solution, b: Solution) -> Solution:
    return Solution(
        State.cat([a.state, b.state]),
        torch.cat((a.energy, b.energy)),
        torch.cat((a.converged, b.converged)),
        max(a.iterations, b.iterations),
    )


def _with_given(
    base: Problem, owner: Tensor, state: State, starts: list[FitResult | Guess | None]
) -> tuple[Tensor, Problem, State]:
    """Adds previous results as starts."""
    given = [(i, s) for i, s in enumerate(starts) if s is not None]

    def stack(name: str) -> Tensor:
        return torch.from_numpy(
            np.stack([np.asarray(getattr(s, name), np.float32) for _, s in given])
        ).to(base.keypoints)

    z = stack("z")
    if z.shape[1] != base.prior.dim:
        z = base.prior.encode(stack("body_pose"))
    extra = State(z, axis_angle_to_matrix(stack("global_orient")), stack("betas"), stack("transl"))
    owner = torch.cat((owner, torch.tensor([i for i, _ in given], device=owner.device)))
    return owner, base.pick(owner), State.cat([state, extra])


def _share_betas(
    base: Problem, solution: Solution, owner: Tensor, config: FitConfig
) -> tuple[Solution, Tensor]:
    """One shape for all: the precision-weighted mean of everybody's best, then a fit with the shape held there."""
    best = _best_rows(solution.energy, owner, 1)
    mean = solution.state.betas[best].mean(0, keepdim=True).expand(len(owner), -1)
    # a stiff weight about the shared shape: unknowns are offsets from it
    body = base.body
    shift = (body.shapedirs @ mean[0], body.J_shapedirs @ mean[0])
    points = replace(base.points, template=base.points.template + base.points.shapedirs @ mean[0])
    moved = replace(
        body, v_template=body.v_template + shift[0], J_template=body.J_template + shift[1]
    )
    held = replace(base, body=moved, points=points, weights=replace(base.weights, betas=1e6))
    state = solution.state
    start = State(state.z, state.root, torch.zeros_like(state.betas), state.transl)
    again = levenberg_marquardt(
        held.pick(owner), start, SolverConfig(config.fine_iterations, first_damping=0.1)
    )
    final = State(again.state.z, again.state.root, mean.clone(), again.state.transl)
    return Solution(final, again.energy, again.converged, again.iterations), owner
