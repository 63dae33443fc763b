"""Joint limits as a residual: what inverse kinematics without a prior keeps to."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kinflow.core.arrays import Array, Namespace, zeros_like
from kinflow.core.joint_limits import CHAINS, HINGES, MEASURES, joint_excess
from kinflow.core.points import WIDTH
from kinflow.core.posterior import PosedState, Rows
from kinflow.core.rotations import left_jacobian_inverse, matrix_to_axis_angle
from kinflow.core.skeleton import JOINT_INDEX, UP


@dataclass(frozen=True)
class JointLimits:
    """0.5 |excess|^2 / sigma^2 of every range of `core.joint_limits`; sigma: radians."""

    sigma: float = math.radians(2)

    def _excess(self, xp: Namespace, posed: PosedState) -> Array:
        excess = joint_excess(xp, posed.skeleton.rotations[:, 1:])
        return xp.where(excess > 0, excess, xp.zeros_like(excess)) / self.sigma

    def value(self, xp: Namespace, posed: PosedState) -> Array:
        """-> (S,) nats."""
        return 0.5 * xp.sum(self._excess(xp, posed) ** 2, axis=-1)

    def rows(self, xp: Namespace, posed: PosedState) -> Rows:
        """One row a range."""
        residual = self._excess(xp, posed)
        rows = zeros_like(xp, (*residual.shape, WIDTH), residual)
        for row, measure in enumerate(MEASURES):
            short = measure.rpartition("_")[2]
            if short in HINGES:
                self._hinge(xp, posed, measure, rows[:, row])
            else:
                self._chain(xp, posed, measure, rows[:, row])
        beyond = xp.astype(residual > 0, residual.dtype) / self.sigma
        value = 0.5 * xp.sum(residual**2, axis=-1)
        return Rows(value, residual, rows * beyond[..., None])

    def _hinge(self, xp: Namespace, posed: PosedState, name: str, row: Array) -> None:
        side, _, short = name.rpartition("_")
        axis, (low, high) = HINGES[short]
        joint = JOINT_INDEX[name]
        vector = matrix_to_axis_angle(xp, posed.skeleton.rotations[:, joint])
        sign = 1.0 if short == "knee" or side == "right" else -1.0
        bend = sign * vector[:, axis]
        way = xp.where(bend > math.radians(0.5 * (low + high)), sign, -sign)
        slope = left_jacobian_inverse(xp, vector)[:, axis] * way[:, None]
        row[:, 3 * joint : 3 * joint + 3] = _in_world(posed, joint, slope)

    def _chain(self, xp: Namespace, posed: PosedState, name: str, row: Array) -> None:
        """Turns of all joints of a chain count alike: about the axis of the whole rotation."""
        joints = _chain_of(name)
        first, last = UP[joints[0]], joints[-1]
        world = posed.skeleton.world
        total = world[:, first].swapaxes(-1, -2) @ world[:, last]
        vector = matrix_to_axis_angle(xp, total)
        length = xp.sqrt(xp.sum(vector**2, axis=-1, keepdims=True) + 1e-12)
        slope = _in_world(posed, joints[0], vector / length)
        for joint in joints:
            row[:, 3 * joint : 3 * joint + 3] = slope


def _chain_of(measure: str) -> list[int]:
    """The joints of the chain that a measure names: central ones by their first joint."""
    side, _, short = measure.rpartition("_")
    if short in CHAINS and side:
        return [JOINT_INDEX[f"{side}_{name}"] for name in CHAINS[short][0]]
    names = next(names for names, _ in CHAINS.values() if names[0] == measure)
    return [JOINT_INDEX[name] for name in names]


def _in_world(posed: PosedState, joint: int, slope: Array) -> Array:
    """A slope (S, 3) in the frame of a joint's parent, in the world."""
    return (posed.skeleton.world[:, UP[joint]] @ slope[..., None])[..., 0]
