"""How much samples are like captured poses: Frechet distance, precision and recall, diversity; and
whether a density tells captured poses from spoilt ones.
"""

from __future__ import annotations

import numpy as np

from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import axis_angle_to_matrix
from kinflow.core.skeleton import HAND_JOINTS
from kinflow.mocap.augment import LIMBS, recombined


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Frechet distance of the Gaussians of two sets of joint places (N, J, 3) m, in cm^2."""
    a, b = (100 * x.reshape(len(x), -1).astype(np.float64) for x in (a, b))
    ca, cb = np.cov(a.T), np.cov(b.T)
    # tr sqrt(Ca Cb) from the eigenvalues of a similar symmetric matrix
    values, vectors = np.linalg.eigh(ca)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ cb @ root), 0)).sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(ca) + np.trace(cb) - 2 * cross)


def mean_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mean joint distance of every pair, m. (N, J, 3), (M, J, 3) -> (N, M)."""
    return np.stack([np.linalg.norm(b - x, axis=-1).mean(-1) for x in a])


def in_balls(samples: np.ndarray, real: np.ndarray, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Which samples (N,) lie within the k-nearest-neighbour balls of real poses, and the reverse
    (M,): their means are precision and recall (Kynkaanniemi et al. 2019).
    """
    across = mean_distance(samples, real)
    real_radius = np.sort(mean_distance(real, real), 1)[:, k]
    sample_radius = np.sort(mean_distance(samples, samples), 1)[:, k]
    return (across <= real_radius).any(1), (across <= sample_radius[:, None]).any(0)


def average_pairwise_distance(samples: np.ndarray) -> float:
    """Mean joint distance between two samples, mm (APD)."""
    half = len(samples) // 2
    apart = np.linalg.norm(samples[:half] - samples[half : 2 * half], axis=-1)
    return 1e3 * float(apart.mean())


def nearest_distance(samples: np.ndarray, real: np.ndarray) -> float:
    """Mean joint distance of a sample to its nearest captured pose, mm."""
    return 1e3 * float(mean_distance(samples, real).min(1).mean())


def with_another_limb(poses: np.ndarray, seed: int = 0) -> np.ndarray:
    """Each pose (N, 23, 3, 3) with one limb of another of the set."""
    random, count = np.random.default_rng(seed), len(poses)
    flat = poses.reshape(count, -1)
    others = np.stack([flat[(np.arange(count) + random.integers(1, count)) % count] for _ in LIMBS])
    take = np.arange(len(LIMBS))[:, None] == random.integers(0, len(LIMBS), count)
    return recombined(flat, others, take).reshape(poses.shape)


def with_bent_joints(
    poses: np.ndarray, degrees: float = 20.0, joints: int = 2, seed: int = 0
) -> np.ndarray:
    """Each pose (N, 23, 3, 3) with some joints, not the hands, turned about random axes."""
    random, result = np.random.default_rng(seed), poses.copy()
    for pose in result:
        for joint in random.choice(24 - 1 - len(HAND_JOINTS), joints, False):
            axis = random.standard_normal(3)
            turn = np.radians(degrees) * axis / np.linalg.norm(axis)
            pose[joint] = pose[joint] @ axis_angle_to_matrix(xp, turn).astype(pose.dtype)
    return result


def area_under_curve(captured: np.ndarray, spoilt: np.ndarray) -> float:
    """Chance that a captured pose is likelier than a spoilt one. (N,), (M,) nats."""
    order = np.concatenate((captured, spoilt)).argsort().argsort() + 1
    count = len(captured)
    return float((order[:count].sum() - count * (count + 1) / 2) / (count * len(spoilt)))
