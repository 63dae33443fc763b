"""A Gaussian of poses as a decoder: the linear start, and a rival of the flows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import representations
from .arrays import Array, Namespace, eye_like, zeros_like
from .flow import turned_rows
from .skeleton import NUM_BODY_JOINTS


@dataclass(frozen=True)
class Gaussian:
    """x = mean + factor z with z ~ N(0, I), x the axis-angles of the first J body joints.

    mean (3 J,), factor (3 J, D). Further joints stay at rest. Nearly linear, so that a search under
    it has few minima.
    """

    mean: Array
    factor: Array

    @property
    def dim(self) -> int:
        return int(self.factor.shape[1])

    def decode(self, xp: Namespace, z: Array) -> tuple[Array, Any]:
        """(B, D) -> rotations (B, 23, 3, 3), trace."""
        x = self.mean + z @ self.factor.T
        pose = representations.to_matrix(xp, "axis_angle", x)
        trace = (x, pose)
        if missing := NUM_BODY_JOINTS - pose.shape[1]:
            rest = eye_like(xp, 3, x) + zeros_like(xp, (len(x), missing, 3, 3), x)
            pose = xp.concat((pose, rest), axis=1)
        return pose, trace

    def pull_back(self, xp: Namespace, trace: Any, world: Array, rows: Array) -> Array:
        """world (B, 24, 3, 3), rows (B, M, 23, 3) by turns in the world -> (B, M, D)."""
        x, pose = trace
        table = representations.turns_by_vector(xp, "axis_angle", x, pose, world)
        by_x = turned_rows(rows[:, :, : pose.shape[1]], table)
        return by_x.reshape((*rows.shape[:2], -1)) @ self.factor

    def volume(self, xp: Namespace, trace: Any) -> tuple[Array, Array]:
        """Constant: the map is affine. -> (B,), (B, D)."""
        none = zeros_like(xp, (len(trace[0]), self.dim), trace[0])
        return none[:, 0], none
