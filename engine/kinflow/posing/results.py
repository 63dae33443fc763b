"""Solved states -> results."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.arrays import numpy_namespace as xp
from ..core.posterior import PosedState
from ..core.rotations import matrix_to_axis_angle
from ..core.skeleton import JOINT_INDEX, METRIC_JOINTS
from ..priors.arrays import PosePrior
from ..records import NumpyArray
from .effectors import Effector
from .problem import FRONT
from .states import IKResult, Pose

HELD_METRES, HELD_RADIANS = 1e-3, 0.01
DISTINCT_METRES = 0.060


@dataclass(frozen=True, eq=False)
class Context:
    """What results are made with: the locked joints' names, and the start they stay at."""

    prior: PosePrior
    start: Pose
    locked: tuple[str, ...]

    def result(
        self, posed: PosedState, energy: NumpyArray, effectors: Sequence[Effector], row: int = 0
    ) -> IKResult:
        """Of one row of a state; locked joints have the start's own numbers."""
        state, start = posed.state, self.start
        rotations = posed.skeleton.rotations[row]
        vector = matrix_to_axis_angle(xp, rotations)
        root, body, transl = vector[0], vector[1:], state.transl[row].copy()
        for name in self.locked:
            joint = JOINT_INDEX[name]
            if joint:
                body[joint - 1] = start.body_pose[joint - 1]
            else:
                root, transl = start.global_orient.copy(), start.transl.copy()
        joints = posed.joints()[row]
        reached, turned = _apart(posed.skeleton.world[row], joints, effectors)
        return IKResult(
            body_pose=body,
            global_orient=root,
            transl=transl,
            z=state.z[row].copy(),
            reached=reached,
            log_prob=float(self.prior.log_prob(rotations[None, 1:])[0]),
            seconds=0.0,
            turned=turned,
            joints=joints,
            betas=start.betas,
            energy=float(energy[row]),
            message=_message(effectors, reached, turned),
        )


def _apart(
    world: NumpyArray, joints: NumpyArray, effectors: Sequence[Effector]
) -> tuple[NumpyArray, NumpyArray]:
    """How far effectors are from their places (E,) m, and from their turns (E,) radians."""
    reached, turned = np.zeros(len(effectors)), np.zeros(len(effectors))
    for i, e in enumerate(effectors):
        place, turn = joints[e.index], world[e.index]
        if e.position is not None:
            reached[i] = np.linalg.norm(place - e.position)
        if e.rotation is not None:
            turned[i] = most_turned(turn, e.rotation)
        if e.look_at is not None:
            way = e.look_at - place
            cosine = turn @ FRONT @ way / max(float(np.linalg.norm(way)), 1e-9)
            turned[i] = max(turned[i], np.arccos(np.clip(cosine, -1, 1)))
    return reached, turned


def most_turned(one: NumpyArray, other: NumpyArray) -> float:
    """The largest angle between rotations (..., 3, 3), radians: |A - B| = sqrt(8) sin(angle / 2).

    Quicker than `geodesic_angle`, for drags.
    """
    chord = math.sqrt(float(((one - other) ** 2).sum((-2, -1)).max()) / 8)
    return 2 * math.asin(min(1.0, chord))


def _message(effectors: Sequence[Effector], reached: NumpyArray, turned: NumpyArray) -> str:
    loose = []
    for effector, metres, radians in zip(effectors, reached, turned, strict=True):
        name = effector.joint.replace("_", " ")
        if effector.pinned and metres > HELD_METRES:
            loose.append(f"{name} stays {100 * metres:.1f} cm from its pin")
        elif effector.pinned and radians > HELD_RADIANS:
            loose.append(f"{name} stays {np.degrees(radians):.0f} degrees from its pin")
    return f"Not all pins can hold: {', '.join(loose)}." if loose else ""


def holds(result: IKResult, effectors: Sequence[Effector]) -> bool:
    """Whether every pin is held."""
    pinned = np.array([e.pinned for e in effectors])
    return bool((result.reached[pinned] <= HELD_METRES).all())


def distinct(results: Sequence[IKResult], first: Sequence[IKResult] = ()) -> list[IKResult]:
    """`first`, then the minima that are not alike (mean distance of joints), the lowest energy
    first."""
    kept = list(first)
    for result in sorted(results, key=_energy):
        joints = result.joints[list(METRIC_JOINTS)]
        apart = [np.linalg.norm(joints - k.joints[list(METRIC_JOINTS)], axis=-1) for k in kept]
        if all(a.mean() > DISTINCT_METRES for a in apart) and np.isfinite(result.energy):
            kept.append(result)
    return kept


def _energy(result: IKResult) -> float:
    return result.energy
