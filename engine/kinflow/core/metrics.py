"""Pose errors as papers report them (numpy only)."""

import numpy as np

from ..records import NumpyArray
from .skeleton import METRIC_JOINTS


def mpjpe(joints: NumpyArray, truth: NumpyArray) -> NumpyArray:
    """Mean distance, pelvises on each other, without the hands. (..., 24, 3) m -> (...) m."""
    a, b = joints - joints[..., :1, :], truth - truth[..., :1, :]
    distance = np.linalg.norm(a - b, axis=-1)[..., list(METRIC_JOINTS)]
    return np.asarray(distance.mean(-1))


def procrustes(points: NumpyArray, target: NumpyArray) -> NumpyArray:
    """Points moved, turned and scaled onto the target by least squares. (N, 3) each -> (N, 3)."""
    a, b = points - points.mean(0), target - target.mean(0)
    u, s, vt = np.linalg.svd(a.T @ b)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = (s * sign).sum() / max((a**2).sum(), 1e-12)
    return np.asarray(scale * a @ (u * sign) @ vt + target.mean(0))


def pa_mpjpe(joints: NumpyArray, truth: NumpyArray) -> float:
    """Mean distance after Procrustes, without the hands. (24, 3) m each -> m."""
    chosen = list(METRIC_JOINTS)
    apart = procrustes(joints[chosen], truth[chosen]) - truth[chosen]
    return float(np.linalg.norm(apart, axis=-1).mean())
