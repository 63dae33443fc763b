"""kinflow prior eval: the shipped priors beside a VPoser, a mixture, one Gaussian and none.

Captured poses of the test split alone, 95% intervals by bootstrap over clips. Each prior's weight
in each task is picked from one grid on validation poses. `vs vposer` is the paired difference to
the VPoser's error with its own interval.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import array_api_compat.torch as xp
import numpy as np
import torch
from torch import Tensor

from kinflow.bodies.files import load_body
from kinflow.bodies.model import Body
from kinflow.core.joint_limits import violation_rate
from kinflow.core.rotations import axis_angle_to_matrix, geodesic_angle
from kinflow.core.skeleton import METRIC_JOINTS
from kinflow.priors.arrays import SHIPPED, load_prior_arrays
from kinflow.training.data import clip_interval

from .baselines import load_baselines
from .baselines.linear import Mixture
from .make_heldout import HELDOUT, TRAINING, VALIDATION
from .prior_tasks import (
    DENOISE_WEIGHTS,
    HIDDEN_LIMBS,
    STARTS,
    TASKS,
    TORCH,
    WEIGHTS,
    AnyPrior,
    Start,
    Task,
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
THREADS = 2
REFERENCE = "vposer"


@dataclass(frozen=True)
class Scores:
    """Errors a pose: task -> (N,) mm or degrees."""

    errors: dict[str, np.ndarray]
    weights: dict[str, float]
    seconds: float


@dataclass(frozen=True)
class Examinee:
    """A prior at its tasks, on a body."""

    prior: AnyPrior
    body: Body

    @property
    def dim(self) -> int:
        prior = self.prior.components[0] if isinstance(self.prior, Mixture) else self.prior
        return prior.dim

    def solve(self, task: Task, weight: float, middle: Tensor | None = None) -> Tensor:
        """Answers (B, 23, 3, 3) about a middle (B, D) of the latent space, in chunks."""
        poses = []
        for low in range(0, len(task.target), CHUNK):
            rows = slice(low, low + CHUNK)
            piece = replace(task, target=task.target[rows], view=task.view[rows])
            start = Start(None if middle is None else middle[rows])
            poses.append(solve(self.prior, self.body, piece, weight, start)[0])
        return torch.cat(poses)

    def error(self, name: str, task: Task, poses: Tensor, truth: Tensor) -> Tensor:
        """mm: MPVPE for completion, MPJPE else. (B,)."""
        if name in HIDDEN_LIMBS:
            index = torch.arange(0, self.body.num_vertices, 13)
            apart = vertices_of(self.body, poses, index) - vertices_of(self.body, truth, index)
            return 1e3 * apart.norm(dim=-1).mean(-1)
        apart = joints_of(self.body, poses, task.view) - joints_of(self.body, truth, task.view)
        return 1e3 * apart.norm(dim=-1)[:, list(METRIC_JOINTS)].mean(-1)

    def best_weight(self, name: str, validation: Tensor) -> float:
        """The weight of the lowest error on validation poses."""
        trial = make_task(name, self.body, validation, seed=1)
        choices = DENOISE_WEIGHTS if name == "denoise" else WEIGHTS
        errors = [
            float(self.error(name, trial, self.solve(trial, w), validation).mean()) for w in choices
        ]
        return choices[int(np.argmin(errors))]

    def best_of_draws(
        self, name: str, task: Task, weight: float, truth: Tensor, best: Tensor, draws: int
    ) -> Tensor:
        """The lowest of the most likely answer's error and those of `draws` - 1 drawn ones."""
        generator = torch.Generator().manual_seed(2)
        for _ in range(draws - 1):
            middle = torch.randn(len(truth), self.dim, generator=generator)
            poses = self.solve(task, weight, middle)
            best = torch.minimum(best, self.error(name, task, poses, truth))
        return best


@torch.no_grad()
def score(
    prior: AnyPrior, body: Body, poses: Tensor, validation: Tensor, draws: int = DRAWS
) -> Scores:
    """Every task with its weight from the validation poses."""
    started = time.perf_counter()
    examinee = Examinee(prior, body)
    errors, weights = {}, {}
    for name in TASKS:
        weight = weights[name] = examinee.best_weight(name, validation)
        task = make_task(name, body, poses)
        answer = most_likely(prior, body, task, weight)
        missed = examinee.error(name, task, answer, poses)
        errors[name] = missed.numpy()
        if name == "ik":
            angle = geodesic_angle(xp, answer[:, :21], poses[:, :21])
            errors["ik rotation"] = torch.rad2deg(angle).mean(-1).numpy()
        if name in HIDDEN_LIMBS and draws:
            best = examinee.best_of_draws(name, task, weight, poses, missed, draws)
            errors[f"{name}, best of {draws}"] = best.numpy()
    return Scores(errors, weights, time.perf_counter() - started)


