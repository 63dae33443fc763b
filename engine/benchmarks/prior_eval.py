"""kinflow prior eval: the shipped priors beside a VPoser, a mixture, one Gaussian and none.

Captured poses of performers that none was trained on; 95% intervals by bootstrap over performers
and, within each, clips. Each prior's weight in each task is picked from one grid on validation
performers; a weight at the grid's end is marked. Paired differences have their own intervals.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kinflow.bodies.arrays import BodyArrays, default_body_arrays
from kinflow.core.arrays import numpy_backend
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.joint_limits import violation_rate
from kinflow.core.representations import to_vector
from kinflow.core.rotations import axis_angle_to_matrix, geodesic_angle
from kinflow.core.skeleton import METRIC_JOINTS
from kinflow.errors import InvalidInputError
from kinflow.mocap.augment import HAND_NOISE
from kinflow.priors.arrays import SHIPPED, PriorArrays, load_prior_arrays
from kinflow.terminal import counted
from kinflow.training.data import clip_interval

from .baselines import load_baselines
from .baselines.linear import Mixture
from .make_heldout import HELDOUT, TRAINING, VALIDATION
from .prior_tasks import (
    DENOISE_WEIGHTS,
    HIDDEN_LIMBS,
    NUMPY,
    RANDOM_STARTS,
    TASKS,
    VOLUMES,
    WEIGHTS,
    AnyPrior,
    Solver,
    Strength,
    Task,
    joints_of,
    make_task,
    vertices_of,
)
from .sample_quality import (
    area_under_curve,
    average_pairwise_distance,
    frechet_distance,
    in_balls,
    nearest_distance,
    with_another_limb,
    with_bent_joints,
)

RIVALS = ("vposer", "mixture", "gaussian")
COMPLETION = "best of {} over completions"


@dataclass(frozen=True)
class Poses:
    """pose (N, 23, 3, 3) float32, clip and performer (N,)."""

    pose: np.ndarray
    clip: np.ndarray
    performer: np.ndarray

    def interval(self, values: np.ndarray) -> tuple[float, float, float]:
        """Mean with its interval."""
        return clip_interval(values, self.clip, self.performer)


@dataclass(frozen=True)
class Scores:
    """Errors a pose: row -> (N,) mm or degrees; what the prior weighed by task; seconds."""

    errors: dict[str, np.ndarray]
    weights: dict[str, Strength]
    seconds: float


def load_poses(path: Path, per_clip: int | None = None) -> Poses:
    """An .npz with pose (N, 69) axis-angle, and where it has them clip and performer (N,); evenly
    thinned to `per_clip` of each clip. Raises InvalidInputError.
    """
    try:
        with np.load(path) as data:
            pose = data["pose"].astype(np.float32).reshape(len(data["pose"]), -1, 3)
            clip = data["clip"] if "clip" in data else np.zeros(len(pose), int)
            performer = data["performer"] if "performer" in data else np.zeros(len(pose), int)
    except (OSError, KeyError, ValueError) as error:
        raise InvalidInputError(
            f"{path} cannot be read as poses ({error}).",
            "Give an .npz with pose (N, 69) axis-angle and clip (N,).",
        ) from error
    if pose.shape[1:] != (23, 3) or len(clip) != len(pose) or not np.isfinite(pose).all():
        raise InvalidInputError(f"{path}: pose should be finite, (N, 69), and clip (N,).")
    keep = np.arange(len(pose))
    if per_clip:
        members = [np.flatnonzero(clip == c) for c in np.unique(clip)]
        keep = np.concatenate([m[:: max(1, -(-len(m) // per_clip))] for m in members])
    pose[:, -2:] = 0  # nobody captures the hands
    return Poses(axis_angle_to_matrix(xp, pose[keep]), clip[keep], performer[keep])


def error(body: BodyArrays, name: str, task: Task, poses: np.ndarray, truth: np.ndarray):
    """Of answers (B,): vertices in completion, joints else, mm; of IK rotations, degrees."""
    if name == "ik":
        angle = geodesic_angle(xp, poses[:, :21], truth[:, :21])
        return np.degrees(angle).mean(-1)
    if name in HIDDEN_LIMBS:
        apart = vertices_of(body, poses) - vertices_of(body, truth)
        return 1e3 * np.linalg.norm(apart, axis=-1).mean(-1)
    apart = joints_of(body, poses, task.view) - joints_of(body, truth, task.view)
    return 1e3 * np.linalg.norm(apart, axis=-1)[:, list(METRIC_JOINTS)].mean(-1)


def best_strength(solver: Solver, name: str, validation: np.ndarray) -> Strength:
    """The weight, then a flow's share of the volume, of the lowest error on validation poses."""
    task = make_task(name, solver.body, validation, seed=1)

    def best(choices: list[Strength]) -> Strength:
        answers = [solver.most_likely(task, s) for s in choices]
        errors = [error(solver.body, name, task, a, validation).mean() for a in answers]
        return choices[int(np.nanargmin(errors))]

    weights = DENOISE_WEIGHTS if name == "denoise" else WEIGHTS
    first = best([Strength(w) for w in weights])
    if not isinstance(solver.prior, PriorArrays):
        return first
    near = weights[max(0, weights.index(first.weight) - 1) :][:3]
    return best([Strength(w, v) for w in near for v in VOLUMES])


