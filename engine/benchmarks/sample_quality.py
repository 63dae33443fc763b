"""How much samples are like captured poses: Frechet distance, precision, recall, diversity."""

from __future__ import annotations

import torch
from torch import Tensor


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Frechet distance of the Gaussians of two sets of joint places (N, J, 3) m, in cm^2."""
    a, b = 100 * a.flatten(1).double(), 100 * b.flatten(1).double()
    ca, cb = torch.cov(a.T), torch.cov(b.T)
    # tr sqrt(Ca Cb) from the eigenvalues of a similar symmetric matrix
    values, vectors = torch.linalg.eigh(ca)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ cb @ root).clamp_min(0).sqrt().sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + ca.trace() + cb.trace() - 2 * cross)


def mean_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean joint distance of every pair, m. (N, J, 3), (M, J, 3) -> (N, M)."""
    return torch.stack([(b - x).norm(dim=-1).mean(-1) for x in a])


def precision_recall(samples: Tensor, real: Tensor, k: int = 3) -> tuple[float, float]:
    """Share of samples within the k-nearest-neighbour balls of real poses, and the reverse.

    Kynkaanniemi et al., NeurIPS 2019.
    """
    across = mean_distance(samples, real)
    real_radius = mean_distance(real, real).kthvalue(k + 1, dim=1).values
    sample_radius = mean_distance(samples, samples).kthvalue(k + 1, dim=1).values
    precision = (across <= real_radius[None]).any(1).float().mean()
    recall = (across <= sample_radius[:, None]).any(0).float().mean()
    return float(precision), float(recall)


def average_pairwise_distance(samples: Tensor) -> float:
    """Mean joint distance between two samples, mm (APD)."""
    half = len(samples) // 2
    return 1e3 * float((samples[:half] - samples[half : 2 * half]).norm(dim=-1).mean())


def nearest_distance(samples: Tensor, real: Tensor) -> float:
    """Mean joint distance of a sample to its nearest captured pose, mm."""
    return 1e3 * float(mean_distance(samples, real).amin(1).mean())
