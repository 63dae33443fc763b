"""One motion clip as SMPL joint rotations."""

import os
from dataclasses import dataclass

import numpy as np

from ..core.arrays import numpy_namespace as xp
from ..core.rotations import euler_to_matrix, skew
from ..core.skeleton import BODY_MIRROR, JOINT_INDEX, NUM_JOINTS, PARENTS
from ..errors import AssetError
from ..userfiles import check_size

MAX_FRAMES = 1_000_000
MAX_MATRICES_MB = 1024
LIMBS = ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist")


@dataclass(frozen=True)
class Clip:
    """Rotations relative to the T-pose, local to the parent.

    global_orient (T, 3, 3), body_pose (T, 23, 3, 3), transl (T, 3) in metres; fps in Hz.
    """

    name: str
    fps: float
    global_orient: np.ndarray
    body_pose: np.ndarray
    transl: np.ndarray

    def __len__(self) -> int:
        return len(self.body_pose)


def check_frames(path: str | os.PathLike, frames: int, joints: int) -> None:
    """Raises AssetError where the rotations of a clip would fill too much memory."""
    if frames > MAX_FRAMES:
        raise AssetError(f"{path} has more than {MAX_FRAMES} frames.", "Cut the clip in pieces.")
    check_size(72 * frames * joints, MAX_MATRICES_MB, f"{path}, as rotations,")


def local_rotations(world: dict[str, np.ndarray], frames: int) -> np.ndarray:
    """Rotations by SMPL joint name in the world, each (T, 3, 3) -> local ones (T, 24, 3, 3).

    A joint that is not there stays at rest on its parent.
    """
    by_joint = {JOINT_INDEX[name]: rotation for name, rotation in world.items()}
    result = np.tile(np.eye(3), (frames, NUM_JOINTS, 1, 1))
    result[:, 0] = by_joint[0]
    for joint in range(1, NUM_JOINTS):
        parent = by_joint[PARENTS[joint]]
        result[:, joint] = np.swapaxes(parent, -1, -2) @ by_joint.setdefault(joint, parent)
    return result


def euler_degrees(angles: np.ndarray, order: str) -> np.ndarray:
    """Euler angles in degrees, however many turns -> rotations. (..., n) -> (..., 3, 3)."""
    return euler_to_matrix(xp, np.radians(np.remainder(angles, 360.0)), order)


def shortest_rotation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """From one unit direction (3,) to another that is not opposite. -> (3, 3)."""
    cross = skew(xp, np.cross(a, b))
    return np.eye(3) + cross + cross @ cross / (1 + a @ b)


def limbs_map(names: tuple[str, ...], left: str, right: str) -> dict[str, str]:
    """Joints of both sides, named by a prefix and the file's names for LIMBS -> SMPL's."""
    return {
        f"{prefix}{name}": f"{side}_{joint}"
        for prefix, side in ((left, "left"), (right, "right"))
        for name, joint in zip(names, LIMBS, strict=True)
    }


def mirror_pose(body_pose: np.ndarray) -> np.ndarray:
    """Swaps left and right, reflected in the plane x = 0. (..., 23, 3, 3) -> (..., 23, 3, 3)."""
    flip = np.diag([-1.0, 1.0, 1.0])
    return (flip @ body_pose[..., list(BODY_MIRROR), :, :] @ flip).astype(body_pose.dtype)
