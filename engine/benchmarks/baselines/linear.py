"""One Gaussian, a mixture of eight (SMPLify's prior), and no prior: affine maps from whitened numbers to axis-angle."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from kinflow import rotations_np
from kinflow.fitting.lean.flow import left_jacobian as lean_left_jacobian
from kinflow.fitting.lean.tables import UP
from kinflow.priors.pullback import left_jacobian
from kinflow.rotations import axis_angle_to_matrix, matrix_to_axis_angle

NUM_JOINTS = 21
SIZE = 3 * NUM_JOINTS


class AffinePrior:
    """theta = mean + factor z with z ~ N(0, I) over the axis-angles of 21 joints; hands stay at rest.

    `offset`: what this component's energy lacks against its mixture, -log(weight) + log|factor|.
    """

    def __init__(self, name: str, mean: Tensor, factor: Tensor, offset: float = 0.0) -> None:
        self.name, self.mean, self.factor, self.offset, self.dim = name, mean, factor, offset, SIZE

    @staticmethod
    def gaussian(name: str, mean: Tensor, covariance: Tensor, weight: float = 1.0) -> AffinePrior:
        factor = torch.linalg.cholesky(covariance.double())
        offset = -math.log(weight) + float(factor.diagonal().log().sum())
        return AffinePrior(name, mean.float(), factor.float(), offset)

    @staticmethod
    def none() -> AffinePrior:
        """Axis-angles themselves, free within a radian or so."""
        return AffinePrior("none", torch.zeros(SIZE), torch.eye(SIZE))

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> AffinePrior:
        return AffinePrior(
            self.name,
            self.mean.to(device=device, dtype=dtype),
            self.factor.to(device=device, dtype=dtype),
            self.offset,
        )

    def decode_with_trace(self, z: Tensor) -> tuple[Tensor, tuple]:
        theta = (self.mean + z @ self.factor.T).unflatten(-1, (NUM_JOINTS, 3))
        hands = torch.eye(3, dtype=z.dtype, device=z.device).expand(len(z), 2, 3, 3)
        return torch.cat((axis_angle_to_matrix(theta), hands), 1), (theta,)

    def pull_back(self, trace: tuple, rows: Tensor) -> Tensor:
        by_theta = torch.einsum(
            "bmjx,bjxy->bmjy", rows[:, :, :NUM_JOINTS], left_jacobian(trace[0])
        ).flatten(-2)
        return by_theta @ self.factor

    def decode(self, z: Tensor) -> Tensor:
        return self.decode_with_trace(z)[0]

    def lean_flow(self) -> LeanAffine:
        return LeanAffine(self.mean.numpy(), self.factor.numpy())

    def log_prob(self, pose: Tensor) -> Tensor:
        """Log-density of the axis-angles under this component alone."""
        theta = matrix_to_axis_angle(pose[:, :NUM_JOINTS]).flatten(1)
        z = torch.linalg.solve_triangular(self.factor, (theta - self.mean).T, upper=False).T
        return (
            -0.5 * (z * z).sum(-1)
            - 0.5 * SIZE * math.log(2 * math.pi)
            - self.factor.diagonal().log().sum()
        )


class LeanAffine:
    """The affine map for the solver's numpy form."""

    def __init__(self, mean: np.ndarray, factor: np.ndarray) -> None:
        self.mean, self.factor = mean, factor

    def decode(self, z: np.ndarray) -> tuple[np.ndarray, tuple]:
        theta = (self.mean + z @ self.factor.T).reshape(len(z), NUM_JOINTS, 3)
        hands = np.broadcast_to(np.eye(3, dtype=z.dtype), (len(z), 2, 3, 3))
        return np.concatenate((rotations_np.axis_angle_to_matrix(theta), hands), 1), (theta,)

    def pull_back(
        self, trace: tuple, rotations: np.ndarray, world: np.ndarray, rows: np.ndarray
    ) -> np.ndarray:
        by_local = world[:, UP[1 : 1 + NUM_JOINTS]] @ lean_left_jacobian(trace[0])
        turns = rows.reshape(*rows.shape[:2], -1, 3)[:, :, 1 : 1 + NUM_JOINTS]
        return (
            np.einsum("smjc,sjcd->smjd", turns, by_local).reshape(*rows.shape[:2], -1) @ self.factor
        )


class Mixture:
    """A Gaussian mixture as the list of its components; a fit takes the component of the lowest energy (max-mixture)."""

    name = "mixture"

    def __init__(self, components: list[AffinePrior], shares: list[float]) -> None:
        self.components, self.shares = components, shares
