"""What the benchmarks' tables share."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from kinflow import FitResult
from kinflow.core.metrics import mpjpe, pa_mpjpe
from kinflow.training.data import clip_interval


def interval(values: np.ndarray, clip: np.ndarray) -> str:
    """Mean with its 95% interval by bootstrap over clips."""
    return "{:.1f} [{:.1f}, {:.1f}]".format(*clip_interval(values, clip))


def joint_errors(joints: Iterable[np.ndarray], truth: Iterable[np.ndarray]) -> np.ndarray:
    """MPJPE and PA-MPJPE of each person, mm. (24, 3) m each -> (2, N)."""
    pairs = list(zip(joints, truth, strict=True))
    return 1e3 * np.array([[f(a, b) for a, b in pairs] for f in (mpjpe, pa_mpjpe)])


def mesh_errors(
    results: list[FitResult], joints: np.ndarray, vertices: Iterable[np.ndarray], every: int = 1
) -> np.ndarray:
    """MPVPE about the pelvis, mm; truth: joints (N, 24, 3) and one vertex in `every` (n, 3) m."""
    errors = []
    for result, places, mesh in zip(results, joints, vertices, strict=True):
        apart = (result.vertices[::every] - result.joints[0]) - (mesh - places[0])
        errors.append(1e3 * np.linalg.norm(apart, axis=-1).mean())
    return np.array(errors)
