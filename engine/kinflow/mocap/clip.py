"""One motion clip as SMPL joint rotations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.skeleton import BODY_MIRROR


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


_FLIP = np.diag([-1.0, 1.0, 1.0])


def mirror_rotation(rotation: np.ndarray) -> np.ndarray:
    """Reflects rotations in the plane x = 0. (..., 3, 3) -> (..., 3, 3)."""
    return (_FLIP @ rotation @ _FLIP).astype(rotation.dtype)


def mirror_pose(body_pose: np.ndarray) -> np.ndarray:
    """Swaps left and right and reflects. (..., 23, 3, 3) -> (..., 23, 3, 3)."""
    return mirror_rotation(body_pose[..., list(BODY_MIRROR), :, :])