def score(solver: Solver, poses: np.ndarray, validation: np.ndarray, draws: int) -> Scores:
    """Every task with its weight from the validation poses; completions also by draws."""
    started, errors, weights, best_of = time.perf_counter(), {}, {}, []
    for name in counted(TASKS, "Solving", "tasks"):
        strength = weights[name] = best_strength(solver, name, validation)
        task = make_task(name, solver.body, poses)
        answer = solver.most_likely(task, strength, RANDOM_STARTS)
        best = errors[name] = error(solver.body, name, task, answer, poses)
        if name in HIDDEN_LIMBS and draws:
            random = np.random.default_rng(2)
            for _ in range(draws - 1):
                middle = random.standard_normal((len(poses), solver.dim), np.float32)
                drawn, _ = solver.solve(task, strength, middle)
                best = np.fmin(best, error(solver.body, name, task, drawn, poses))
            best_of.append(best)
    if best_of:
        errors[COMPLETION.format(draws)] = np.mean(best_of, 0)
    return Scores(errors, weights, time.perf_counter() - started)


def draw_samples(prior: AnyPrior, count: int, seed: int = 0) -> np.ndarray:
    """Poses (count, 23, 3, 3) at temperature 1; `none` draws no people but turned joints."""
    random = np.random.default_rng(seed)
    parts, shares = (
        (prior.components, prior.shares) if isinstance(prior, Mixture) else ([prior], [1])
    )
    which = random.choice(len(parts), count, p=np.array(shares) / np.sum(shares))
    z = random.standard_normal((count, parts[0].dim), np.float32)
    poses = [p.decoder(NUMPY).decode(xp, z[which == k])[0] for k, p in enumerate(parts)]
    return np.concatenate(poses)


