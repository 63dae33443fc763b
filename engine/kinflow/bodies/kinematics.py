"""Forward kinematics, linear blend skinning and their Jacobians (SMPL, Loper et al. 2015)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..core.skeleton import PARENTS

if TYPE_CHECKING:
    from .model import Body

# Joints by depth in the tree, so that a level is one batched product.
_LEVELS: list[list[int]] = []
for _j, _p in enumerate(PARENTS):
    _depth = 0 if _p < 0 else next(d for d, level in enumerate(_LEVELS) if _p in level) + 1
    while len(_LEVELS) <= _depth:
        _LEVELS.append([])
    _LEVELS[_depth].append(_j)
_ORDER = [j for level in _LEVELS for j in level]
_RESTORE = [_ORDER.index(j) for j in range(len(PARENTS))]


def shaped_joints(body: Body, betas: Tensor) -> Tensor:
    """Rest joints of a shape; J_regressor @ shapedirs is contracted once. betas (B, 10) -> (B, 24, 3)."""
    return body.J_template + (betas @ body.J_shapedirs.flatten(0, 1).T).unflatten(-1, (24, 3))


def global_transforms(
    rotations: Tensor, joints_rest: Tensor, parents: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """World rotation and place of each joint. rotations (B, 24, 3, 3), joints_rest (B, 24, 3) -> same shapes."""
    world_levels, place_levels = [rotations[:, :1]], [joints_rest[:, :1]]
    position = {0: (0, 0)}
    for depth, level in enumerate(_LEVELS[1:], 1):
        up = [PARENTS[j] for j in level]
        rows = [position[p][1] for p in up]
        parent_world, parent_place = world_levels[-1][:, rows], place_levels[-1][:, rows]
        offset = joints_rest[:, level] - joints_rest[:, up]
        world_levels.append((parent_world[..., None] * rotations[:, level, None]).sum(-2))
        place_levels.append(parent_place + (parent_world * offset[..., None, :]).sum(-1))
        position |= {j: (depth, i) for i, j in enumerate(level)}
    return torch.cat(world_levels, 1)[:, _RESTORE], torch.cat(place_levels, 1)[:, _RESTORE]


def pose_features(rotations: Tensor) -> Tensor:
    """SMPL's pose feature R - I of the 23 body joints. rotations (B, 24, 3, 3) -> (B, 207)."""
    eye = torch.eye(3, dtype=rotations.dtype, device=rotations.device)
    return (rotations[:, 1:] - eye).flatten(1)


def unposed_vertices(
    body: Body, rotations: Tensor, betas: Tensor, index: Tensor | None = None
) -> Tensor:
    """Shaped and corrected vertices before skinning. -> (B, V or len(index), 3)."""
    features = pose_features(rotations)[:, body.corrective_columns]
    template, dirs = body.v_template, body.blend_dirs
    if index is not None:
        template, dirs = template[index], dirs.unflatten(-1, (-1, 3))[:, index].flatten(1)
    return torch.addmm(template.flatten(), torch.cat((betas, features), -1), dirs).unflatten(
        -1, (-1, 3)
    )


def skin(
    body: Body,
    rotations: Tensor,
    betas: Tensor,
    world: Tensor,
    joints: Tensor,
    joints_rest: Tensor,
    index: Tensor | None = None,
) -> Tensor:
    """Linear blend skinning. -> vertices (B, V or len(index), 3), before translation."""
    rest = unposed_vertices(body, rotations, betas, index)
    offset = joints - (world @ joints_rest[..., None])[..., 0]
    weights = body.lbs_weights if index is None else body.lbs_weights[index]
    transforms = torch.cat((world.flatten(-2), offset), -1)
    blend = weights @ transforms
    return (blend[..., :9].unflatten(-1, (3, 3)) @ rest[..., None])[..., 0] + blend[..., 9:]
