"""kinflow prior eval: the shipped priors beside a VPoser, a Gaussian mixture, one Gaussian and none.

Captured poses of the test split alone, 95% intervals by bootstrap over clips. Each prior's weight in each task is picked
from one grid on validation poses. `vs vposer` is the paired difference to the VPoser's error with its own interval.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from kinflow.bodies.files import load_body
from kinflow.priors.prior import SHIPPED, load_prior
from kinflow.core.joint_limits import violation_rate
from kinflow.rotations import axis_angle_to_matrix, geodesic_angle
from kinflow.core.skeleton import METRIC_JOINTS
from kinflow.training.prior import clip_interval

from .baselines import load_baselines
from .baselines.linear import Mixture
from .make_heldout import HELDOUT, TRAINING, VALIDATION
from .prior_tasks import (
    DENOISE_WEIGHTS,
    HIDDEN_LIMBS,
    STARTS,
    TASKS,
    WEIGHTS,
    joints_of,
    make_task,
    most_likely,
    solve,
    vertices_of,
)
from .sample_quality import (
    average_pairwise_distance,
    frechet_distance,
    nearest_distance,
    precision_recall,
)

DRAWS = 10
CHUNK = 200


@dataclass(frozen=True)
class Scores:
    """Errors a pose: task -> (N,) mm or degrees."""

    errors: dict[str, np.ndarray]
    weights: dict[str, float]
    seconds: float


def _solve_chunks(prior, body, task, weight, middle=None):
    parts = []
    for low in range(0, len(task.target), CHUNK):
        piece = type(task)(task.target[low : low + CHUNK], task.seen, task.view[low : low + CHUNK])
        parts.append(
            solve(
                prior, body, piece, weight, None if middle is None else middle[low : low + CHUNK]
            )[0]
        )
    return torch.cat(parts)


def _error(name: str, body, poses, truth, view, index) -> torch.Tensor:
    """mm: MPVPE for completion, MPJPE else."""
    if name in HIDDEN_LIMBS:
        return 1e3 * (vertices_of(body, poses, index) - vertices_of(body, truth, index)).norm(
            dim=-1
        ).mean(-1)
    apart = joints_of(body, poses, view) - joints_of(body, truth, view)
    return 1e3 * apart.norm(dim=-1)[:, list(METRIC_JOINTS)].mean(-1)


@torch.no_grad()
def score(prior, body, poses: torch.Tensor, validation: torch.Tensor, draws: int = DRAWS) -> Scores:
    """Every task with its weight from the validation poses."""
    started = time.perf_counter()
    index = torch.arange(0, body.num_vertices, 13)
    errors, weights = {}, {}
    for name in TASKS:
        trial = make_task(name, body, validation, seed=1)
        choices = DENOISE_WEIGHTS if name == "denoise" else WEIGHTS
        grid = [
            float(
                _error(
                    name, body, _solve_chunks(prior, body, trial, w), validation, trial.view, index
                ).mean()
            )
            for w in choices
        ]
        weights[name] = choices[int(np.argmin(grid))]
        task = make_task(name, body, poses)
        answer = most_likely(prior, body, task, weights[name])
        errors[name] = _error(name, body, answer, poses, task.view, index).numpy()
        if name == "ik":
            angle = torch.rad2deg(geodesic_angle(answer[:, :21], poses[:, :21])).mean(-1)
            errors["ik rotation"] = angle.numpy()
        if name in HIDDEN_LIMBS and draws:
            generator = torch.Generator().manual_seed(2)
            size = prior.components[0].dim if isinstance(prior, Mixture) else prior.dim
            best = torch.from_numpy(errors[name])
            for _ in range(draws - 1):
                middle = torch.randn(len(poses), size, generator=generator)
                drawn = _solve_chunks(prior, body, task, weights[name], middle)
                best = torch.minimum(best, _error(name, body, drawn, poses, task.view, index))
            errors[f"{name}, best of {draws}"] = best.numpy()
    return Scores(errors, weights, time.perf_counter() - started)


def draw_samples(prior, count: int, seed: int = 0) -> torch.Tensor:
    """Poses (count, 23, 3, 3) at temperature 1; `none` draws no people but turned joints."""
    generator = torch.Generator().manual_seed(seed)
    if isinstance(prior, Mixture):
        share = torch.tensor(prior.shares)
        which = torch.multinomial(share, count, True, generator=generator)
        z = torch.randn(count, prior.components[0].dim, generator=generator)
        return torch.cat([prior.components[k].decode(z[which == k]) for k in range(len(share))])
    return prior.decode(torch.randn(count, prior.dim, generator=generator))


def load_poses(path, per_clip: int | None) -> tuple[torch.Tensor, np.ndarray]:
    """Captured poses as rotations and their clips, evenly thinned to at most `per_clip` of each."""
    with np.load(path) as data:
        pose, clip = (
            data["pose"],
            data["clip"] if "clip" in data else np.zeros(len(data["pose"]), int),
        )
    if per_clip:
        keep = np.concatenate(
            [
                np.flatnonzero(clip == c)[:: max(1, -(-(clip == c).sum() // per_clip))]
                for c in np.unique(clip)
            ]
        )
        pose, clip = pose[keep], clip[keep]
    return axis_angle_to_matrix(torch.from_numpy(pose)), clip


def _quality_table(priors: dict, body, held_out, training) -> None:
    real = joints_of(body, held_out)[:, list(METRIC_JOINTS)]
    print(f"samples against {len(real)} held-out captured poses (Frechet in cm^2, distances in mm)")
    print(
        f"{'':>14} {'Frechet':>8} {'precision':>9} {'recall':>7} {'nearest':>8} {'APD':>6} {'beyond joint limits':>20}"
    )
    rows = {"captured train": training} | {n: draw_samples(p, len(real)) for n, p in priors.items()}
    for name, poses in rows.items():
        joints = joints_of(body, poses)[:, list(METRIC_JOINTS)]
        precision, recall = precision_recall(joints, real)
        print(
            f"{name:>14} {frechet_distance(joints, real):>8.0f} {precision:>9.2f} {recall:>7.2f} {nearest_distance(joints, real):>8.1f} "
            f"{average_pairwise_distance(joints):>6.0f} {100 * violation_rate(poses):>19.2f}%",
            flush=True,
        )


def run(
    per_clip: int = 5, draws: int = DRAWS, names: tuple[str, ...] = ()
) -> dict[str, dict[str, float]]:
    """Prints the tables; returns the mean error of each prior and task."""
    body = load_body()
    held_out, clip = load_poses(HELDOUT, per_clip)
    validation, _ = load_poses(VALIDATION, per_clip)
    priors = {name: load_prior(name) for name in SHIPPED} | load_baselines()
    if names:
        priors = {n: p for n, p in priors.items() if n in names}
    _quality_table(priors, body, load_poses(HELDOUT, None)[0], load_poses(TRAINING, None)[0])
    print(
        f"\n{len(held_out)} poses of {len(np.unique(clip))} held-out clips; weights from {len(validation)} validation poses, {STARTS} starts"
    )
    results = {}
    for name, prior in priors.items():
        results[name] = score(prior, body, held_out, validation, draws)
        print(
            f"  {name}: {results[name].seconds:.0f} s, weights {results[name].weights}", flush=True
        )
    for row in next(iter(results.values())).errors:
        unit = "degrees" if "rotation" in row else "mm"
        print(
            f"\n{row} ({unit}) {'MPVPE' if row.split(',')[0] in HIDDEN_LIMBS else '' if unit == 'degrees' else 'MPJPE'}"
        )
        reference = results["vposer"].errors[row] if "vposer" in results else None
        for name, scores in results.items():
            mean, low, high = clip_interval(scores.errors[row], clip)
            paired = ""
            if reference is not None and name != "vposer":
                paired = "  vs vposer {:+.1f} [{:+.1f}, {:+.1f}]".format(
                    *clip_interval(scores.errors[row] - reference, clip)
                )
            print(f"{name:>14} {mean:7.1f} [{low:.1f}, {high:.1f}]{paired}")
    return {n: {k: float(v.mean()) for k, v in s.errors.items()} for n, s in results.items()}
