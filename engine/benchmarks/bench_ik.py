"""kinflow bench ik: inverse kinematics by the flow beside other priors and Blender's own.

Captured poses of performers that no prior was trained on; 95% intervals by bootstrap over
performers and, within each, clips. Every prior is in the same solver, starts and budget; its weight
against the pins, or against the start, is picked on validation performers from one grid (a weight
at the grid's end is marked), and so is the share of the flow's log-determinant. `as shipped`: the
flow with the weights that `solve_ik` has. Blender's solvers pose the same skeleton
from the middle of the prior, in a process of their own. Paired differences have their own
intervals. Then scripted drags: how far joints turn in a step, whether pinned feet stay, and how
long a step takes on one thread.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kinflow.bodies.arrays import default_body_arrays
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import axis_angle_to_matrix, geodesic_angle, matrix_to_axis_angle
from kinflow.core.skeleton import JOINT_INDEX, PARENTS
from kinflow.posing import Effector, Floor, IKResult, Pose, Pull, feet_on_floor, standing
from kinflow.posing.problem import Limits, Weights
from kinflow.posing.solve import Means, solve_with, walked
from kinflow.priors.arrays import PosePrior, load_prior_arrays
from kinflow.terminal import counted

from .baselines import load_baselines
from .baselines.limits import JointLimits
from .baselines.linear import AffinePrior
from .ik_tasks import MOVED, TASKS, Question, questions, rig
from .make_heldout import HELDOUT, VALIDATION
from .prior_eval import Poses, load_poses

PRIOR_WEIGHTS = (0.0003, 0.003, 0.03, 0.3, 3.0, 30.0, 300.0)
RELAX_WEIGHTS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
VOLUMES = (0.0, 0.5, 1.0)
BLENDER = {"blender": "LEGACY", "blender itasc": "ITASC"}
MEASURES = ("MPJPE mm", "geodesic rad", "pins held")
HANDLES = ("left_wrist", "right_wrist", "head", "pelvis", "left_elbow", "right_knee", "left_ankle")
STEPS, REACH = 60, 0.35  # of a drag; m


@dataclass(frozen=True)
class Rival:
    """A prior, and what is added to it."""

    prior: PosePrior
    limits: Limits
    volumes: tuple[float, ...] = (0.0,)

    def solve(self, question: Question, weights: Weights) -> IKResult:
        """With these weights."""
        means = Means(default_body_arrays(), self.prior, weights, self.limits)
        if question.start is not None:  # other hypotheses are not looked for
            started = time.perf_counter()
            result = walked(question.effectors, means, question.start)
            return replace(result, seconds=time.perf_counter() - started)
        return solve_with(means, question.effectors, None)

    def choices(self, task: str) -> list[Weights]:
        """Weights to pick from."""
        if task == MOVED:
            return [Weights(relax=w) for w in RELAX_WEIGHTS]
        return [Weights(prior=w, volume=v) for w in PRIOR_WEIGHTS for v in self.volumes]


def rivals() -> dict[str, Rival]:
    """The flow, VPoser, Gaussian, and none but joint limits: joints free about the middle pose."""
    others: dict[str, Any] = load_baselines()
    gaussian = others["gaussian"]
    free = AffinePrior("limits", gaussian.mean, np.eye(len(gaussian.mean)))
    return {
        "flow": Rival(load_prior_arrays(), Limits(), VOLUMES),
        "vposer": Rival(others["vposer"], Limits()),
        "gaussian": Rival(gaussian, Limits()),
        "limits": Rival(free, Limits(more=(JointLimits(),))),
    }


def score(rival: Rival, weights: Weights, asked: Sequence[Question]) -> np.ndarray:
    """Errors by MEASURES, then seconds. -> (4, N)."""
    rows = []
    for question in counted(asked, "Solving", "questions"):
        result = rival.solve(question, weights)
        world = rig().posed(Pose.of(result)).world[0]
        rows.append((*question.errors(result.joints, world), result.seconds))
    return np.array(rows).T


def picked(rival: Rival, task: str, asked: Sequence[Question]) -> tuple[Weights, str]:
    """The weights of the lowest MPJPE on validation poses, and how they read."""
    choices = rival.choices(task)
    means = [score(rival, weights, asked)[0].mean() for weights in choices]
    best = choices[int(np.argmin(means))]
    value, grid = (best.relax, RELAX_WEIGHTS) if task == MOVED else (best.prior, PRIOR_WEIGHTS)
    end = "*" if value in (grid[0], grid[-1]) else ""
    return best, f"{value:g}{end}" + (f", volume {best.volume:g}" if rival.volumes[1:] else "")


def blender(solver: str, asked: Sequence[Question]) -> np.ndarray:
    """As `score`, of Blender's own."""
    middle = axis_angle_to_matrix(xp, standing().body_pose)
    local, place = [], []
    for question in asked:
        if question.start is None:
            local.append(np.concatenate((question.truth.world[:1, 0], middle)))
        else:
            local.append(rig().posed(question.start).rotations[0])
        place.append(question.truth.place[0, 0])
    texts = [[_plain(e) for e in q.effectors if e.joint != "pelvis"] for q in asked]
    with tempfile.TemporaryDirectory() as folder:
        tasks, answers = (str(Path(folder) / name) for name in ("tasks.npz", "answers.npz"))
        joints = default_body_arrays().J_template
        arrays = {"local": np.array(local), "place": np.array(place), "joints": joints}
        np.savez(tasks, asked=json.dumps(texts), parents=np.array(PARENTS), **arrays)
        script = Path(__file__).with_name("blender_ik.py")
        words = [sys.executable, str(script), tasks, answers, solver]
        subprocess.run(words, check=True, capture_output=True)
        with np.load(answers) as data:
            world, seconds = data["world"], data["seconds"]
    rows = [
        (*q.errors(w[:, :3, 3], w[:, :3, :3]), t)
        for q, w, t in zip(asked, world, seconds, strict=True)
    ]
    return np.array(rows).T


