"""The 14 semantic body parts, one label a vertex, used everywhere (numpy only). 0 is background."""

import numpy as np

from ..core.skeleton import JOINT_INDEX

_PART_NAMES = """
none head torso left_upper_arm right_upper_arm left_forearm right_forearm left_hand right_hand
left_thigh right_thigh left_shin right_shin left_foot right_foot
"""
PART_NAMES = tuple(_PART_NAMES.split())
NUM_PARTS = len(PART_NAMES) - 1
_OF_JOINT = {
    **{"head": "head", "shoulder": "upper_arm", "elbow": "forearm", "wrist": "hand"},
    **{"hand": "hand", "hip": "thigh", "knee": "shin", "ankle": "foot", "foot": "foot"},
}


def joint_part(name: str) -> int:
    """Part that a joint's vertices belong to."""
    side, _, short = name.rpartition("_")
    part = _OF_JOINT.get(short, "torso")
    return PART_NAMES.index(f"{side}_{part}" if f"{side}_{part}" in PART_NAMES else part)


def label_vertices(
    v_template: np.ndarray, lbs_weights: np.ndarray, joints: np.ndarray
) -> np.ndarray:
    """Label of each vertex: the part of the joint that moves it most. (V, 3), (V, 24), (24, 3) ->
    (V,) uint8.

    The neck is torso below its middle and head above.
    """
    table = np.array([joint_part(name) for name in JOINT_INDEX], np.uint8)
    parts = np.zeros((len(v_template), NUM_PARTS + 1))
    np.add.at(parts.T, table, lbs_weights.T)
    labels = parts.argmax(1).astype(np.uint8)
    neck = lbs_weights[:, JOINT_INDEX["neck"]] > 0.3
    middle = 0.5 * (joints[JOINT_INDEX["neck"], 1] + joints[JOINT_INDEX["head"], 1])
    labels[neck & (v_template[:, 1] > middle)] = PART_NAMES.index("head")
    return labels
