"""What a prior is trained and measured on: captured poses in its representation, lifted."""

from dataclasses import dataclass
from pathlib import Path

import array_api_compat.torch as xp
import numpy as np
import torch
from torch import Tensor

from ..core.representations import dimension, to_vector
from ..mocap.augment import hand_noise
from ..mocap.dataset import load_clips, real_poses, training_pool


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
    """Training poses in one representation, (N, D), with sampling weights (N,) that sum to 1."""

    vectors: Tensor
    weights: Tensor

    def draw(self, count: int, sigma: float, generator: torch.Generator) -> Tensor:
        """Lifted poses, drawn with replacement. -> (count, D)."""
        rows = torch.multinomial(self.weights, count, True, generator=generator)
        return lift(self.vectors[rows], sigma, generator)


@dataclass(frozen=True)
class TrainingData:
    """A pool, its lifted mean (D,) and covariance (D, D), and lifted held-out poses (M, D)."""

    pool: Pool
    mean: Tensor
    covariance: Tensor
    validation: Tensor
    test: Tensor
    test_clip: np.ndarray

    def gaussian_log_prob(self, x: Tensor) -> Tensor:
        """Log-density of one full-covariance Gaussian of the lifted data. (B, D) -> (B,)."""
        normal = torch.distributions.MultivariateNormal(self.mean, self.covariance)
        return normal.log_prob(x.double())


def prepare_data(mocap: Path, representation: str, sigma: float, seed: int) -> TrainingData:
    """Reads a folder's clips and turns them into the flow's own space."""
    clips = load_clips(mocap / "cmu")
    upper = mocap / "cmu_upper"
    poses = training_pool(clips, load_clips(upper) if upper.is_dir() else [], seed)
    pool = Pool(_vectors(poses.poses, representation), torch.from_numpy(poses.weights))
    mean, covariance = _moments(pool)
    covariance += sigma**2 * torch.eye(dimension(representation), dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed + 1)
    random = np.random.default_rng(seed + 1)

    def held_out(split: str) -> tuple[Tensor, np.ndarray]:
        real = real_poses(clips, split)
        vectors = _vectors(hand_noise(real.poses, random), representation)
        return lift(vectors, sigma, generator), real.clip

    validation, _ = held_out("validation")
    test, clip = held_out("test")
    return TrainingData(pool, mean, covariance, validation, test, clip)


def _vectors(poses: np.ndarray, representation: str) -> Tensor:
    return to_vector(xp, representation, torch.from_numpy(poses.astype(np.float32)))


def _moments(pool: Pool) -> tuple[Tensor, Tensor]:
    """Weighted mean and covariance, in double precision."""
    x, weights = pool.vectors.double(), pool.weights[:, None]
    mean = (weights * x).sum(0)
    centred = x - mean
    return mean, (centred * weights).T @ centred


def clip_interval(
    values: np.ndarray, clip: np.ndarray, seed: int = 0, rounds: int = 2000
) -> tuple[float, float, float]:
    """Mean over frames with a 95% bootstrap interval over clips, not frames."""
    names = np.unique(clip)
    sums = np.array([values[clip == n].sum() for n in names])
    counts = np.array([(clip == n).sum() for n in names])
    picks = np.random.default_rng(seed).integers(0, len(names), (rounds, len(names)))
    means = sums[picks].sum(1) / counts[picks].sum(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(values.mean()), float(low), float(high)
