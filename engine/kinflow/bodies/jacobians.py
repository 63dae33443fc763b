"""Analytic Jacobians of mixed points (joints and chosen vertices) of a posed body.

A point is a linear mix of joints and vertices. Rotations are perturbed on the left in the world: joint a's whole
subtree turns by exp([w]) about the joint's place t_a. Then

    d p / d w_a = -[ S_a - W_a t_a ]_x  (+ the pose correctives' part),

where S_a sums, over the joints j below a, the point's weight at j times the place where j alone would carry it, and
W_a sums the weights. Local rotations follow by d w_a = R_parent(a) d w_local.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from ..rotations import skew
from ..core.skeleton import NUM_JOINTS, PARENTS
from .kinematics import global_transforms, shaped_joints
from .model import Body


@lru_cache(maxsize=8)
def subtree(device: torch.device, dtype: torch.dtype) -> Tensor:
    """-> (24, 24): entry [a, j] is 1 where j is a or below it."""
    table = torch.zeros(NUM_JOINTS, NUM_JOINTS)
    for j in range(NUM_JOINTS):
        a = j
        while a >= 0:
            table[a, j] = 1
            a = PARENTS[a]
    return table.to(device=device, dtype=dtype)


@dataclass(frozen=True)
class PointSet:
    """Points of one body, with everything that does not depend on pose contracted once.

    joint_weights (P, 24), vertex_weights (P, n), and of the n chosen vertices: template (n, 3), shapedirs (n, 3, 10),
    corrective_dirs (K, n, 3), lbs_weights (n, 24).
    """

    joint_weights: Tensor
    vertex_weights: Tensor
    template: Tensor
    shapedirs: Tensor
    corrective_dirs: Tensor
    lbs_weights: Tensor

    @staticmethod
    def of(
        body: Body, joint_weights: Tensor, vertex_index: Tensor, vertex_weights: Tensor
    ) -> PointSet:
        corrective = body.corrective_dirs.unflatten(-1, (-1, 3))[:, vertex_index]
        return PointSet(
            joint_weights,
            vertex_weights,
            body.v_template[vertex_index],
            body.shapedirs[vertex_index],
            corrective,
            body.lbs_weights[vertex_index],
        )


@dataclass(frozen=True)
class PosedPoints:
    """points (B, P, 3) before translation; world (B, 24, 3, 3), joints (B, 24, 3); d_rotation (B, P, 3, 24, 3) by local
    left perturbations of every joint (joint 0: the root, in the camera frame); d_betas (B, P, 3, 10)."""

    points: Tensor
    world: Tensor
    joints: Tensor
    d_rotation: Tensor | None = None
    d_betas: Tensor | None = None


def pose_points(
    body: Body, points: PointSet, rotations: Tensor, betas: Tensor, jacobian: bool = True
) -> PosedPoints:
    """Poses the points alone. rotations (B, 24, 3, 3), betas (B, 10)."""
    rest = shaped_joints(body, betas)
    world, joints = global_transforms(rotations, rest)
    batch, count = len(rotations), len(points.template)
    mixed = points.joint_weights @ joints
    if not count:
        return PosedPoints(
            mixed,
            world,
            joints,
            *(_joint_jacobian(body, points, world, joints) if jacobian else (None, None)),
        )
    columns = body.corrective_columns
    eye = torch.eye(3, dtype=rotations.dtype, device=rotations.device)
    features = (rotations[:, 1:] - eye).flatten(1)[:, columns]
    vertex = points.template + (betas @ points.shapedirs.flatten(0, 1).T).unflatten(-1, (count, 3))
    vertex = vertex + (features @ points.corrective_dirs.flatten(1)).unflatten(-1, (count, 3))
    offset = joints - (world @ rest[..., None])[..., 0]
    # carried[b, n, j]: where joint j alone would carry vertex n, times its weight
    weight = points.lbs_weights
    turned = torch.einsum("bjxy,bny->bnjx", world, vertex)
    carried = weight[None, :, :, None] * (turned + offset[:, None])
    vertices = carried.sum(2)
    mixed = mixed + points.vertex_weights @ vertices
    if not jacobian:
        return PosedPoints(mixed, world, joints)

    below_of = subtree(rotations.device, rotations.dtype)
    below = torch.einsum("aj,bnjx->bnax", below_of, carried)
    weight_below = weight @ below_of.T
    total = _joint_moments(points, joints, below_of)
    total = total + torch.einsum("pn,bnax->bpax", points.vertex_weights, below)
    mass = points.joint_weights @ below_of.T + points.vertex_weights @ weight_below
    arm = total - mass[None, :, :, None] * joints[:, None]
    d_world = -skew(arm).transpose(2, 3)  # (b, p, 3, a, 3)
    d_rotation = torch.einsum("bpxay,bayz->bpxaz", d_world, parent_world(world))

    blend = torch.einsum("nj,bjxy->bnxy", weight, world)
    joint, row, column = columns // 9 + 1, columns % 9 // 3, columns % 3
    # feature R[row, column] of joint under w_local: (w x R[:, column])[row]
    picked = rotations[:, joint].gather(-1, column[None, :, None, None].expand(batch, -1, 3, 1))[
        ..., 0
    ]
    d_feature = -skew(picked).gather(2, row[None, :, None, None].expand(batch, -1, 1, 3))[
        :, :, 0
    ]  # (b, K, 3)
    corrected = torch.einsum("bnxy,kny->bnxk", blend, points.corrective_dirs)
    point_corrected = torch.einsum("pn,bnxk->bpxk", points.vertex_weights, corrected)
    spread = point_corrected[..., None] * d_feature[:, None, None]
    d_rotation = d_rotation.index_add(3, joint, spread)

    rest_dirs = body.J_shapedirs
    d_joints = _joint_betas(world, rest_dirs)
    d_offset = d_joints - torch.einsum("bjxy,jyk->bjxk", world, rest_dirs)
    d_vertices = torch.einsum("bnxy,nyk->bnxk", blend, points.shapedirs) + torch.einsum(
        "nj,bjxk->bnxk", weight, d_offset
    )
    d_betas = torch.einsum("pj,bjxk->bpxk", points.joint_weights, d_joints)
    d_betas = d_betas + torch.einsum("pn,bnxk->bpxk", points.vertex_weights, d_vertices)
    return PosedPoints(mixed, world, joints, d_rotation, d_betas)


def parent_world(world: Tensor) -> Tensor:
    """Of each joint the world rotation of its parent, the identity for the root. (B, 24, 3, 3) -> the same."""
    eye = torch.eye(3, dtype=world.dtype, device=world.device).expand(len(world), 1, 3, 3)
    return torch.cat((eye, world[:, list(PARENTS[1:])]), 1)


def _joint_betas(world: Tensor, rest_dirs: Tensor) -> Tensor:
    """d joints / d betas. world (B, 24, 3, 3), rest_dirs (24, 3, 10) -> (B, 24, 3, 10)."""
    offsets = rest_dirs.clone()
    offsets[1:] -= rest_dirs[list(PARENTS[1:])]
    turned = parent_world(world) @ offsets
    return torch.einsum("aj,baxk->bjxk", subtree(world.device, world.dtype), turned)


def _joint_moments(points: PointSet, joints: Tensor, below_of: Tensor) -> Tensor:
    """Sum over joints below a of their weight times their place. -> (B, P, 24, 3)."""
    table = (points.joint_weights[:, None] * below_of).flatten(0, 1)
    return (table @ joints).unflatten(1, (-1, NUM_JOINTS))


def _joint_jacobian(
    body: Body, points: PointSet, world: Tensor, joints: Tensor
) -> tuple[Tensor, Tensor]:
    below_of = subtree(world.device, world.dtype)
    total = _joint_moments(points, joints, below_of)
    mass = points.joint_weights @ below_of.T
    arm = total - mass[None, :, :, None] * joints[:, None]
    d_rotation = torch.einsum("bpxay,bayz->bpxaz", -skew(arm).transpose(2, 3), parent_world(world))
    d_betas = torch.einsum(
        "pj,bjxk->bpxk", points.joint_weights, _joint_betas(world, body.J_shapedirs)
    )
    return d_rotation, d_betas
