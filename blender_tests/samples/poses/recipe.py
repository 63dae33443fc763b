"""How a pose is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

Place = tuple[float, float, float]
Angles = tuple[float, float, float]
GUIDE = 0.25  # weight of elbows, knees and chest, which only show the way
GUIDES = ("elbow", "knee", "spine3", "neck")


@dataclass(frozen=True)
class Recipe:
    """places of joints, and turns of some: rotation vectors in degrees, from the T-pose."""

    name: str
    catalog: str
    places: dict[str, Place]
    turns: dict[str, Angles] = field(default_factory=dict)
    is_in_air: bool = False


def both(joint: str, place: Place) -> dict[str, Place]:
    """A place for the left side, and its mirror image for the right."""
    x, y, z = place
    return {f"left_{joint}": place, f"right_{joint}": (-x, y, z)}


def flat(left: float = 0.0, right: float = 0.0) -> dict[str, Angles]:
    """Soles on the floor, toes turned outwards by degrees."""
    return {"left_ankle": (0, left, 0), "right_ankle": (0, -right, 0)}


UPRIGHT: dict[str, Place] = {
    "pelvis": (0, 0.965, 0),
    "neck": (0, 1.44, 0.01),
    "head": (0, 1.54, 0.05),
}
FEET = both("ankle", (0.11, 0.071, 0.0))
LEGS = FEET | both("knee", (0.11, 0.485, 0.03))
HANGING = both("wrist", (0.27, 0.9, 0.06)) | both("elbow", (0.25, 1.14, -0.03))

STANDING, MOVING, GESTURES, ACTION, LOW = (
    "Standing",
    "Moving",
    "Gestures",
    "Action",
    "Sitting and Kneeling",
)
