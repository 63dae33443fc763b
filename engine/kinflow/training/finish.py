"""What travels beside a flow: axes, Gaussian, calibration, and which way is up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..bodies.arrays import default_body_arrays
from ..core.arrays import numpy_namespace as xp
from ..core.gaussian import Gaussian
from ..core.representations import dimension
from ..core.rotations import matrix_to_axis_angle
from ..core.upright import Upright
from ..mocap.clip import mirror_pose
from ..mocap.dataset import CapturedPoses, Recording, captured_poses, training_pool
from ..priors.arrays import PriorArrays
from ..priors.axes import latent_axes
from ..priors.storage import PriorHeader
from ..priors.unusual import Calibration
from .data import moments
from .upright import train_upright

JITTER = 0.03  # radians: the flows' lift as a turn of every joint
CALIBRATION_POSES = 3000
CENTRE_STEP, CENTRE_ROUNDS = 1e-2, 6


@dataclass(frozen=True)
class Companions:
    """What every prior of the same clips shares."""

    gaussian: Gaussian
    upright: Upright
    validation: CapturedPoses

    @staticmethod
    def of(recordings: Sequence[Recording], seed: int = 0, without: str = "") -> Companions:
        """From the training performers, and the captured validation poses."""
        pool = training_pool(recordings, seed, without)
        vectors = matrix_to_axis_angle(xp, pool.poses).reshape(len(pool.poses), -1)
        mean, covariance = moments(vectors, pool.weights)
        factor = np.linalg.cholesky(covariance + JITTER**2 * np.eye(len(mean)))
        gaussian = Gaussian(mean.astype(np.float32), factor.astype(np.float32))
        validation = captured_poses(recordings, "validation")
        return Companions(gaussian, train_upright(pool, seed), validation)


def centred(tensors: dict[str, np.ndarray], header: PriorHeader) -> dict[str, np.ndarray]:
    """The flow, its latent moved by the least that makes the pose of code zero symmetric.

    z = z' + m, where decode(m) is its own mirror image (Newton's method, each step of least norm),
    goes into the first bias. Mirrored data make the density nearly symmetric, but not quite; this
    costs |m|^2 / 2 nats.
    """
    prior, middle = PriorArrays(tensors, header), np.zeros(dimension(header.representation))
    sides = CENTRE_STEP * np.eye(len(middle))
    for _ in range(CENTRE_ROUNDS):
        codes = np.concatenate((middle[None], middle + sides, middle - sides))
        pose, *moved = prior.decode(codes).astype(np.float64)
        u, _, v = np.linalg.svd(pose + mirror_pose(pose))
        more, less = np.split(np.reshape(moved, (len(moved), -1)), 2)
        slopes = (more - less).T / (2 * CENTRE_STEP)
        wanted = (u @ v - pose).ravel() + slopes @ middle
        middle = np.linalg.pinv(slopes, 1e-3) @ wanted
    bias = tensors["dense.0.bias"] + tensors["dense.0.weight"] @ middle.astype(np.float32)
    return tensors | {"dense.0.bias": bias}


def extras(
    tensors: dict[str, np.ndarray], header: PriorHeader, companions: Companions
) -> dict[str, np.ndarray]:
    """The further arrays of a checkpoint, by name."""
    prior = PriorArrays(tensors, header)
    axes, shares = latent_axes(prior, default_body_arrays())
    gaussian, upright = companions.gaussian, companions.upright
    poses = companions.validation.poses
    poses = poses[:: max(1, len(poses) // CALIBRATION_POSES)]
    calibration = Calibration.of(poses, prior.log_prob, gaussian)
    return {
        "axes": axes,
        "axis_shares": shares,
        "gaussian.mean": gaussian.mean,
        "gaussian.factor": gaussian.factor,
        "unusual.body": calibration.body,
        "unusual.parts": calibration.parts,
        "upright.weight0": upright.weights[0],
        "upright.weight1": upright.weights[1],
        "upright.bias0": upright.biases[0],
        "upright.bias1": upright.biases[1],
        "upright.loose": np.array([upright.loose], np.float32),
    }
