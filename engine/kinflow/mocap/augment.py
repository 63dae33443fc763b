"""Making little data go far: thinning, balancing, mirroring, upper bodies on other legs."""

import numpy as np

from ..core.arrays import numpy_namespace as xp
from ..core.rotations import axis_angle_to_matrix
from ..core.skeleton import HAND_JOINTS, JOINT_INDEX
from .clip import mirror_pose

MAX_TILT = 15.0  # degrees
HAND_NOISE = 0.12  # radians, isotropic: there are no data for the hands
_LEG = ("hip", "knee", "ankle", "foot")
LEG_JOINTS = [JOINT_INDEX[f"{side}_{joint}"] - 1 for side in ("left", "right") for joint in _LEG]


def thin(body_pose: np.ndarray, degrees: float = 2.0) -> np.ndarray:
    """Indices of frames whose mean joint angle to the last kept frame is at least `degrees`."""
    kept = [0]
    cosine = 1 + 2 * np.cos(np.radians(degrees))
    for index in range(1, len(body_pose)):
        trace = np.einsum("jab,jab->j", body_pose[kept[-1]], body_pose[index])
        if trace.mean() < cosine:
            kept.append(index)
    return np.array(kept)


def hand_noise(body_pose: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Isotropic noise of HAND_NOISE radians on both hand joints. (N, 23, 3, 3) -> same."""
    result = body_pose.copy()
    for joint in HAND_JOINTS:
        vectors = generator.normal(0, HAND_NOISE, (len(body_pose), 3))
        result[:, joint - 1] = axis_angle_to_matrix(xp, vectors)
    return result


def mix_bodies(
    upper: np.ndarray,
    upper_up: np.ndarray,
    lower: np.ndarray,
    lower_up: np.ndarray,
    generator: np.random.Generator,
    count: int,
) -> np.ndarray:
    """Upper bodies on the legs of other frames, where the pelvis stands alike in both.

    upper (N, 23, 3, 3) and lower (M, 23, 3, 3) poses with the world's up direction in their pelvis
    frames, upper_up (N, 3) and lower_up (M, 3). Pairs whose pelvis tilts differ by more than
    MAX_TILT are refused. Returns (at most count, 23, 3, 3).
    """
    a = generator.integers(0, len(upper), 4 * count)
    b = generator.integers(0, len(lower), 4 * count)
    alike = np.einsum("ni,ni->n", upper_up[a], lower_up[b]) > np.cos(np.radians(MAX_TILT))
    a, b = a[alike][:count], b[alike][:count]
    mixed = upper[a].copy()
    mixed[:, LEG_JOINTS] = lower[b][:, LEG_JOINTS]
    return mixed


def with_mirrors(body_pose: np.ndarray) -> np.ndarray:
    """Poses and their mirror images. (N, 23, 3, 3) -> (2N, 23, 3, 3)."""
    return np.concatenate((body_pose, mirror_pose(body_pose)))
