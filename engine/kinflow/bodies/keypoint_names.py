"""Names of the keypoint sets, in their order, and the lines that drawings join."""

from collections.abc import Sequence

_COCO17 = """
nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow
left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle
"""
COCO17 = tuple(_COCO17.split())
_BLAZEPOSE33 = """
nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear
right_ear mouth_left mouth_right left_shoulder right_shoulder left_elbow right_elbow left_wrist
right_wrist left_pinky right_pinky left_index right_index left_thumb right_thumb left_hip
right_hip left_knee right_knee left_ankle right_ankle left_heel right_heel left_foot_index
right_foot_index
"""
BLAZEPOSE33 = tuple(_BLAZEPOSE33.split())
_BODY25 = """
nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist mid_hip
right_hip right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear
left_ear left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel
"""
BODY25 = tuple(_BODY25.split())
NAMES = {"coco17": COCO17, "blazepose33": BLAZEPOSE33, "body25": BODY25}

# of each side; the nose of both
_LINES = """
shoulder-elbow elbow-wrist shoulder-hip hip-knee knee-ankle ankle-heel heel-foot_index heel-big_toe
wrist-index nose-eye eye-ear
"""


def edges(keypoint_set: str) -> list[tuple[int, int]]:
    """Pairs of keypoints that a drawing joins."""
    names = NAMES[keypoint_set]
    pairs = [("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")]
    for side in ("left", "right"):
        lines = (line.split("-") for line in _LINES.split())
        pairs += [(a if a == "nose" else f"{side}_{a}", f"{side}_{b}") for a, b in lines]
    return [(names.index(a), names.index(b)) for a, b in pairs if a in names and b in names]


def partners(names: Sequence[str]) -> list[int]:
    """Index of each keypoint's partner on the other side of the body; its own where it has none."""
    sides = {"left": "right", "right": "left"}
    others = ["_".join(sides.get(word, word) for word in name.split("_")) for name in names]
    return [list(names).index(o) if o in names else i for i, o in enumerate(others)]