def draw_samples(prior: AnyPrior, count: int, seed: int = 0) -> Tensor:
    """Poses (count, 23, 3, 3) at temperature 1; `none` draws no people but turned joints."""
    generator = torch.Generator().manual_seed(seed)
    if not isinstance(prior, Mixture):
        z = torch.randn(count, prior.dim, generator=generator)
        return prior.decoder(TORCH).decode(xp, z)[0]
    which = torch.multinomial(torch.tensor(prior.shares), count, True, generator=generator)
    z = torch.randn(count, prior.components[0].dim, generator=generator)
    decoders = [component.decoder(TORCH) for component in prior.components]
    return torch.cat([d.decode(xp, z[which == k])[0] for k, d in enumerate(decoders)])


def load_poses(path: Path, per_clip: int | None) -> tuple[Tensor, np.ndarray]:
    """Captured poses (N, 23, 3, 3) and their clips, evenly thinned to `per_clip` of each."""
    with np.load(path) as data:
        pose = data["pose"]
        clip = data["clip"] if "clip" in data else np.zeros(len(pose), int)
    if per_clip:
        members = [np.flatnonzero(clip == c) for c in np.unique(clip)]
        keep = np.concatenate([m[:: max(1, -(-len(m) // per_clip))] for m in members])
        pose, clip = pose[keep], clip[keep]
    return axis_angle_to_matrix(xp, torch.from_numpy(pose)), clip


def print_quality(
    priors: dict[str, AnyPrior], body: Body, held_out: Tensor, training: Tensor
) -> None:
    """How samples are beside held-out captured poses."""
    real = joints_of(body, held_out)[:, list(METRIC_JOINTS)]
    print(f"samples against {len(real)} held-out captured poses (Frechet in cm^2, distances in mm)")
    print(
        f"{'':>14} {'Frechet':>8} {'precision':>9} {'recall':>7} {'nearest':>8} {'APD':>6} "
        f"{'beyond joint limits':>20}"
    )
    rows = {"captured train": training} | {n: draw_samples(p, len(real)) for n, p in priors.items()}
    for name, poses in rows.items():
        joints = joints_of(body, poses)[:, list(METRIC_JOINTS)]
        precision, recall = precision_recall(joints, real)
        print(
            f"{name:>14} {frechet_distance(joints, real):>8.0f} {precision:>9.2f} {recall:>7.2f} "
            f"{nearest_distance(joints, real):>8.1f} {average_pairwise_distance(joints):>6.0f} "
            f"{100 * violation_rate(xp, poses):>19.2f}%",
            flush=True,
        )


def print_task(row: str, results: dict[str, Scores], clip: np.ndarray) -> None:
    """One task's errors of all priors."""
    measure = "MPVPE" if row.split(",")[0] in HIDDEN_LIMBS else "MPJPE"
    print(f"\n{row} (degrees)" if "rotation" in row else f"\n{row} (mm) {measure}")
    reference = results[REFERENCE].errors[row] if REFERENCE in results else None
    for name, scores in results.items():
        mean, low, high = clip_interval(scores.errors[row], clip)
        paired = ""
        if reference is not None and name != REFERENCE:
            difference = clip_interval(scores.errors[row] - reference, clip)
            paired = "  vs vposer {:+.1f} [{:+.1f}, {:+.1f}]".format(*difference)
        print(f"{name:>14} {mean:7.1f} [{low:.1f}, {high:.1f}]{paired}")


def run(
    per_clip: int = 5, draws: int = DRAWS, names: tuple[str, ...] = ()
) -> dict[str, dict[str, float]]:
    """Prints the tables; returns the mean error of each prior and task."""
    torch.set_num_threads(THREADS)
    body = load_body()
    held_out, clip = load_poses(HELDOUT, per_clip)
    validation, _ = load_poses(VALIDATION, per_clip)
    priors = {name: load_prior_arrays(name) for name in SHIPPED} | load_baselines()
    if names:
        priors = {n: p for n, p in priors.items() if n in names}
    print_quality(priors, body, load_poses(HELDOUT, None)[0], load_poses(TRAINING, None)[0])
    print(
        f"\n{len(held_out)} poses of {len(np.unique(clip))} held-out clips; weights from "
        f"{len(validation)} validation poses, {STARTS} starts"
    )
    results = {}
    for name, prior in priors.items():
        results[name] = scores = score(prior, body, held_out, validation, draws)
        print(f"  {name}: {scores.seconds:.0f} s, weights {scores.weights}", flush=True)
    for row in next(iter(results.values())).errors:
        print_task(row, results, clip)
    return {n: {k: float(v.mean()) for k, v in s.errors.items()} for n, s in results.items()}
