"""Points of a posed body, and rows of their Jacobian.

A point is a linear mix of joints and vertices. Rotations are perturbed on the left in the world:
joint a's whole subtree turns by exp([w]) about the joint's place t_a. Then

    d p / d w_a = -[ S_a - W_a t_a ]_x  (+ the pose correctives' part),

where S_a sums, over the joints j below a, the point's weight at j times the place where j alone
would carry it, and W_a sums the weights. A row of a residual's Jacobian has WIDTH entries: by every
joint's turn (NUM_TURNS), by betas, by translation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..records import NumpyArray
from .arrays import Array, Namespace, cholesky, eye_like, in_batch, zeros_like
from .body import NUM_BETAS, BodyTable, Skeleton, subtrees
from .skeleton import NUM_JOINTS

NUM_TURNS = 3 * NUM_JOINTS
WIDTH = NUM_TURNS + NUM_BETAS + 3


@dataclass(frozen=True)
class Points:
    """Mixes of joints and chosen vertices of a body, as its files tell them (numpy, float64).

    joint_weights (P, 24), vertex_weights (P, n), and of the n vertices: template (n, 3), dirs (n,
    3, 10 + K) of betas and features, lbs_weights (n, 24).
    """

    joint_weights: NumpyArray
    vertex_weights: NumpyArray
    template: NumpyArray
    dirs: NumpyArray
    lbs_weights: NumpyArray


@dataclass(frozen=True)
class PointTable:
    """Points as sums over pairs (point, joint): p = sum_q R_joint(q) a_q + sum_j total[p, j] t_j.

    total (P, 24), mass (P, 24): total summed over subtrees. `mixed` (N,) names the points that hang
    on vertices; each has the same number L of pairs (padded with joints that carry nothing):
    pair_point, pair_joint (N L,); affine (1 + 10 + K, 3 N L): [1, betas, features] -> a;
    affine_dirs (N L, 3, 10 + K).
    """

    total: Array
    mass: Array
    mixed: Array
    pair_point: Array
    pair_joint: Array
    affine: Array
    affine_dirs: Array

    @staticmethod
    def of(points: Points, joints: NumpyArray, joint_dirs: NumpyArray) -> PointTable:
        """Contracts what does not depend on the pose. joints (24, 3), joint_dirs (24, 3, 10)."""
        mix, weights = points.vertex_weights, points.lbs_weights
        holds = np.abs(mix) @ np.abs(weights) > 0  # (P, 24)
        mixed = np.flatnonzero(holds.any(1))
        length = int(holds.sum(1).max(initial=0))
        # the joints that hold a point first, then others, so that every pair is there once
        pair_joint = np.argsort(~holds[mixed], axis=1, kind="stable")[:, :length].reshape(-1)
        pair_point = np.repeat(mixed, length)
        share = mix[pair_point] * weights[:, pair_joint].T  # (Q, n)
        whole = share.sum(1)[:, None]
        a = share @ points.template - whole * joints[pair_joint]
        dirs = np.einsum("qn,nxk->qxk", share, points.dirs)
        dirs[..., :NUM_BETAS] -= whole[..., None] * joint_dirs[pair_joint]
        affine = np.concatenate((a[..., None], dirs), -1).transpose(2, 0, 1)
        affine, total = affine.reshape(len(affine), -1), points.joint_weights + mix @ weights
        mass = total @ subtrees().T
        return PointTable(total, mass, mixed, pair_point, pair_joint, affine, dirs)

    def sum_pairs(self, xp: Namespace, values: Array) -> Array:
        """Sum over each point's pairs. (S, N L, ...) -> (S, P, ...)."""
        count, points, rest = len(values), len(self.total), values.shape[2:]
        if not len(self.mixed):
            return zeros_like(xp, (count, points, *rest), values)
        sums = xp.sum(values.reshape((count, len(self.mixed), -1, *rest)), axis=2)
        if len(self.mixed) == points:
            return sums
        full = zeros_like(xp, (count, points, *rest), values)
        full[:, self.mixed] = sums
        return full


@dataclass(frozen=True)
class Posed:
    """places (S, P, 3) of a table's points, untranslated; carried (S, Q, 3): each pair's R a."""

    table: PointTable
    skeleton: Skeleton
    places: Array
    carried: Array


