"""Limbs by name: which keypoints show them, and which joints move them."""

from collections.abc import Iterable

from kinflow.core.skeleton import JOINT_NAMES

LIMBS = ("left_arm", "right_arm", "left_leg", "right_leg", "head")
_KEYPOINTS = {
    "arm": ("elbow", "wrist", "pinky", "index", "thumb"),
    "leg": ("knee", "ankle", "heel", "toe"),
}
_JOINTS = {
    "arm": ("collar", "shoulder", "elbow", "wrist", "hand"),
    "leg": ("hip", "knee", "ankle", "foot"),
}
_FOLLOWERS = {"wrist": ("pinky", "index", "thumb"), "ankle": ("heel", "toe", "foot_index")}
_FACE = ("nose", "eye", "ear", "mouth")


def label(limb: str) -> str:
    """As a panel shows it."""
    return limb.replace("_", " ").title()


def shows(limb: str, keypoint: str) -> bool:
    """Whether a keypoint belongs to a limb."""
    side, _, part = limb.partition("_")
    if limb == "head":
        return any(word in keypoint for word in _FACE)
    if not keypoint.startswith(side):
        return False
    # BlazePose calls the toes' tip foot_index
    if "foot" in keypoint:
        return part == "leg"
    return any(word in keypoint for word in _KEYPOINTS[part])


def are_all_off(used: Iterable[str]) -> bool:
    """Whether the keypoints that a fit may use, by name, show no limb at all."""
    return not any(shows(limb, name) for name in used for limb in LIMBS)


def joints(limb: str) -> list[int]:
    """Indices into body_pose (0..22) of a limb's joints."""
    if limb == "head":
        wanted = {"neck", "head"}
    else:
        side, _, part = limb.partition("_")
        wanted = {f"{side}_{name}" for name in _JOINTS[part]}
    return [i for i, name in enumerate(JOINT_NAMES[1:]) if name in wanted]


def follows(keypoint: str, moved: str) -> bool:
    """Whether a keypoint goes along when another is moved: left behind it would outvote it.

    Fingers go with the wrist, toes and heel with the ankle, the face with the nose.
    """
    if moved == "nose":
        return keypoint != "nose" and shows("head", keypoint)
    side, _, part = moved.partition("_")
    followers = _FOLLOWERS.get(part, ())
    is_of_part = ("foot" in keypoint) <= (part == "ankle")
    return is_of_part and keypoint.startswith(side) and any(w in keypoint for w in followers)
