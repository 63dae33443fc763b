"""Rotations on torch tensors, batch first: axis-angle, matrices, the 6D form.

6D is the first two columns of the matrix, one after the other (Zhou et al., CVPR 2019).
"""

from __future__ import annotations

import torch
from torch import Tensor


def skew(vector: Tensor) -> Tensor:
    """Cross-product matrix. vector (..., 3) -> (..., 3, 3)."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), -1).unflatten(-1, (3, 3))


def axis_angle_to_matrix(axis_angle: Tensor) -> Tensor:
    """Rodrigues' formula, smooth at zero. axis_angle (..., 3) in radians -> (..., 3, 3)."""
    squared = (axis_angle * axis_angle).sum(-1)[..., None, None]
    small = squared < 1e-8
    safe = torch.where(small, torch.ones_like(squared), squared)
    angle = safe.sqrt()
    first = torch.where(small, 1 - squared / 6, angle.sin() / angle)
    second = torch.where(small, 0.5 - squared / 24, (1 - angle.cos()) / safe)
    cross = skew(axis_angle)
    eye = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    # [v]x [v]x = v v' - |v|^2 I: thousands of 3 x 3 products cost more in calls than in arithmetic
    twice = axis_angle[..., :, None] * axis_angle[..., None, :] - squared * eye
    return eye + first * cross + second * twice


def matrix_to_quaternion(matrix: Tensor) -> Tensor:
    """Unit quaternion (w, x, y, z) with w >= 0, stable at every angle. matrix (..., 3, 3) -> (..., 4)."""
    m = matrix.flatten(-2)
    m00, m01, m02, m10, m11, m12, m20, m21, m22 = m.unbind(-1)
    candidates = torch.stack(
        (
            torch.stack((1 + m00 + m11 + m22, m21 - m12, m02 - m20, m10 - m01), -1),
            torch.stack((m21 - m12, 1 + m00 - m11 - m22, m10 + m01, m02 + m20), -1),
            torch.stack((m02 - m20, m10 + m01, 1 - m00 + m11 - m22, m21 + m12), -1),
            torch.stack((m10 - m01, m02 + m20, m21 + m12, 1 - m00 - m11 + m22), -1),
        ),
        -2,
    )
    best = torch.stack([candidates[..., i, i] for i in range(4)], -1).argmax(-1)
    quaternion = candidates.gather(-2, best[..., None, None].expand(*best.shape, 1, 4)).squeeze(-2)
    quaternion = quaternion / quaternion.norm(dim=-1, keepdim=True)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def matrix_to_axis_angle(matrix: Tensor) -> Tensor:
    """Logarithm map, angle in [0, pi]. matrix (..., 3, 3) -> (..., 3)."""
    quaternion = matrix_to_quaternion(matrix)
    vector = quaternion[..., 1:]
    squared = (vector * vector).sum(-1, keepdim=True)
    small = squared < 1e-12
    length = torch.where(small, torch.ones_like(squared), squared).sqrt()
    angle = 2 * torch.atan2(length, quaternion[..., :1])
    return vector * torch.where(small, 2 / quaternion[..., :1].clamp_min(0.5), angle / length)


def sixd_to_matrix(sixd: Tensor) -> Tensor:
    """Gram-Schmidt of two columns. sixd (..., 6) -> (..., 3, 3)."""
    first = torch.nn.functional.normalize(sixd[..., :3], dim=-1)
    second = sixd[..., 3:] - (first * sixd[..., 3:]).sum(-1, keepdim=True) * first
    second = torch.nn.functional.normalize(second, dim=-1)
    return torch.stack((first, second, torch.linalg.cross(first, second)), -1)


def matrix_to_sixd(matrix: Tensor) -> Tensor:
    """First two columns. matrix (..., 3, 3) -> (..., 6)."""
    return torch.cat((matrix[..., 0], matrix[..., 1]), -1)


def project_to_rotation(matrix: Tensor) -> Tensor:
    """Nearest rotation in Frobenius norm (orthogonal Procrustes); NaN for what is not finite. (..., 3, 3) -> (..., 3, 3)."""
    # LAPACK refuses a whole batch for one bad matrix
    finite = torch.isfinite(matrix).all(-1, keepdim=True).all(-2, keepdim=True)
    u, _, vh = torch.linalg.svd(
        torch.where(finite, matrix, torch.eye(3, dtype=matrix.dtype, device=matrix.device))
    )
    sign = torch.linalg.det(u @ vh)
    flip = torch.stack((torch.ones_like(sign), torch.ones_like(sign), sign), -1)
    return torch.where(finite, (u * flip[..., None, :]) @ vh, torch.nan)


def geodesic_angle(a: Tensor, b: Tensor) -> Tensor:
    """Angle between rotations in radians. (..., 3, 3), (..., 3, 3) -> (...)."""
    return matrix_to_axis_angle(a.transpose(-1, -2) @ b).norm(dim=-1)
