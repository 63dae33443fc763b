"""AMASS-style .npz -> SMPL joint rotations."""

import os
from pathlib import Path

import numpy as np

from ..core.arrays import numpy_namespace as xp
from ..core.rotations import axis_angle_to_matrix
from ..errors import AssetError
from ..userfiles import read_npz
from .clip import Clip, check_frames

MAX_MB = 1024
_FIELDS = ("poses", "trans", "mocap_framerate", "mocap_frame_rate")
_HINT = "Give an AMASS .npz file."


def read_amass(path: str | os.PathLike) -> Clip:
    """Reads `poses` (T, >= 66) axis-angle, `trans` (T, 3), `mocap_framerate`; hands stay at rest.

    AMASS is Z up; the root is turned so that Y is up. Raises AssetError naming the field.
    """
    fields = read_npz(path, MAX_MB, _FIELDS, _HINT)
    poses = fields.get("poses", np.zeros(0))
    frames = len(poses) if poses.ndim == 2 and poses.shape[1] >= 66 else 0
    if not frames or not np.isfinite(poses).all():
        why = f"{path}: field 'poses' should be finite, of shape (frames, at least 66)."
        raise AssetError(why, _HINT)
    check_frames(path, frames, 24)
    transl = fields.get("trans", np.zeros((frames, 3))).astype(np.float64)
    if transl.shape != (frames, 3) or not np.isfinite(transl).all():
        raise AssetError(f"{path}: field 'trans' should be finite, of shape ({frames}, 3).", _HINT)
    rate = fields.get("mocap_framerate", fields.get("mocap_frame_rate", np.array(120.0)))
    if rate.size != 1 or not 0 < float(rate.ravel()[0]) < 1e5:
        raise AssetError(f"{path}: field 'mocap_framerate' is no number of frames a second.", _HINT)
    vectors = poses[:, :66].astype(np.float64).reshape(frames, 22, 3)
    if np.abs(vectors).max() > 1e3:
        raise AssetError(f"{path}: field 'poses' holds angles that make no sense.", _HINT)
    rotations = np.tile(np.eye(3), (frames, 24, 1, 1))
    rotations[:, :22] = axis_angle_to_matrix(xp, vectors)
    to_y_up = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    root, fps = to_y_up @ rotations[:, 0], float(rate.ravel()[0])
    return Clip(Path(path).stem, fps, root, rotations[:, 1:], transl @ to_y_up.T)
