"""Posed points and rows of their Jacobian (see `bodies.jacobians` for the mathematics)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.skeleton import NUM_JOINTS
from .tables import JUMPS, UP, BodyTable, PointTable

NUM_BETAS = 10
ROTATIONS = 3 * NUM_JOINTS
WIDTH = ROTATIONS + NUM_BETAS + 3  # a row: by every joint's turn in the world, betas, translation


@dataclass(frozen=True)
class Skeleton:
    """rotations, world (S, 24, 3, 3), place (S, 24, 3) before translation, coefficients (S, 1 + 10 + K)."""

    rotations: np.ndarray
    world: np.ndarray
    place: np.ndarray
    coefficients: np.ndarray


def pose_skeleton(table: BodyTable, rotations: np.ndarray, betas: np.ndarray) -> Skeleton:
    """Forward kinematics. rotations (S, 24, 3, 3), betas (S, 10)."""
    count = len(rotations)
    one = np.ones((count, 1), betas.dtype)
    rest = (np.concatenate((one, betas), 1) @ table.rest).reshape(count, NUM_JOINTS, 3)
    transform = np.zeros((count, NUM_JOINTS + 1, 3, 4), rotations.dtype)
    transform[:, :-1, :, :3] = rotations
    transform[:, :-1, :, 3] = rest
    transform[:, 1:-1, :, 3] -= rest[:, UP[1:]]
    transform[:, -1, (0, 1, 2), (0, 1, 2)] = 1
    for jump in JUMPS:
        above = transform[:, jump]
        place = above[..., 3] + (above[..., :3] @ transform[:, :-1, :, 3:])[..., 0]
        transform[:, :-1, :, :3] = above[..., :3] @ transform[:, :-1, :, :3]
        transform[:, :-1, :, 3] = place
    world, place = (
        np.ascontiguousarray(transform[:, :-1, :, :3]),
        np.ascontiguousarray(transform[:, :-1, :, 3]),
    )
    features = rotations[:, table.joint, table.row, table.column] - (table.row == table.column)
    return Skeleton(
        rotations, world, place, np.concatenate((one, betas, features), 1, dtype=betas.dtype)
    )


@dataclass(frozen=True)
class Points:
    """points (S, P, 3) before translation; carried (S, Q, 3): each pair's share R a."""

    table: PointTable
    skeleton: Skeleton
    points: np.ndarray
    carried: np.ndarray


def pose_points(table: PointTable, skeleton: Skeleton) -> Points:
    """Places of a table's points."""
    count = len(skeleton.place)
    a = (skeleton.coefficients @ table.affine).reshape(count, -1, 3)
    carried = (skeleton.world[:, table.pair_joint] @ a[..., None])[..., 0]
    return Points(table, skeleton, table.total @ skeleton.place + table.sum_pairs(carried), carried)


def rows_of(body: BodyTable, posed: Points, which: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Rows of residuals that depend on one point each. which (S, M) or (M,) points, slope (S, M, 3) by the point's place.

    -> (S, M, WIDTH): by a turn of each joint's subtree in the camera's frame, by betas, by translation.
    """
    table, skeleton = posed.table, posed.skeleton
    count, rows = slope.shape[:2]
    place = skeleton.place.transpose(0, 2, 1)
    dense = table.total[None, :, None] * place[:, None]
    dense[:, table.pair_point, :, table.pair_joint] += posed.carried.transpose(1, 0, 2)
    arm = dense @ body.subtree.T - table.mass[None, :, None] * place[:, None]  # (S, P, 3, 24)
    world = skeleton.world
    dirs = table.sum_pairs(world[:, table.pair_joint] @ table.affine_dirs)  # (S, P, 3, 10 + K)
    bones = world[:, UP] @ body.bone_dirs
    bones[:, 0] = body.bone_dirs[0]
    joint_dirs = body.subtree.T @ bones.reshape(count, NUM_JOINTS, -1)
    dirs[..., :NUM_BETAS] += (table.total @ joint_dirs).reshape(count, -1, 3, NUM_BETAS)
    if which.ndim == 1:
        arm, dirs = arm[:, which], dirs[:, which]
    else:
        start = np.arange(count)[:, None]
        arm, dirs = arm[start, which], dirs[start, which]
    out = np.empty((count, rows, WIDTH), slope.dtype)
    turn = out[..., :ROTATIONS].reshape(count, rows, NUM_JOINTS, 3)
    x, y, z = slope[..., 0, None], slope[..., 1, None], slope[..., 2, None]
    ax, ay, az = arm[:, :, 0], arm[:, :, 1], arm[:, :, 2]
    turn[..., 0] = ay * z - az * y
    turn[..., 1] = az * x - ax * z
    turn[..., 2] = ax * y - ay * x
    out[..., ROTATIONS + NUM_BETAS :] = slope
    by_dirs = (slope[:, :, None] @ dirs)[:, :, 0]
    out[..., ROTATIONS : ROTATIONS + NUM_BETAS] = by_dirs[..., :NUM_BETAS]
    out[..., :ROTATIONS] = turn.reshape(count, rows, ROTATIONS)
    out[..., :ROTATIONS] += by_dirs[..., NUM_BETAS:] @ _feature_turns(body, skeleton)
    return out


def _feature_turns(body: BodyTable, skeleton: Skeleton) -> np.ndarray:
    """Pose features by turns in the world. -> (S, K, 72)."""
    count, features = len(skeleton.place), len(body.joint)
    index = np.arange(features)
    column = skeleton.rotations[:, body.joint, :, body.column].transpose(1, 0, 2)  # (S, K, 3)
    # feature R[row, column] under a local turn w: (w x R[:, column])[row] = e_row . (w x c) = w . (c x e_row)
    by_local = np.zeros((count, features, 3), column.dtype)
    after, before = (body.row + 1) % 3, (body.row + 2) % 3
    by_local[:, index, after] = column[:, index, before]
    by_local[:, index, before] = -column[:, index, after]
    by_world = (skeleton.world[:, UP[body.joint]] @ by_local[..., None])[..., 0]
    table = np.zeros((count, features, NUM_JOINTS, 3), column.dtype)
    table[:, index, body.joint] = by_world
    return table.reshape(count, features, ROTATIONS)


def compress(rows: np.ndarray, residual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As many rows as a row has entries, with the same least squares: R of the QR decomposition of [rows | residual].

    rows (S, M, N), residual (S, M) -> (S, N + 1, N), (S, N + 1). By Cholesky of the Gram matrix in double precision.
    """
    joined = np.concatenate((rows, residual[..., None]), -1, dtype=np.float64)
    gram = joined.transpose(0, 2, 1) @ joined
    size = gram.shape[-1]
    trace = np.trace(gram, axis1=1, axis2=2)
    gram[:, np.arange(size), np.arange(size)] += (1e-10 * trace / size + 1e-12)[:, None]
    upper = np.linalg.cholesky(gram).transpose(0, 2, 1).astype(rows.dtype)
    return upper[..., :-1], upper[..., -1]
