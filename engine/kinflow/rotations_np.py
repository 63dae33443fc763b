"""The same rotations as `rotations`, in numpy: for Blender, the readers and the wire's small ends."""

from __future__ import annotations

import numpy as np


def axis_angle_to_matrix(axis_angle: np.ndarray) -> np.ndarray:
    """Rodrigues' formula. (..., 3) radians -> (..., 3, 3)."""
    axis_angle = np.asarray(axis_angle)
    squared = np.sum(axis_angle * axis_angle, -1)[..., None, None]
    small = squared < 1e-8
    safe = np.where(small, 1.0, squared)
    angle = np.sqrt(safe)
    first = np.where(small, 1 - squared / 6, np.sin(angle) / angle)
    second = np.where(small, 0.5 - squared / 24, (1 - np.cos(angle)) / safe)
    x, y, z = np.moveaxis(axis_angle, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack((zero, -z, y, z, zero, -x, -y, x, zero), -1).reshape(
        axis_angle.shape[:-1] + (3, 3)
    )
    return (np.eye(3) + first * cross + second * (cross @ cross)).astype(axis_angle.dtype)


def matrix_to_quaternion(matrix: np.ndarray) -> np.ndarray:
    """Unit quaternion (w, x, y, z), w >= 0. (..., 3, 3) -> (..., 4)."""
    m = np.asarray(matrix).reshape(matrix.shape[:-2] + (9,))
    m00, m01, m02, m10, m11, m12, m20, m21, m22 = np.moveaxis(m, -1, 0)
    rows = np.stack(
        (
            np.stack((1 + m00 + m11 + m22, m21 - m12, m02 - m20, m10 - m01), -1),
            np.stack((m21 - m12, 1 + m00 - m11 - m22, m10 + m01, m02 + m20), -1),
            np.stack((m02 - m20, m10 + m01, 1 - m00 + m11 - m22, m21 + m12), -1),
            np.stack((m10 - m01, m02 + m20, m21 + m12, 1 - m00 - m11 + m22), -1),
        ),
        -2,
    )
    best = np.stack([rows[..., i, i] for i in range(4)], -1).argmax(-1)
    quaternion = np.take_along_axis(rows, best[..., None, None], -2)[..., 0, :]
    quaternion = quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True)
    return np.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def matrix_to_axis_angle(matrix: np.ndarray) -> np.ndarray:
    """Logarithm map, angle in [0, pi]. (..., 3, 3) -> (..., 3)."""
    quaternion = matrix_to_quaternion(matrix)
    vector = quaternion[..., 1:]
    length = np.linalg.norm(vector, axis=-1, keepdims=True)
    angle = 2 * np.arctan2(length, quaternion[..., :1])
    return vector * np.where(length < 1e-6, 2.0, angle / np.maximum(length, 1e-6))


def sixd_to_matrix(sixd: np.ndarray) -> np.ndarray:
    """Gram-Schmidt of two columns. (..., 6) -> (..., 3, 3)."""
    first = sixd[..., :3] / np.linalg.norm(sixd[..., :3], axis=-1, keepdims=True)
    second = sixd[..., 3:] - np.sum(first * sixd[..., 3:], -1, keepdims=True) * first
    second = second / np.linalg.norm(second, axis=-1, keepdims=True)
    return np.stack((first, second, np.cross(first, second)), -1)


def matrix_to_sixd(matrix: np.ndarray) -> np.ndarray:
    """First two columns. (..., 3, 3) -> (..., 6)."""
    return np.concatenate((matrix[..., 0], matrix[..., 1]), -1)


def project_to_rotation(matrix: np.ndarray) -> np.ndarray:
    """Nearest rotation in Frobenius norm; NaN for what is not finite. (..., 3, 3) -> (..., 3, 3)."""
    finite = np.isfinite(matrix).all((-1, -2), keepdims=True)
    u, _, vh = np.linalg.svd(np.where(finite, matrix, np.eye(3, dtype=matrix.dtype)))
    sign = np.linalg.det(u @ vh)
    flip = np.stack((np.ones_like(sign), np.ones_like(sign), sign), -1)
    return np.where(finite, (u * flip[..., None, :]) @ vh, np.nan).astype(matrix.dtype)


def euler_to_matrix(angles: np.ndarray, order: str) -> np.ndarray:
    """Intrinsic rotations in the named order: 'ZYX' gives Rz Ry Rx. angles (..., n) radians -> (..., 3, 3)."""
    result = np.eye(3)
    for column, axis in enumerate(order):
        cos, sin = np.cos(angles[..., column]), np.sin(angles[..., column])
        step = np.zeros(angles.shape[:-1] + (3, 3))
        i = "XYZ".index(axis)
        j, k = (i + 1) % 3, (i + 2) % 3
        step[..., i, i] = 1
        step[..., j, j] = step[..., k, k] = cos
        step[..., j, k], step[..., k, j] = -sin, sin
        result = result @ step
    return result


def geodesic_angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angle between rotations in radians. (..., 3, 3), (..., 3, 3) -> (...)."""
    return np.linalg.norm(matrix_to_axis_angle(np.swapaxes(a, -1, -2) @ b), axis=-1)
