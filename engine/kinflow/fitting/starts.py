"""Where the solver starts: the zero-mean latent under four global rotations, and what the caller brings."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..bodies.jacobians import pose_points
from ..rotations import axis_angle_to_matrix
from .problem import Problem, State
from .translation import weak_perspective_translation

NUM_YAWS = 4


def upright_rotations(roll: Tensor, yaws: int = NUM_YAWS) -> Tensor:
    """Root rotations of a body that stands upright on the photo, turned about its own axis.

    roll (N,) radians: how the trunk leans on the photo (0: head up). -> (N, yaws, 3, 3).
    """
    dtype, device = roll.dtype, roll.device
    half_turn = axis_angle_to_matrix(torch.tensor([math.pi, 0.0, 0.0], dtype=dtype, device=device))
    angles = torch.arange(yaws, dtype=dtype, device=device) * (2 * math.pi / yaws)
    zero = torch.zeros_like(angles)
    yaw = axis_angle_to_matrix(torch.stack((zero, angles, zero), -1))
    lean = axis_angle_to_matrix(
        torch.stack((torch.zeros_like(roll), torch.zeros_like(roll), roll), -1)
    )
    return lean[:, None] @ half_turn @ yaw


def trunk_roll(keypoints: Tensor, confidence: Tensor, names: tuple[str, ...]) -> Tensor:
    """Lean of the trunk on the photo from shoulders and hips; 0 where they are not seen. -> (N,)."""
    index = [names.index(n) for n in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")]
    seen = (confidence[:, index] > 0.3).all(1)
    points = keypoints[:, index]
    up = points[:, :2].mean(1) - points[:, 2:].mean(1)
    roll = torch.atan2(up[:, 0], -up[:, 1])
    long_enough = up.norm(dim=-1) > 1
    return torch.where(seen & long_enough, roll, torch.zeros_like(roll))


def place(problem: Problem, z: Tensor, root: Tensor, betas: Tensor) -> State:
    """State with the translation of equation 2."""
    rotations = torch.cat((root[:, None], problem.prior.decode_with_trace(z)[0]), 1)
    points = pose_points(problem.body, problem.points, rotations, betas, jacobian=False).points
    transl = weak_perspective_translation(
        points, problem.keypoints, problem.confidence, problem.focal, problem.centre
    )
    return State(z, root, betas, transl)
