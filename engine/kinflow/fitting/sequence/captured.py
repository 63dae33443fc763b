"""How smoothly captured people move: scales of `core.terms.smoothness`, joint by joint.

Of 84,711 accelerations of the training performers at 30 frames a second, printed by
`python -m benchmarks.motion_scales`. Joints that the capture keeps rigid move as little as any.
"""

import numpy as np

from ...core.skeleton import JOINT_INDEX, NUM_JOINTS

FPS = 30.0  # of the scales
_SIDED = {"hip": 0.0102, "knee": 0.0047, "ankle": 0.0087, "foot": 0.0124, "collar": 0.003}
_SIDED |= {"shoulder": 0.0126, "elbow": 0.0089, "wrist": 0.0174, "hand": 0.01}
_MIDDLE = {"pelvis": 0.0069, "spine1": 0.0066, "spine2": 0.004, "spine3": 0.0048}
_MIDDLE |= {"neck": 0.0064, "head": 0.0068}
_PLACE = 0.0011  # m


def captured_scales() -> np.ndarray:
    """Of all joints in SMPL's order, and of the place in m. -> (25,)."""
    scales = np.full(NUM_JOINTS + 1, _PLACE)
    for name, scale in _MIDDLE.items():
        scales[JOINT_INDEX[name]] = scale
    for name, scale in _SIDED.items():
        for side in ("left", "right"):
            scales[JOINT_INDEX[f"{side}_{name}"]] = scale
    return scales
