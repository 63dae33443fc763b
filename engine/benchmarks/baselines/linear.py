"""One Gaussian, a mixture of eight (SMPLify's prior), and no prior.

All are affine maps from whitened numbers to the axis-angles of 21 joints; hands stay at rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kinflow.core.arrays import Array, Backend, Namespace, eye_like
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.gaussian import Gaussian
from kinflow.core.representations import to_vector
from kinflow.records import PriorId

NUM_JOINTS = 21
SIZE = 3 * NUM_JOINTS


def with_hands(xp: Namespace, pose: Array) -> Array:
    """Rotations (B, 21, 3, 3) and two hands at rest. -> (B, 23, 3, 3)."""
    return xp.concat((pose, xp.zeros_like(pose[:, :2]) + eye_like(xp, 3, pose)), axis=1)


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

    def decoder(self, backend: Backend) -> Gaussian:
        return backend.record(Gaussian(self.mean, self.factor))

    def encode(self, pose: np.ndarray) -> np.ndarray:
        """(B, 23, 3, 3) -> (B, 63)."""
        theta = to_vector(xp, "axis_angle", np.asarray(pose, np.float64)[:, :NUM_JOINTS])
        return np.linalg.solve(self.factor, (theta - self.mean).T).T

    def log_prob(self, pose: np.ndarray) -> np.ndarray:
        """Log-density of the axis-angles under this component alone. -> (B,)."""
        return self.log_density(to_vector(xp, "axis_angle", pose[:, :NUM_JOINTS]))

    def log_density(self, theta: np.ndarray) -> np.ndarray:
        """Of axis-angles (B, 63). -> (B,) nats."""
        z = np.linalg.solve(self.factor, (theta - self.mean).T).T
        normal = -0.5 * (z * z).sum(-1) - 0.5 * SIZE * math.log(2 * math.pi)
        return normal - np.log(np.diagonal(self.factor)).sum()


@dataclass(frozen=True)
class Mixture:
    """A Gaussian mixture as its components and their shares.

    A fit takes the component of the lowest energy (max-mixture).
    """

    components: list[AffinePrior]
    shares: list[float]

    def log_density(self, theta: np.ndarray) -> np.ndarray:
        """Of axis-angles (B, 63). -> (B,) nats."""
        pairs = zip(self.components, self.shares, strict=True)
        return np.logaddexp.reduce([c.log_density(theta) + math.log(s) for c, s in pairs])

    def log_prob(self, pose: np.ndarray) -> np.ndarray:
        """Log-density of the axis-angles of (B, 23, 3, 3). -> (B,)."""
        return self.log_density(to_vector(xp, "axis_angle", pose[:, :NUM_JOINTS]))
