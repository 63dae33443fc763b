"""What does not depend on the pose, contracted once for a body and a set of points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...bodies.jacobians import PointSet
from ...bodies.model import Body
from ...identity_cache import IdentityCache
from ...core.skeleton import NUM_JOINTS, PARENTS

UP = np.array([0, *PARENTS[1:]])
# Pointer jumping: after round r every joint's transform reaches 2^r ancestors up. Index 24 is the world.
JUMPS = []
_up = np.array([p if p >= 0 else NUM_JOINTS for p in PARENTS] + [NUM_JOINTS])
while (_up[:NUM_JOINTS] < NUM_JOINTS).any():
    JUMPS.append(_up[:NUM_JOINTS].copy())
    _up = _up[_up]
SUBTREE = np.zeros((NUM_JOINTS, NUM_JOINTS))
for _j in range(NUM_JOINTS):
    _a = _j
    while _a >= 0:
        SUBTREE[_a, _j] = 1
        _a = PARENTS[_a]


@dataclass(frozen=True)
class BodyTable:
    """rest (11, 72): template joints and their shape directions. Feature k of the pose correctives is the entry
    [joint, row, column][k] of a joint's rotation."""

    rest: np.ndarray
    joint: np.ndarray
    row: np.ndarray
    column: np.ndarray
    subtree: np.ndarray

    @cached_property
    def bone_dirs(self) -> np.ndarray:
        """Shape directions of each joint's offset from its parent (24, 3, 10); the root's own place."""
        dirs = self.rest[1:].reshape(-1, NUM_JOINTS, 3).transpose(1, 2, 0)
        offsets = dirs - dirs[UP]
        offsets[0] = dirs[0]
        return offsets


@dataclass(frozen=True)
class PointTable:
    """Points as sums over pairs (point, joint): p = sum_q R_joint(q) a_q + sum_j total[p, j] t_j.

    total (P, 24); pairs sorted by point: pair_point, pair_joint (Q,); affine (1 + 10 + K, 3 Q): [1, betas, features] -> a.
    """

    total: np.ndarray
    mass: np.ndarray
    pair_point: np.ndarray
    pair_joint: np.ndarray
    affine: np.ndarray
    affine_dirs: np.ndarray  # (Q, 3, 10 + K)
    points_with_pairs: np.ndarray
    first_pair: np.ndarray

    def sum_pairs(self, values: np.ndarray) -> np.ndarray:
        """Sum over each point's pairs. (S, Q, ...) -> (S, P, ...)."""
        sums = np.add.reduceat(values, self.first_pair, axis=1) if len(self.first_pair) else values
        if len(self.points_with_pairs) == len(self.total):
            return sums
        full = np.zeros((len(values), len(self.total), *values.shape[2:]), values.dtype)
        full[:, self.points_with_pairs] = sums
        return full


_bodies, _points = IdentityCache(), IdentityCache()


def body_table(body: Body) -> BodyTable:
    """Table of a body, in its precision."""

    def make() -> BodyTable:
        template, dirs = body.J_template.numpy(), body.J_shapedirs.numpy()
        rest = np.concatenate((template.reshape(1, -1), dirs.reshape(-1, dirs.shape[-1]).T))
        columns = body.corrective_columns.numpy()
        return BodyTable(
            rest, columns // 9 + 1, columns % 9 // 3, columns % 3, SUBTREE.astype(template.dtype)
        )

    return _bodies.get((body,), make)


def point_table(body: Body, points: PointSet) -> PointTable:
    """Table of points on a body."""

    def make() -> PointTable:
        dtype = body.v_template.numpy().dtype
        mix, weights = points.vertex_weights.double().numpy(), points.lbs_weights.double().numpy()
        joints = body.J_template.double().numpy()
        joint_dirs, shapedirs = body.J_shapedirs.double().numpy(), points.shapedirs.double().numpy()
        corrective, template = (
            points.corrective_dirs.double().numpy(),
            points.template.double().numpy(),
        )
        held = mix @ weights  # (P, 24)
        pair_point, pair_joint = np.nonzero(np.abs(mix) @ np.abs(weights))
        share = mix[pair_point] * weights[:, pair_joint].T  # (Q, n)
        whole = share.sum(1)[:, None]
        a = share @ template - whole * joints[pair_joint]
        by_betas = (
            np.einsum("qn,nxk->qxk", share, shapedirs) - whole[..., None] * joint_dirs[pair_joint]
        )
        by_feature = np.einsum("qn,knx->qxk", share, corrective)
        dirs = np.concatenate((by_betas, by_feature), -1)
        affine = (
            np.concatenate((a[..., None], dirs), -1)
            .transpose(2, 0, 1)
            .reshape(dirs.shape[-1] + 1, -1)
        )
        with_pairs, first = np.unique(pair_point, return_index=True)
        total = points.joint_weights.double().numpy() + held
        cast = lambda x: np.ascontiguousarray(x, dtype)  # noqa: E731
        return PointTable(
            cast(total),
            cast(total @ SUBTREE.T),
            pair_point,
            pair_joint,
            cast(affine),
            cast(dirs),
            with_pairs,
            first,
        )

    return _points.get((body, points), make)
