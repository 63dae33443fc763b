"""SMPL's body (Loper et al. 2015): forward kinematics and the skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..records import NumpyArray
from .arrays import Array, Namespace, contiguous, eye_like, zeros_like
from .skeleton import NUM_JOINTS, PARENTS, UP

NUM_BETAS = 10


def _ancestors() -> tuple[NumpyArray, ...]:
    """Pointer jumping: after round r every transform reaches 2^r ancestors up. 24 is the world."""
    rounds = []
    up = np.array([p if p >= 0 else NUM_JOINTS for p in PARENTS] + [NUM_JOINTS])
    while (up[:NUM_JOINTS] < NUM_JOINTS).any():
        rounds.append(up[:NUM_JOINTS].copy())
        up = up[up]
    return tuple(rounds)


def subtrees() -> NumpyArray:
    """(24, 24): entry [a, j] is 1 where joint j is a or below it."""
    table = np.eye(NUM_JOINTS)
    for joint in reversed(range(1, NUM_JOINTS)):
        table[PARENTS[joint]] += table[joint]
    return table


@dataclass(frozen=True)
class BodyTable:
    """What posing needs of a body, beside the points: made by `of` in numpy's float64.

    rest (11, 72): template joints, then their shape directions; bone_dirs (24, 3, 10): shape
    directions of each joint's offset from its parent. Feature k of the pose correctives is the
    entry [joint, row, column][k] of a joint's rotation; owner (K, 24) says by which joint.
    `crosses` (K, 3, 3): the feature's slope by a local turn is rotation[:, column] @ crosses[k].
    """

    rest: Array
    bone_dirs: Array
    joint: Array
    row: Array
    column: Array
    diagonal: Array
    owner: Array
    crosses: Array
    subtree: Array
    up: Array
    jumps: tuple[Array, ...]

    @staticmethod
    def of(joints: NumpyArray, joint_dirs: NumpyArray, columns: NumpyArray) -> BodyTable:
        """joints (24, 3), joint_dirs (24, 3, 10), columns (K,): the used of SMPL's 207 features."""
        bones = joint_dirs - joint_dirs[list(UP)]
        bones[0] = joint_dirs[0]
        joint, row, column = columns // 9 + 1, columns % 9 // 3, columns % 3
        # (w x c)[row] = w . (c x e_row)
        crosses = np.cross(np.eye(3)[None], np.eye(3)[row][:, None])
        rest = np.concatenate((joints.reshape(1, -1), joint_dirs.reshape(-1, NUM_BETAS).T))
        diagonal, owner = (row == column).astype(np.float64), np.eye(NUM_JOINTS)[joint]
        tree = (subtrees(), np.array(UP), _ancestors())
        return BodyTable(rest, bones, joint, row, column, diagonal, owner, crosses, *tree)


@dataclass(frozen=True)
class Skeleton:
    """rotations, world (S, 24, 3, 3), place (S, 24, 3) before translation, rest (S, 24, 3), and
    coefficients (S, 1 + 10 + K): one, betas, pose features."""

    rotations: Array
    world: Array
    place: Array
    rest: Array
    coefficients: Array


def pose_skeleton(xp: Namespace, table: BodyTable, rotations: Array, betas: Array) -> Skeleton:
    """Forward kinematics; differentiable. rotations (S, 24, 3, 3), betas (S, 10)."""
    count = len(rotations)
    one = xp.ones_like(betas[:, :1])
    rest = (xp.concat((one, betas), axis=1) @ table.rest).reshape((count, NUM_JOINTS, 3))
    offset = xp.concat((rest[:, :1], rest[:, 1:] - rest[:, table.up[1:]]), axis=1)
    transform = xp.concat((rotations, offset[..., None]), axis=-1)
    world = zeros_like(xp, (count, 1, 3, 4), rest) + eye_like(xp, 4, rest)[:3]
    for jump in table.jumps:
        above = xp.concat((transform, world), axis=1)[:, jump]
        transform = above[..., :3] @ transform
        transform[..., 3] += above[..., 3]
    features = rotations[:, table.joint, table.row, table.column] - table.diagonal
    world, place = (contiguous(xp, part) for part in (transform[..., :3], transform[..., 3]))
    return Skeleton(rotations, world, place, rest, xp.concat((one, betas, features), axis=1))


@dataclass(frozen=True)
class SkinTable:
    """A whole mesh: dirs (1 + 10 + K, 3 V) of [one, betas, features], lbs_weights (V, 24)."""

    dirs: Array
    lbs_weights: Array


def skin(xp: Namespace, table: SkinTable, skeleton: Skeleton) -> Array:
    """Linear blend skinning; differentiable. -> vertices (S, V, 3) before translation."""
    vertices = (skeleton.coefficients @ table.dirs).reshape((len(skeleton.rest), -1, 3))
    carried = (skeleton.world @ skeleton.rest[..., None])[..., 0]
    transforms = xp.concat(
        (skeleton.world.reshape((*carried.shape[:2], 9)), skeleton.place - carried), axis=-1
    )
    blend = table.lbs_weights @ transforms
    turned = blend[..., :9].reshape((*vertices.shape, 3)) @ vertices[..., None]
    return turned[..., 0] + blend[..., 9:]