def pose_points(xp: Namespace, table: PointTable, skeleton: Skeleton) -> Posed:
    """Places of a table's points; differentiable."""
    a = (skeleton.coefficients @ table.affine).reshape((len(skeleton.place), -1, 3))
    carried = (skeleton.world[:, table.pair_joint] @ a[..., None])[..., 0]
    places = table.total @ skeleton.place + table.sum_pairs(xp, carried)
    return Posed(table, skeleton, places, carried)


@dataclass(frozen=True)
class Levers:
    """By which places move: arm (S, P, 3, 24) = S_a - W_a t_a, dirs (S, P, 3, 10 + K) by betas and
    features, feature_turns (S, K, 72): features by turns."""

    arm: Array
    dirs: Array
    feature_turns: Array


def levers(xp: Namespace, body: BodyTable, posed: Posed) -> Levers:
    """The Jacobian of all points of a table, in the form that `point_rows` takes rows from."""
    table, skeleton = posed.table, posed.skeleton
    count, world = len(skeleton.place), skeleton.world
    place = skeleton.place.swapaxes(1, 2)[:, None]
    moments = table.total[:, None] * place  # (S, P, 3, 24)
    moments[:, table.pair_point, :, table.pair_joint] += posed.carried.swapaxes(0, 1)
    arm = moments @ body.subtree.T - table.mass[:, None] * place
    dirs = table.sum_pairs(xp, world[:, table.pair_joint] @ table.affine_dirs)
    bones = world[:, body.up] @ body.bone_dirs
    bones[:, 0] = body.bone_dirs[0]
    joint_dirs = body.subtree.T @ bones.reshape((count, NUM_JOINTS, -1))
    moved = (table.total @ joint_dirs).reshape((count, -1, 3, NUM_BETAS))
    dirs[..., :NUM_BETAS] += moved
    return Levers(arm, dirs, feature_turns(body, skeleton))


def feature_turns(body: BodyTable, skeleton: Skeleton) -> Array:
    """Pose features by every joint's turn in the world. -> (S, K, 72)."""
    column = skeleton.rotations[:, body.joint, :, body.column].swapaxes(0, 1)  # (S, K, 3)
    by_local = (column[:, :, None] @ body.crosses).swapaxes(-1, -2)
    by_world = (skeleton.world[:, body.up[body.joint]] @ by_local)[..., 0]
    table = body.owner[:, :, None] * by_world[:, :, None]
    return table.reshape((len(column), -1, NUM_TURNS))


def point_rows(xp: Namespace, tables: Levers, which: Array, slope: Array) -> Array:
    """Rows of residuals that depend on one point each. -> (S, M, WIDTH).

    which (M,) for all, or (S, M): the points; slope (S, M, 3) by the point's place.
    """
    count, rows = slope.shape[:2]
    if which.ndim == 1:
        arm, dirs = tables.arm[:, which], tables.dirs[:, which]
    else:
        arm, dirs = in_batch(xp, tables.arm, which), in_batch(xp, tables.dirs, which)
    by_dirs = (slope[:, :, None] @ dirs)[:, :, 0]
    x, y, z = slope[..., 0, None], slope[..., 1, None], slope[..., 2, None]
    ax, ay, az = arm[:, :, 0], arm[:, :, 1], arm[:, :, 2]
    turns = xp.stack((ay * z - az * y, az * x - ax * z, ax * y - ay * x), axis=-1)
    turns = turns.reshape((count, rows, NUM_TURNS))
    turns = turns + by_dirs[..., NUM_BETAS:] @ tables.feature_turns
    return xp.concat((turns, by_dirs[..., :NUM_BETAS], slope), axis=-1)


def compress(xp: Namespace, rows: Array, residual: Array) -> tuple[Array, Array]:
    """As many rows as a row has entries, with the same least squares: R of the QR decomposition.

    rows (S, M, N), residual (S, M) -> (S, N + 1, N), (S, N + 1). By Cholesky of the Gram matrix in
    double precision; NaN for a person whose rows are not finite.
    """
    joined = xp.astype(xp.concat((rows, residual[..., None]), axis=-1), xp.float64)
    gram = joined.swapaxes(1, 2) @ joined
    size = gram.shape[-1]
    trace = xp.sum(gram * eye_like(xp, size, gram), axis=(1, 2))
    stiff = (1e-10 / size * trace + 1e-12)[:, None, None] * eye_like(xp, size, gram)
    upper = xp.astype(cholesky(xp, gram + stiff).swapaxes(1, 2), rows.dtype)
    return upper[..., :-1], upper[..., -1]