def _plain(effector: Effector) -> dict[str, Any]:
    values = {"position": effector.position, "rotation": effector.rotation}
    return {"joint": effector.index} | {
        k: None if v is None else v.tolist() for k, v in values.items()
    }


def print_task(task: str, poses: Poses, asked: list[Question], scores: dict[str, Any]) -> None:
    """A table, and the flow against each, paired."""
    rows = [q.row for q in asked]
    seen = Poses(poses.pose[rows], poses.clip[rows], poses.performer[rows])
    print(f"\n{task}: {len(asked)} held-out captured poses")
    print(f"{'':>14} {'MPJPE mm':>20} {'geodesic rad':>24} {'pins held':>10} {'ms':>7}  weight")
    for name, (errors, weight) in scores.items():
        joints = "{:.1f} [{:.1f}, {:.1f}]".format(*seen.interval(errors[0]))
        angles = "{:.3f} [{:.3f}, {:.3f}]".format(*seen.interval(errors[1]))
        held, ms = errors[2].mean(), 1e3 * np.median(errors[3])
        print(f"{name:>14} {joints:>20} {angles:>24} {100 * held:>9.1f}% {ms:>7.0f}  {weight}")
    for name, (errors, _) in scores.items():
        if name not in ("flow", "as shipped"):
            apart = scores["flow"][0] - errors
            joints = "{:+.1f} [{:+.1f}, {:+.1f}] mm".format(*seen.interval(apart[0]))
            angles = "{:+.3f} [{:+.3f}, {:+.3f}] rad".format(*seen.interval(apart[1]))
            print(f"flow - {name:<14} {joints:>26} {angles:>32}", flush=True)


@dataclass(frozen=True)
class Drag:
    """turn (T,): the largest of a joint, degrees a step; moved (T,) cm; slip (T,): of pinned feet,
    mm; seconds (T,), and seconds of the processor (T,)."""

    turn: np.ndarray
    moved: np.ndarray
    slip: np.ndarray
    seconds: np.ndarray
    processor: np.ndarray