def print_quality(
    priors: dict[str, AnyPrior], body: BodyArrays, poses: Poses, training: Poses
) -> None:
    """How samples are beside held-out captured poses, and what a density tells apart."""
    truth = poses.pose
    real = joints_of(body, truth)[:, list(METRIC_JOINTS)]
    print(f"samples against {len(real)} held-out captured poses (Frechet in cm^2, distances in mm)")
    print(
        f"{'':>14} {'Frechet':>8} {'precision':>9} {'recall':>7} {'nearest':>8} {'APD':>6} "
        f"{'beyond joint limits':>20} {'AUC limb':>9} {'AUC 20 deg':>10}"
    )
    spoilt = with_another_limb(truth), with_bent_joints(truth)
    rows = {"captured train": None} | priors
    for name, prior in rows.items():
        samples = training.pose[: len(real)] if prior is None else draw_samples(prior, len(real))
        joints = joints_of(body, samples)[:, list(METRIC_JOINTS)]
        precise, recalled = in_balls(joints, real)
        areas = ""
        if prior is not None and np.isfinite(prior.log_prob(truth[:1])).all():
            captured = prior.log_prob(truth)
            values = (area_under_curve(captured, prior.log_prob(s)) for s in spoilt)
            areas = " {:>9.3f} {:>10.3f}".format(*values)
        print(
            f"{name:>14} {frechet_distance(joints, real):>8.0f} {precise.mean():>9.2f} "
            f"{recalled.mean():>7.2f} {nearest_distance(joints, real):>8.1f} "
            f"{average_pairwise_distance(joints):>6.0f} "
            f"{100 * violation_rate(xp, samples):>19.2f}%{areas}",
            flush=True,
        )


def resamples(poses: Poses, rounds: int = 300) -> list[np.ndarray]:
    """Rows of bootstrap samples: performers, within each clips."""
    random = np.random.default_rng(0)
    clips = {p: np.unique(poses.clip[poses.performer == p]) for p in np.unique(poses.performer)}
    rows = {c: np.flatnonzero(poses.clip == c) for c in np.unique(poses.clip)}
    samples = []
    for _ in range(rounds):
        people = random.choice(list(clips), len(clips))
        drawn = np.concatenate([random.choice(clips[p], len(clips[p])) for p in people])
        samples.append(np.concatenate([rows[c] for c in drawn]))
    return samples


def print_densities(priors: dict[str, AnyPrior], body: BodyArrays, poses: Poses) -> None:
    """What a density is for, `light` against mixture and Gaussian, paired.

    Nats are those of axis-angles lifted by light-aa's noise, hands by theirs, so they are
    light-aa's; areas and precision are light's. Precision's interval is over samples.
    """
    flow, form = priors["light"], "{:+.3f} [{:+.3f}, {:+.3f}]"
    truth, draws = poses.pose, resamples(poses)
    spoilt = {"one limb": with_another_limb(truth), "20 degrees": with_bent_joints(truth)}
    real = joints_of(body, truth)[:, list(METRIC_JOINTS)]
    precise = {}
    for name in ("light", "mixture", "gaussian"):
        samples = draw_samples(priors[name], 2000)
        precise[name] = in_balls(joints_of(body, samples)[:, list(METRIC_JOINTS)], real)[0]
    nats = lifted_nats(priors, truth)
    print("\nthe flow against mixture and Gaussian, paired")
    for rival in ("mixture", "gaussian"):
        gain = poses.interval(nats["light-aa"] - nats[rival])
        print(f"{rival:>14}  nats of light-aa {{:+.1f}} [{{:+.1f}}, {{:+.1f}}]".format(*gain))
        for name, other in spoilt.items():
            a, b = ((p.log_prob(truth), p.log_prob(other)) for p in (flow, priors[rival]))
            gains = [
                area_under_curve(a[0][r], a[1][r]) - area_under_curve(b[0][r], b[1][r])
                for r in [np.arange(len(truth)), *draws]
            ]
            values = (gains[0], *np.percentile(gains[1:], [2.5, 97.5]))
            print(f"{'':>14}  area, {name} " + form.format(*values))
        apart = precise["light"].astype(float) - precise[rival]
        values = clip_interval(apart, np.arange(len(apart)))
        print(f"{'':>14}  precision " + form.format(*values), flush=True)


