"""AMASS-style .npz -> SMPL joint rotations."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from ..errors import AssetError
from ..rotations_np import axis_angle_to_matrix
from .clip import Clip


def read_amass(path: str | Path) -> Clip:
    """Reads `poses` (T, >= 66) axis-angle, `trans` (T, 3), `mocap_framerate`; hands stay at rest.

    AMASS is Z up; the root is turned so that Y is up. Raises AssetError naming the field. Never unpickles.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            fields = {
                k: data[k]
                for k in ("poses", "trans", "mocap_framerate", "mocap_frame_rate")
                if k in data
            }
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise AssetError(f"Cannot read {path}: {error}.", "Give an AMASS .npz file.") from error
    poses = fields.get("poses")
    if (
        poses is None
        or poses.ndim != 2
        or poses.shape[1] < 66
        or not len(poses)
        or not np.isfinite(poses).all()
    ):
        raise AssetError(f"{path}: field 'poses' should be finite, of shape (frames, at least 66).")
    frames = len(poses)
    transl = fields.get("trans", np.zeros((frames, 3)))
    if transl.shape != (frames, 3) or not np.isfinite(transl).all():
        raise AssetError(f"{path}: field 'trans' should be finite, of shape ({frames}, 3).")
    fps = float(fields.get("mocap_framerate", fields.get("mocap_frame_rate", 120.0)))
    rotations = np.tile(np.eye(3), (frames, 24, 1, 1))
    rotations[:, :22] = axis_angle_to_matrix(
        poses[:, :66].reshape(frames, 22, 3).astype(np.float64)
    )
    to_y_up = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    return Clip(
        Path(path).stem, fps, to_y_up @ rotations[:, 0], rotations[:, 1:], transl @ to_y_up.T
    )
