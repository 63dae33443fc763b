"""How unusual a pose is: percentiles among captured poses of people who were not trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..core.arrays import numpy_namespace as xp
from ..core.gaussian import Gaussian
from ..core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ..core.skeleton import JOINT_NAMES

LogDensity = Callable[[np.ndarray], np.ndarray]
UNUSUAL, VERY_UNUSUAL = 95.0, 99.0
PERCENTS = np.concatenate((np.arange(0, 99), np.linspace(99, 100, 11)))


def _joints(*names: str) -> tuple[int, ...]:
    return tuple(j - 1 for j, name in enumerate(JOINT_NAMES) if name.endswith(names))


PARTS = {
    "legs": _joints("hip", "knee", "ankle", "foot"),
    "arms": _joints("collar", "shoulder", "elbow", "wrist", "hand"),
    "trunk": _joints("spine1", "spine2", "spine3"),
    "head": _joints("neck", "head"),
}


@dataclass(frozen=True)
class Unusual:
    """Percentiles (B,): how many of a hundred captured poses are likelier; of the whole body, and
    of each part given the rest.
    """

    body: np.ndarray
    parts: dict[str, np.ndarray]

    def text(self, row: int = 0) -> str:
        """For people: "usual", or what is not, as in "very unusual; arms: unusual"."""
        words = [] if self.body[row] < UNUSUAL else [rarity(self.body[row])]
        for name, percentiles in self.parts.items():
            if percentiles[row] >= UNUSUAL:
                words.append(f"{name}: {rarity(percentiles[row])}")
        return "; ".join(words) or "usual"


def rarity(percentile: float) -> str:
    """How unusual a percentile is, in words."""
    if percentile >= VERY_UNUSUAL:
        return "very unusual"
    return "unusual" if percentile >= UNUSUAL else "usual"


@dataclass(frozen=True)
class Calibration:
    """body (P,) and parts (4, P): scores at PERCENTS of captured poses, rising."""

    body: np.ndarray
    parts: np.ndarray

    @staticmethod
    def of(poses: np.ndarray, log_density: LogDensity, gaussian: Gaussian) -> Calibration:
        """From captured poses (N, 23, 3, 3)."""
        body, parts = scores(poses, log_density, gaussian)
        table = np.percentile(np.concatenate((body[None], parts)), PERCENTS, axis=1).T
        return Calibration(table[0].astype(np.float32), table[1:].astype(np.float32))

    def percentiles(
        self, poses: np.ndarray, log_density: LogDensity, gaussian: Gaussian
    ) -> Unusual:
        """Of poses (B, 23, 3, 3)."""
        body, parts = scores(poses, log_density, gaussian)
        rows = zip(PARTS, parts, self.parts, strict=True)
        by_part = {name: np.interp(row, table, PERCENTS) for name, row, table in rows}
        return Unusual(np.interp(body, self.body, PERCENTS), by_part)


def scores(
    poses: np.ndarray, log_density: LogDensity, gaussian: Gaussian
) -> tuple[np.ndarray, np.ndarray]:
    """-log p of poses (B,), and (4, B): by how much a part as the rest makes expect it, which is
    the Gaussian's conditional mean, would be likelier.
    """
    body = -log_density(poses)
    vector = matrix_to_axis_angle(xp, poses).reshape(len(poses), -1)
    mean, covariance = gaussian.mean, gaussian.factor @ gaussian.factor.T
    parts = []
    for joints in PARTS.values():
        own = (3 * np.array(joints)[:, None] + np.arange(3)).ravel()
        rest = np.setdiff1d(np.arange(len(mean)), own)
        gain = np.linalg.solve(covariance[np.ix_(rest, rest)], covariance[np.ix_(rest, own)])
        expected = vector.copy()
        expected[:, own] = mean[own] + (vector[:, rest] - mean[rest]) @ gain
        rotations = axis_angle_to_matrix(xp, expected.reshape(len(poses), -1, 3))
        parts.append(body + log_density(rotations))
    return body, np.stack(parts)