def lifted_nats(priors: dict[str, AnyPrior], truth: np.ndarray) -> dict[str, np.ndarray]:
    """Log-densities of lifted axis-angles (N, 69) under light-aa, mixture and Gaussian."""
    random, arrays = np.random.default_rng(3), load_prior_arrays("light-aa")
    lift = arrays.header.lift_sigma
    theta = to_vector(xp, "axis_angle", truth).astype(np.float64)
    theta += lift * random.standard_normal(theta.shape)
    theta[:, 63:] += HAND_NOISE * random.standard_normal((len(theta), 6))
    spread = HAND_NOISE**2 + lift**2
    hands = -0.5 * (theta[:, 63:] ** 2).sum(1) / spread - 3 * np.log(2 * np.pi * spread)
    flow = numpy_backend(np.float64).record(arrays.flow).with_inverses(xp)
    result = {"light-aa": flow.log_density(xp, theta)}
    for name in ("mixture", "gaussian"):
        result[name] = priors[name].log_density(theta[:, :63]) + hands
    return result


def print_task(row: str, results: dict[str, Scores], poses: Poses) -> None:
    """One task's errors of all priors, paired with the VPoser's and the best rival's."""
    measure = "MPVPE" if row in HIDDEN_LIMBS or "best" in row else "MPJPE"
    print(f"\n{row}, rotations (degrees)" if row == "ik" else f"\n{row} (mm) {measure}")
    rivals = {n: results[n].errors[row] for n in RIVALS if n in results}
    best = min(rivals, key=lambda n: rivals[n].mean()) if rivals else ""
    for name, scores in results.items():
        mean, low, high = poses.interval(scores.errors[row])
        line = f"{name:>14} {mean:7.1f} [{low:.1f}, {high:.1f}]"
        for rival in dict.fromkeys(n for n in ("vposer", best) if n in rivals and n != name):
            apart = poses.interval(scores.errors[row] - rivals[rival])
            line += "  vs {} {:+.1f} [{:+.1f}, {:+.1f}]".format(rival, *apart)
        print(line)


def weights_of(scores: Scores) -> str:
    """The weights that validation picked; ! where a grid ended there."""
    words = []
    for name, (weight, volume) in scores.weights.items():
        choices = DENOISE_WEIGHTS if name == "denoise" else WEIGHTS
        mark = "!" if weight in (choices[0], choices[-1]) else ""
        words.append(f"{name} {weight:g}{mark}" + (f" ({volume:g})" if volume else ""))
    return ", ".join(words)


@dataclass(frozen=True)
class Plan:
    """poses: a file of one's own instead of the test performers'; per_clip poses of each clip;
    draws: answers of the best of; names: only these priors, or checkpoints' paths.
    """

    poses: Path | None = None
    per_clip: int = 3
    draws: int = 10
    names: tuple[str, ...] = ()


def run(plan: Plan) -> dict[str, dict[str, float]]:
    """Prints the tables; returns the mean error of each prior and task."""
    body, source = default_body_arrays(), plan.poses or HELDOUT
    poses, validation = load_poses(source, plan.per_clip), load_poses(VALIDATION, 2)
    baselines = load_baselines()
    priors = {name: load_prior_arrays(name) for name in SHIPPED} | baselines
    if plan.names:
        priors = {n: priors[n] if n in priors else load_prior_arrays(n) for n in plan.names}
    print_quality(priors, body, load_poses(source), load_poses(TRAINING))
    if {"light", "mixture", "gaussian"} <= set(priors):
        print_densities(priors, body, load_poses(source))
    print(
        f"\n{len(poses.pose)} poses of {len(np.unique(poses.clip))} clips, "
        f"{len(np.unique(poses.performer))} performers; weights from {len(validation.pose)} "
        f"validation poses; starts: mean, linear, {RANDOM_STARTS} random"
    )
    results = {}
    for name, prior in priors.items():
        solver = Solver(prior, body, baselines["gaussian"])
        results[name] = scores = score(solver, poses.pose, validation.pose, plan.draws)
        print(f"  {name}: {scores.seconds:.0f} s, weights {weights_of(scores)}", flush=True)
    for row in next(iter(results.values())).errors:
        print_task(row, results, poses)
    return {n: {k: float(v.mean()) for k, v in s.errors.items()} for n, s in results.items()}