def drag(start: Pose, handle: str, random: np.random.Generator) -> Drag:
    """One handle out and back on a curve, feet pinned where they stand."""
    floor = Floor()
    pins = [p for p in feet_on_floor(start, floor, default_body_arrays()) if p.joint != handle]
    pull = Pull(start, pins, floor=floor)
    place = pull.joints[JOINT_INDEX[handle]].copy()
    ways = random.standard_normal((2, 3))
    ways *= REACH / np.linalg.norm(ways, axis=1, keepdims=True)
    times = np.linspace(0, np.pi, STEPS + 1)[1:, None]
    path = np.sin(times) * ways[0] + 0.5 * np.sin(2 * times) * ways[1]
    rows, before, last = [], np.zeros(3), rig().posed(start).rotations[0]
    for offset in path:
        clock = time.process_time()
        result = pull.move([Effector(handle, place + offset)])
        clock = time.process_time() - clock
        now = rig().posed(Pose.of(result)).rotations[0]
        turn = float(np.degrees(geodesic_angle(xp, last, now)).max())
        slip = 1e3 * float(result.reached[:-1].max(initial=0))
        moved = 100 * float(np.linalg.norm(offset - before))
        rows.append((turn, moved, slip, result.seconds, clock))
        before, last = offset, now
    return Drag(*np.array(rows).T)


def print_drags(poses: Poses, count: int, seed: int) -> dict[str, float]:
    """Scripted drags from held-out poses that stand on a floor."""
    random = np.random.default_rng(seed)
    drags = []
    for i in counted(range(count), "Dragging", "drags"):
        pose, root = poses.pose[random.integers(len(poses.pose))], np.zeros(3)
        start = Pose(matrix_to_axis_angle(xp, pose.astype(np.float64)), root)
        low = rig().contact_places(start)[:, 1].min()
        drags.append(drag(replace(start, transl=np.array([0, -low, 0])), HANDLES[i % 7], random))
    turn, moved, slip, seconds, processor = (
        np.concatenate([getattr(d, name) for d in drags])
        for name in ("turn", "moved", "slip", "seconds", "processor")
    )
    measures = {
        "drags": count,
        "most_degrees_a_step": float(turn.max()),
        "most_degrees_a_centimetre": float((turn / np.maximum(moved, 1)).max()),
        "most_slip_mm": float(slip.max()),
        "frames_with_slip": int((slip > 1).sum()),
        "ms_p50": 1e3 * float(np.median(seconds)),
        "ms_p95": 1e3 * float(np.percentile(seconds, 95)),
        "processor_ms_p95": 1e3 * float(np.percentile(processor, 95)),
    }
    print(f"\n{count} drags of {STEPS} steps")
    for name, value in measures.items():
        print(f"{name.replace('_', ' '):>28} {value:.4g}")
    return measures


def run(options: Any) -> dict[str, Any]:
    """`kinflow bench ik`."""
    poses, validation = load_poses(HELDOUT), load_poses(VALIDATION)
    answer: dict[str, Any] = {}
    for task in TASKS:
        asked = questions(task, poses, options.count, options.seed)
        practice = questions(task, validation, options.validation, options.seed + 1)
        scores = {}
        for name, rival in rivals().items():
            weights, text = picked(rival, task, practice)
            scores[name] = score(rival, weights, asked), text
            if name == "flow":
                scores["as shipped"] = score(rival, Weights(), asked), "of solve_ik"
        for name, solver in BLENDER.items() if options.blender else ():
            scores[name] = blender(solver, asked), ""
        print_task(task, poses, asked, scores)
        means = {n: dict(zip(MEASURES, e.mean(1), strict=False)) for n, (e, _) in scores.items()}
        answer[task] = {n: {k: float(v) for k, v in m.items()} for n, m in means.items()}
    return answer | {"drags": print_drags(poses, options.drags, options.seed)}
