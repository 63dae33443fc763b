"""The one conversion between the engine's frames and Blender's (numpy only)."""

import numpy as np

# SMPL's body frame (Y up, facing +Z) -> Blender's (Z up, facing -Y).
BODY_TO_BLENDER = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
# OpenCV's camera frame (x right, y down, z forward) -> Blender's world with the camera level,
# looking along +Y.
CAMERA_TO_BLENDER = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


def body_points(points: np.ndarray) -> np.ndarray:
    """Body frame -> Blender. (..., 3) m."""
    return points @ BODY_TO_BLENDER.T


def camera_points(points: np.ndarray, camera_height: float) -> np.ndarray:
    """Camera frame -> Blender's world, the camera `camera_height` above the ground. (..., 3) m."""
    return points @ CAMERA_TO_BLENDER.T + np.array([0.0, 0.0, camera_height])


def body_rotation(rotation: np.ndarray) -> np.ndarray:
    """A rotation in body axes -> the same in Blender's. (..., 3, 3)."""
    return BODY_TO_BLENDER @ rotation @ BODY_TO_BLENDER.T


def from_body_rotation(rotation: np.ndarray) -> np.ndarray:
    """Undoes `body_rotation`."""
    return BODY_TO_BLENDER.T @ rotation @ BODY_TO_BLENDER


def root_rotation(global_orient: np.ndarray) -> np.ndarray:
    """Root rotation in the camera frame -> of the T-posed Blender body in the world. (3, 3)."""
    return CAMERA_TO_BLENDER @ global_orient @ BODY_TO_BLENDER.T
