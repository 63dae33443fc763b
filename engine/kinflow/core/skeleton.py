"""SMPL's 24 joints: names, parents, mirror pairs (no imports)."""

_JOINT_NAMES = """
pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3
left_foot right_foot neck left_collar right_collar head left_shoulder right_shoulder left_elbow
right_elbow left_wrist right_wrist left_hand right_hand
"""
JOINT_NAMES = tuple(_JOINT_NAMES.split())
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
UP = (0, *PARENTS[1:])  # each joint's parent; the root's is itself
NUM_JOINTS = len(JOINT_NAMES)
NUM_BODY_JOINTS = NUM_JOINTS - 1
JOINT_INDEX = {name: index for index, name in enumerate(JOINT_NAMES)}


def _mirror_name(name: str) -> str:
    if name.startswith("left_"):
        return "right_" + name[5:]
    return "left_" + name[6:] if name.startswith("right_") else name


MIRROR = tuple(JOINT_INDEX[_mirror_name(name)] for name in JOINT_NAMES)
BODY_MIRROR = tuple(MIRROR[index + 1] - 1 for index in range(NUM_BODY_JOINTS))
HAND_JOINTS = (JOINT_INDEX["left_hand"], JOINT_INDEX["right_hand"])
METRIC_JOINTS = tuple(index for index in range(NUM_JOINTS) if index not in HAND_JOINTS)
