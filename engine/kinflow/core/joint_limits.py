"""Ranges of motion of the joints, as clinicians measure them: on the total rotation between two
segments.

Degrees, after the American Academy of Orthopaedic Surgeons: flexion for the hinges (10 of
hyperextension is normal), for the others the angle of the whole rotation against the largest single
range of that joint (the neck turns by 80).
"""

import math

from .arrays import Array, Namespace
from .rotations import matrix_to_axis_angle
from .skeleton import JOINT_INDEX

HINGES = {"knee": (0, (-10, 150)), "elbow": (1, (-10, 150))}
CHAINS = {
    "trunk": (("spine1", "spine2", "spine3"), 80),
    "neck": (("neck", "head"), 80),
    "hip": (("hip",), 120),
    "shoulder": (("collar", "shoulder"), 150),
    "ankle": (("ankle",), 50),
    "wrist": (("wrist",), 80),
}
_CENTRAL = ("trunk", "neck")
MEASURES = tuple(
    CHAINS[n][0][0] if n in _CENTRAL else s + n
    for s in ("left_", "right_")
    for n in (*HINGES, *CHAINS)
    if n not in _CENTRAL or s == "left_"
)


def joint_excess(xp: Namespace, poses: Array) -> Array:
    """Radians beyond each range, negative inside. (N, 23, 3, 3) -> (N, 14), by `MEASURES`."""
    excess = []
    for side in ("left_", "right_"):
        for short, (axis, (low, high)) in HINGES.items():
            vector = matrix_to_axis_angle(xp, poses[:, JOINT_INDEX[side + short] - 1])
            # elbows bend about the vertical of the T-pose: the left one towards -y, the right one
            # towards +y
            bend = vector[:, axis] * (1 if short == "knee" or side == "right_" else -1)
            excess.append(xp.maximum(math.radians(low) - bend, bend - math.radians(high)))
        for chain, (names, limit) in CHAINS.items():
            central = chain in _CENTRAL
            if central and side == "right_":
                continue
            index = [JOINT_INDEX[name if central else side + name] - 1 for name in names]
            total = poses[:, index[0]]
            for joint in index[1:]:
                total = total @ poses[:, joint]
            angle = xp.linalg.vector_norm(matrix_to_axis_angle(xp, total), axis=-1)
            excess.append(angle - math.radians(limit))
    return xp.stack(excess, axis=-1)


def violation_rate(xp: Namespace, poses: Array) -> float:
    """Share of measured joints beyond their range. poses (N, 23, 3, 3)."""
    return float(xp.mean(xp.astype(joint_excess(xp, poses) > 0, poses.dtype)))
