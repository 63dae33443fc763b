"""One Gaussian, a mixture of eight (SMPLify's prior), and no prior.

All are affine maps from whitened numbers to the axis-angles of 21 joints; hands stay at rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from kinflow.core.arrays import Array, Backend, Namespace, eye_like
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.flow import turned_rows
from kinflow.core.representations import to_matrix, to_vector, turns_by_vector
from kinflow.records import PriorId

NUM_JOINTS = 21
SIZE = 3 * NUM_JOINTS
KIND = "axis_angle"


def with_hands(xp: Namespace, pose: Array) -> Array:
    """Rotations (B, 21, 3, 3) and two hands at rest. -> (B, 23, 3, 3)."""
    return xp.concat((pose, xp.zeros_like(pose[:, :2]) + eye_like(xp, 3, pose)), axis=1)


@dataclass(frozen=True)
class AffineDecoder:
    """theta = mean (63,) + factor (63, 63) z, where a computation runs."""

    mean: Array
    factor: Array

    @property
    def dim(self) -> int:
        return SIZE

    def decode(self, xp: Namespace, z: Array) -> tuple[Array, Any]:
        """(B, 63) -> rotations (B, 23, 3, 3), trace."""
        theta = self.mean + z @ self.factor.T
        pose = to_matrix(xp, KIND, theta)
        return with_hands(xp, pose), (theta, pose)

    def pull_back(self, xp: Namespace, trace: Any, world: Array, rows: Array) -> Array:
        """Rows by turns in the world -> rows by z. (B, M, 23, 3) -> (B, M, 63)."""
        table = turns_by_vector(xp, KIND, *trace, world)
        by_theta = turned_rows(rows[:, :, :NUM_JOINTS], table)
        return by_theta.reshape((*rows.shape[:2], SIZE)) @ self.factor


@dataclass(frozen=True, eq=False)
class AffinePrior:
    """z ~ N(0, I) through mean (63,) and a lower triangular factor (63, 63).

    `offset`: what this component's energy lacks against its mixture, -log(weight) + log|factor|.
    """

    name: str
    mean: np.ndarray
    factor: np.ndarray
    offset: float = 0.0

    @staticmethod
    def gaussian(
        name: str, mean: np.ndarray, covariance: np.ndarray, weight: float = 1.0
    ) -> AffinePrior:
        factor = np.linalg.cholesky(covariance.astype(np.float64))
        offset = -math.log(weight) + float(np.log(np.diagonal(factor)).sum())
        return AffinePrior(name, mean.astype(np.float64), factor, offset)

    @staticmethod
    def none() -> AffinePrior:
        """Axis-angles themselves, free within a radian or so."""
        return AffinePrior("none", np.zeros(SIZE), np.eye(SIZE))

    @property
    def id(self) -> PriorId:
        return PriorId(self.name, f"{self.name} {self.offset}")

    @property
    def dim(self) -> int:
        return SIZE

    def decoder(self, backend: Backend) -> AffineDecoder:
        return backend.record(AffineDecoder(self.mean, self.factor))

    def encode(self, pose: np.ndarray) -> np.ndarray:
        """(B, 23, 3, 3) -> (B, 63)."""
        theta = to_vector(xp, KIND, np.asarray(pose, np.float64)[:, :NUM_JOINTS])
        return np.linalg.solve(self.factor, (theta - self.mean).T).T

    def log_prob(self, pose: np.ndarray) -> np.ndarray:
        """Log-density of the axis-angles under this component alone. -> (B,)."""
        z = self.encode(pose)
        normal = -0.5 * (z * z).sum(-1) - 0.5 * SIZE * math.log(2 * math.pi)
        return normal - np.log(np.diagonal(self.factor)).sum()


@dataclass(frozen=True)
class Mixture:
    """A Gaussian mixture as its components and their shares.

    A fit takes the component of the lowest energy (max-mixture).
    """

    components: list[AffinePrior]
    shares: list[float]
