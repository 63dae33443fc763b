"""Shoulder motion shared between collar and upper arm, as in real shoulders.

Capture models such as CMU's keep the clavicles rigid, so all shoulder motion shows in the upper arm
and a flow trained on it would learn a spike at zero. The scapulohumeral rhythm (Inman 1944; Ludewig
2009: the clavicle elevates by about 10 degrees, retracts and protracts by about 15, over the arm's
range) gives each arm direction a collar rotation; the arm's rotation in the body stays exactly what
was captured.
"""

import numpy as np

from ..core.arrays import numpy_namespace as xp
from ..core.rotations import axis_angle_to_matrix
from ..core.skeleton import JOINT_INDEX

RAISED_SHARE = 0.28
LOWERED_SHARE = 0.08
FORWARD_SHARE = 0.18


def collar_rotation(arm: np.ndarray, sign: float) -> np.ndarray:
    """Collar rotation for the upper arm's rotation in the chest. (..., 3, 3) -> (..., 3, 3).

    sign: +1 for the left arm (rests along +x), -1 for the right.
    """
    direction = arm[..., 0] * sign
    axis = np.cross(np.array([sign, 0.0, 0.0]), direction)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine, direction[..., :1] * sign)
    # opposite to rest the axis is ill-defined: the share fades with the sine, without a jump
    swing = axis / np.maximum(sine, 1e-9) * np.minimum(angle, np.pi - angle + 0.6 * sine)
    elevation = swing[..., 2] * sign
    blend = 1 / (1 + np.exp(-elevation / 0.3))
    share = LOWERED_SHARE + (RAISED_SHARE - LOWERED_SHARE) * blend
    forward, raised = FORWARD_SHARE * swing[..., 1], share * elevation * sign
    return axis_angle_to_matrix(xp, np.stack((np.zeros_like(raised), forward, raised), -1))


def share_shoulder_motion(body_pose: np.ndarray) -> np.ndarray:
    """Moves a share of each upper arm's swing into its collar. (..., 23, 3, 3) -> same shape.

    collar @ shoulder is unchanged, so every joint from the elbow down keeps its rotation in the
    chest.
    """
    result = body_pose.copy()
    for side, sign in (("left", 1.0), ("right", -1.0)):
        collar, shoulder = JOINT_INDEX[f"{side}_collar"] - 1, JOINT_INDEX[f"{side}_shoulder"] - 1
        total = body_pose[..., collar, :, :] @ body_pose[..., shoulder, :, :]
        rotation = collar_rotation(total, sign)
        result[..., collar, :, :] = rotation
        result[..., shoulder, :, :] = np.swapaxes(rotation, -1, -2) @ total
    return result
