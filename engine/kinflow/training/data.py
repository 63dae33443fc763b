"""What a prior is trained and measured on: captured poses in its representation, lifted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..core.arrays import numpy_namespace as xp
from ..core.representations import to_vector
from ..mocap.augment import LIMBS, hand_noise, recombined
from ..mocap.dataset import CapturedPoses, Recording, captured_poses, training_pool

LIMB_CHANCE = 0.5


def lift(vector: Tensor, sigma: float, generator: torch.Generator | None = None) -> Tensor:
    """Takes data off their manifold with isotropic Gaussian noise, x = vector + sigma * e.

    6D codes and matrices of rotations fill a thinner manifold than their space, on which the
    likelihood of any flow runs away to infinity. The noise gives the data the thickness `sigma` in
    every direction, so likelihoods are bounded and comparable within one representation and one
    sigma. Along the manifold the same noise acts as a rotation jitter of about sigma / sqrt(2)
    radians (6D). vector (B, D) -> (B, D).
    """
    noise = torch.randn(vector.shape, generator=generator, dtype=vector.dtype, device=vector.device)
    return vector + sigma * noise


@dataclass(frozen=True)
class Pool:
    """Training poses in one representation, (N, D) float32, with weights (N,) that sum to 1."""

    vectors: np.ndarray
    weights: np.ndarray

    @cached_property
    def _steps(self) -> np.ndarray:
        return np.cumsum(self.weights) / self.weights.sum()

    def draw(
        self, shape: tuple[int, ...], sigma: float, random: np.random.Generator, mixed: float = 0.5
    ) -> np.ndarray:
        """Lifted poses, drawn with replacement; a share `mixed` of them takes each limb with
        LIMB_CHANCE from another pose. -> (*shape, D).
        """
        count = int(np.prod(shape))
        x = self._rows(count, random)
        others = np.stack([self._rows(count, random) for _ in LIMBS])
        take = random.random((len(LIMBS), count)) < LIMB_CHANCE
        take &= random.random(count) < mixed
        x = recombined(x, others, take)
        x += sigma * random.standard_normal(x.shape, np.float32)
        return x.reshape(*shape, -1)

    def _rows(self, count: int, random: np.random.Generator) -> np.ndarray:
        return self.vectors[np.searchsorted(self._steps, random.random(count))]


@dataclass(frozen=True)
class TrainingData:
    """A pool, its lifted mean (D,) and covariance (D, D), and lifted held-out poses (M, D)."""

    pool: Pool
    mean: np.ndarray
    covariance: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    test_poses: CapturedPoses

    def gaussian_log_prob(self, x: np.ndarray) -> np.ndarray:
        """Log-density of one full-covariance Gaussian of the lifted data. (B, D) -> (B,)."""
        mean, covariance = torch.from_numpy(self.mean), torch.from_numpy(self.covariance)
        normal = torch.distributions.MultivariateNormal(mean, covariance)
        return normal.log_prob(torch.from_numpy(x).double()).numpy()


def prepare_data(
    recordings: Sequence[Recording], representation: str, sigma: float, seed: int, without: str = ""
) -> TrainingData:
    """Recordings in the flow's own space; `without`: a kind of motion that is left out."""
    poses = training_pool(recordings, seed, without)
    pool = Pool(_vectors(poses.poses, representation), poses.weights)
    mean, covariance = moments(pool.vectors, pool.weights)
    random = np.random.default_rng(seed + 1)

    def held_out(captured: CapturedPoses) -> np.ndarray:
        vectors = _vectors(hand_noise(captured.poses, random), representation)
        return vectors + sigma * random.standard_normal(vectors.shape, np.float32)

    validation = held_out(captured_poses(recordings, "validation"))
    test = captured_poses(recordings, "test")
    covariance += sigma**2 * np.eye(len(mean))
    return TrainingData(pool, mean, covariance, validation, held_out(test), test)


def _vectors(poses: np.ndarray, representation: str) -> np.ndarray:
    return to_vector(xp, representation, poses).astype(np.float32)


def moments(x: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean (D,) and covariance (D, D), in double precision."""
    mean = weights @ x.astype(np.float64)
    centred: np.ndarray = x - mean
    return mean, (centred * weights[:, None]).T @ centred


def clip_interval(
    values: np.ndarray,
    clip: np.ndarray,
    performer: np.ndarray | None = None,
    seed: int = 0,
    rounds: int = 2000,
) -> tuple[float, float, float]:
    """Mean over frames with a 95% bootstrap interval over clips, not frames.

    With `performer` (N,) first performers are drawn, then clips within each.
    """
    names, index = np.unique(clip, return_inverse=True)
    sums, counts = np.bincount(index, values), np.bincount(index)
    owner = np.zeros(len(names), int)
    if performer is not None:
        owner[index] = np.unique(performer, return_inverse=True)[1]
    members = [np.flatnonzero(owner == p) for p in range(owner.max() + 1)]
    random = np.random.default_rng(seed)
    means = []
    for _ in range(rounds):
        people = random.integers(0, len(members), len(members)) if len(members) > 1 else [0]
        picks = np.concatenate([random.choice(members[p], len(members[p])) for p in people])
        means.append(sums[picks].sum() / counts[picks].sum())
    low, high = np.percentile(means, [2.5, 97.5])
    return float(np.mean(values)), float(low), float(high)
