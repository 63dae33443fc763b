"""What inverse kinematics is asked in the benchmark, from captured poses.

(a) five points: head, wrists and ankles; (b) 6 to 12 joints at random, each with its place, its
rotation or both; (c) one hand moved by some 40 cm from a captured pose, to where it is in another
pose of the same clip. In (a) and (b) the pelvis is known, and there is no start; in (c) all else is
free, the captured pose is the start, and the pose that the hand was taken from is the truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinflow.bodies.arrays import default_body_arrays
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.body import NUM_BETAS, Skeleton
from kinflow.core.rotations import geodesic_angle, matrix_to_axis_angle
from kinflow.core.skeleton import JOINT_INDEX, JOINT_NAMES, METRIC_JOINTS, NUM_JOINTS, UP
from kinflow.posing import Effector, Pose
from kinflow.posing.rig import Rig, rig_of

from .prior_eval import Poses

FIVE = ("head", "left_wrist", "right_wrist", "left_ankle", "right_ankle")
NEAR, FAR = 0.35, 0.45  # m that a hand moves
TASKS = ("five points", "6 to 12 effectors", "hand moved 40 cm")
MOVED = TASKS[2]


def rig() -> Rig:
    """The mean shape."""
    return rig_of(default_body_arrays(), np.zeros(NUM_BETAS))


@dataclass(frozen=True, eq=False)
class Question:
    """Effectors, all pinned, and a start or none; the true rotations and joints, pelvis at rest;
    row: of the captured poses."""

    effectors: tuple[Effector, ...]
    start: Pose | None
    truth: Skeleton
    row: int

    def errors(self, joints: np.ndarray, world: np.ndarray) -> tuple[float, float, float]:
        """Of joints (24, 3) and their world rotations (24, 3, 3): MPJPE of the joints that have no
        place (mm), mean geodesic error of local rotations (rad), share of places within 1 mm.

        Both are seen from the pelvis, so that a body may stand elsewhere.
        """
        held = [e for e in self.effectors if e.position is not None]
        free = [j for j in METRIC_JOINTS[1:] if j not in {e.index for e in held}]
        ours, wanted = (_from_pelvis(*p) for p in ((joints, world), self._true()))
        apart = np.linalg.norm(ours[0] - wanted[0], axis=-1)[free]
        inner = list(METRIC_JOINTS[1:])
        angle = geodesic_angle(xp, ours[1][inner], wanted[1][inner])
        reached = [np.linalg.norm(joints[e.index] - e.position) < 1e-3 for e in held]
        return 1e3 * float(apart.mean()), float(angle.mean()), float(np.mean(reached))

    def _true(self) -> tuple[np.ndarray, np.ndarray]:
        return self.truth.place[0], self.truth.world[0]


def _from_pelvis(joints: np.ndarray, world: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joints in the pelvis' frame, and local rotations."""
    local = world[list(UP)].swapaxes(-1, -2) @ world
    return (joints - joints[0]) @ world[0], local


def questions(task: str, poses: Poses, count: int, seed: int = 0) -> list[Question]:
    """At most `count` of a task, spread over all clips."""
    random = np.random.default_rng(seed)
    rows = _spread(poses, count, random)
    if task == MOVED:
        return [q for row in rows for q in [_moved(poses, int(row), random)] if q is not None]
    ask = _five if task == TASKS[0] else _random
    result = []
    for row in rows:
        truth = rig().posed(_pose(poses, int(row)))
        known = Effector("pelvis", truth.place[0, 0], truth.world[0, 0], pinned=True)
        effectors = (known, *ask(truth, random))
        result.append(Question(effectors, None, truth, int(row)))
    return result


def _spread(poses: Poses, count: int, random: np.random.Generator) -> np.ndarray:
    """Rows of poses, each clip in turn."""
    shuffled = random.permutation(len(poses.pose))
    turn = np.zeros(len(shuffled), int)
    for clip in np.unique(poses.clip):
        members = poses.clip[shuffled] == clip
        turn[members] = np.arange(members.sum())
    return shuffled[np.argsort(turn, kind="stable")][:count]


def _pose(poses: Poses, row: int) -> Pose:
    return Pose(np.asarray(matrix_to_axis_angle(xp, poses.pose[row].astype(np.float64))))


def _five(truth: Skeleton, random: np.random.Generator) -> list[Effector]:
    return [Effector(n, truth.place[0, JOINT_INDEX[n]], pinned=True) for n in FIVE]


def _random(truth: Skeleton, random: np.random.Generator) -> list[Effector]:
    chosen = random.permutation(METRIC_JOINTS[1:])[: random.integers(6, 13)]
    kinds = random.integers(3, size=NUM_JOINTS)
    return [
        Effector(
            JOINT_NAMES[j],
            None if kinds[j] == 0 else truth.place[0, j],
            None if kinds[j] == 1 else truth.world[0, j],
            pinned=True,
        )
        for j in chosen
    ]


def _moved(poses: Poses, row: int, random: np.random.Generator) -> Question | None:
    """A hand of one pose at its place of another pose of the clip; None where there is none."""
    start = _pose(poses, row)
    before = rig().posed(start).place[0]
    for other in random.permutation(np.flatnonzero(poses.clip == poses.clip[row])):
        truth = rig().posed(_pose(poses, int(other)))
        for hand in ("left_wrist", "right_wrist"):
            place = truth.place[0, JOINT_INDEX[hand]]
            if NEAR < np.linalg.norm(place - before[JOINT_INDEX[hand]]) < FAR:
                return Question((Effector(hand, place, pinned=True),), start, truth, row)
    return None
