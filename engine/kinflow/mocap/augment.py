"""Making little data go far: thinning, mirroring, limbs of other poses."""

import numpy as np

from ..core.arrays import numpy_namespace as xp
from ..core.rotations import axis_angle_to_matrix
from ..core.skeleton import HAND_JOINTS, JOINT_INDEX
from .clip import mirror_pose

HAND_NOISE = 0.12  # radians, isotropic: there are no data for the hands
_LEG = ("hip", "knee", "ankle", "foot")
_ARM = ("collar", "shoulder", "elbow", "wrist", "hand")
LIMBS = {
    f"{side} {limb}": tuple(JOINT_INDEX[f"{side}_{joint}"] - 1 for joint in joints)
    for limb, joints in (("leg", _LEG), ("arm", _ARM))
    for side in ("left", "right")
}
"""Body joints (0 to 22) of the limbs that recombination exchanges."""


def thin(body_pose: np.ndarray, degrees: float = 2.0) -> np.ndarray:
    """Indices of frames whose mean joint angle to the last kept frame is at least `degrees`."""
    kept = [0]
    cosine = 1 + 2 * np.cos(np.radians(degrees))
    flat = body_pose.reshape(len(body_pose), -1)
    for index in range(1, len(flat)):
        if flat[kept[-1]] @ flat[index] < cosine * body_pose.shape[1]:
            kept.append(index)
    return np.array(kept)


def hand_noise(body_pose: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Isotropic noise of HAND_NOISE radians on both hand joints. (N, 23, 3, 3) -> same."""
    result = body_pose.copy()
    for joint in HAND_JOINTS:
        result[:, joint - 1] = axis_angle_to_matrix(
            xp, generator.normal(0, HAND_NOISE, (len(body_pose), 3))
        )
    return result


def recombined(vectors: np.ndarray, others: np.ndarray, take: np.ndarray) -> np.ndarray:
    """Poses with limbs of others: limb k of row n from others[k, n] where take[k, n].

    vectors (N, D) in any representation, others (4, N, D), take (4, N) bool -> (N, D).
    """
    result = vectors.reshape(len(vectors), 23, -1).copy()
    for joints, other, chosen in zip(LIMBS.values(), others, take, strict=True):
        rows = np.flatnonzero(chosen)[:, None]
        result[rows, list(joints)] = other.reshape(result.shape)[rows, list(joints)]
    return result.reshape(vectors.shape)


def with_mirrors(body_pose: np.ndarray) -> np.ndarray:
    """Poses and their mirror images. (N, 23, 3, 3) -> (2N, 23, 3, 3)."""
    return np.concatenate((body_pose, mirror_pose(body_pose)))
