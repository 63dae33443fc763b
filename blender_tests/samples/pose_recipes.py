"""The poses that the add-on carries, as what they ask of the body: the prior does the rest.

Places are metres in the body's frame: x to its left, y up from the floor, z to its front. A pelvis
at 0.95 stands, an ankle at 0.08 has its sole on the floor.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Place = tuple[float, float, float]
Angles = tuple[float, float, float]
GUIDE = 0.25  # weight of elbows, knees and chest, which only show the way
GUIDES = ("elbow", "knee", "spine3", "neck")


@dataclass(frozen=True)
class Recipe:
    """places of joints, and turns of some: rotation vectors in degrees, from the T-pose; where a
    limb is given as `left_` alone, the other side follows by `mirrored`.
    """

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

RECIPES = (
    Recipe("Stand", STANDING, UPRIGHT | LEGS | HANGING, flat(8, 8)),
    Recipe(
        "Contrapposto",
        STANDING,
        {
            "pelvis": (-0.07, 0.955, 0.0),
            "neck": (0.0, 1.42, 0.01),
            "head": (0.02, 1.52, 0.05),
            "right_ankle": (-0.09, 0.071, 0.0),
            "right_knee": (-0.13, 0.485, 0.0),
            "left_ankle": (0.16, 0.075, 0.14),
            "left_knee": (0.12, 0.47, 0.16),
            "left_wrist": (0.3, 0.92, 0.1),
            "left_elbow": (0.27, 1.12, -0.02),
            "right_wrist": (-0.33, 0.9, 0.05),
            "right_elbow": (-0.29, 1.11, -0.03),
        },
        {"left_ankle": (4, 25, 0), "right_ankle": (0, -10, 0), "pelvis": (0, 0, -7)},
    ),
    Recipe(
        "Hands on Hips",
        STANDING,
        UPRIGHT
        | both("ankle", (0.17, 0.071, 0.0))
        | both("wrist", (0.21, 1.02, 0.06))
        | both("elbow", (0.4, 1.15, -0.06)),
        flat(12, 12),
    ),
    Recipe(
        "Arms Crossed",
        STANDING,
        UPRIGHT
        | LEGS
        | {
            "left_wrist": (-0.06, 1.2, 0.23),
            "left_elbow": (0.22, 1.14, 0.12),
            "left_hand": (-0.15, 1.23, 0.2),
            "right_wrist": (0.06, 1.15, 0.2),
            "right_elbow": (-0.22, 1.13, 0.12),
            "right_hand": (0.15, 1.17, 0.15),
        },
        flat(10, 10),
    ),
    Recipe(
        "Think",
        STANDING,
        {
            "pelvis": (0.0, 0.96, 0),
            "neck": (0, 1.43, 0.03),
            "head": (-0.01, 1.52, 0.09),
            "right_wrist": (-0.06, 1.36, 0.22),
            "right_elbow": (-0.16, 1.14, 0.2),
            "left_wrist": (-0.03, 1.1, 0.22),
            "left_elbow": (0.23, 1.12, 0.1),
            "left_hand": (-0.13, 1.1, 0.21),
        }
        | LEGS,
        flat(12, 10),
    ),
    Recipe(
        "Stand Wide",
        STANDING,
        {"pelvis": (0, 0.92, 0), "neck": (0, 1.4, 0.0), "head": (0, 1.5, 0.03)}
        | both("ankle", (0.32, 0.075, 0.0))
        | both("wrist", (0.36, 0.9, 0.08))
        | both("elbow", (0.33, 1.1, -0.04)),
        flat(18, 18),
    ),
    Recipe(
        "One Leg",
        STANDING,
        {
            "pelvis": (-0.08, 0.965, 0.0),
            "head": (-0.08, 1.54, 0.05),
            "right_ankle": (-0.09, 0.071, 0.0),
            "right_knee": (-0.1, 0.487, 0.02),
            "left_knee": (0.3, 0.72, 0.2),
            "left_ankle": (0.0, 0.53, 0.05),
        }
        | {
            "left_wrist": (-0.03, 1.25, 0.25),
            "right_wrist": (-0.13, 1.25, 0.25),
            "left_hand": (-0.06, 1.35, 0.26),
            "right_hand": (-0.1, 1.35, 0.26),
            "left_elbow": (0.2, 1.17, 0.14),
            "right_elbow": (-0.36, 1.17, 0.14),
        },
    ),
    Recipe(
        "Walk",
        MOVING,
        {
            "pelvis": (0, 0.93, 0.0),
            "neck": (0, 1.41, 0.03),
            "head": (0, 1.51, 0.08),
            "left_ankle": (0.09, 0.1, 0.33),
            "left_knee": (0.1, 0.5, 0.24),
            "right_ankle": (-0.09, 0.17, -0.4),
            "right_knee": (-0.1, 0.5, -0.08),
            "left_wrist": (0.25, 0.93, -0.22),
            "left_elbow": (0.24, 1.13, -0.13),
            "right_wrist": (-0.23, 0.99, 0.26),
            "right_elbow": (-0.25, 1.11, 0.05),
        },
        {"left_ankle": (-18, 0, 0), "right_ankle": (40, 0, 0)},
    ),
    Recipe(
        "Run",
        MOVING,
        {
            "pelvis": (0, 0.93, 0.0),
            "neck": (0, 1.37, 0.16),
            "head": (0, 1.46, 0.23),
            "left_knee": (0.1, 0.78, 0.34),
            "left_ankle": (0.09, 0.39, 0.24),
            "right_knee": (-0.1, 0.52, -0.1),
            "right_ankle": (-0.1, 0.2, -0.37),
            "left_wrist": (0.24, 1.0, -0.12),
            "left_elbow": (0.26, 1.15, -0.2),
            "right_wrist": (-0.13, 1.26, 0.38),
            "right_elbow": (-0.26, 1.12, 0.23),
        },
        {"left_ankle": (0, 0, 0), "right_ankle": (55, 0, 0)},
    ),
    Recipe(
        "Step Up",
        MOVING,
        {
            "pelvis": (0, 0.97, 0.02),
            "neck": (0, 1.41, 0.14),
            "head": (0, 1.51, 0.2),
            "left_ankle": (0.1, 0.41, 0.3),
            "left_knee": (0.12, 0.82, 0.38),
            "right_ankle": (-0.1, 0.09, -0.1),
            "right_knee": (-0.1, 0.5, 0.0),
            "left_wrist": (0.26, 0.98, -0.1),
            "right_wrist": (-0.24, 1.03, 0.32),
        },
        {"left_ankle": (0, 0, 0), "right_ankle": (10, 0, 0)},
    ),
    Recipe(
        "Jump",
        MOVING,
        {
            "pelvis": (0, 1.28, 0.0),
            "neck": (0, 1.75, 0.05),
            "head": (0, 1.85, 0.1),
        }
        | both("knee", (0.14, 0.99, 0.26))
        | both("ankle", (0.12, 0.62, 0.05))
        | both("wrist", (0.32, 2.1, 0.22))
        | both("elbow", (0.32, 1.88, 0.15)),
        {"left_ankle": (35, 0, 0), "right_ankle": (35, 0, 0)},
        is_in_air=True,
    ),
    Recipe(
        "Sneak",
        MOVING,
        {
            "pelvis": (0, 0.74, -0.05),
            "neck": (0, 1.13, 0.2),
            "head": (0, 1.2, 0.3),
            "left_ankle": (0.1, 0.071, 0.28),
            "left_knee": (0.14, 0.46, 0.4),
            "right_ankle": (-0.1, 0.16, -0.3),
            "right_knee": (-0.14, 0.4, 0.04),
            "left_wrist": (0.22, 0.95, 0.36),
            "right_wrist": (-0.2, 1.0, 0.45),
            "left_elbow": (0.3, 0.9, 0.14),
            "right_elbow": (-0.3, 0.9, 0.2),
        },
        {"left_ankle": (0, 0, 0), "right_ankle": (42, 0, 0)},
    ),
    Recipe(
        "Wave",
        GESTURES,
        UPRIGHT
        | LEGS
        | {
            "right_wrist": (-0.42, 1.66, 0.12),
            "right_elbow": (-0.41, 1.42, 0.06),
            "left_wrist": (0.27, 0.9, 0.06),
            "left_elbow": (0.25, 1.14, -0.03),
        },
        flat(8, 8),
    ),
    Recipe(
        "Point",
        GESTURES,
        UPRIGHT
        | LEGS
        | {
            "right_wrist": (-0.19, 1.4, 0.52),
            "right_elbow": (-0.2, 1.37, 0.29),
            "left_wrist": (0.27, 0.9, 0.06),
            "left_elbow": (0.25, 1.14, -0.03),
        },
        flat(8, 8),
    ),
    Recipe(
        "Reach Up",
        GESTURES,
        {
            "pelvis": (0, 1.0, 0),
            "neck": (0, 1.48, 0.0),
            "head": (0, 1.57, 0.0),
            "right_wrist": (-0.12, 1.93, 0.12),
            "right_elbow": (-0.19, 1.7, 0.08),
            "left_wrist": (0.28, 0.93, 0.05),
            "left_elbow": (0.27, 1.16, -0.03),
        }
        | both("ankle", (0.1, 0.13, 0.0)),
        {"left_ankle": (28, 0, 0), "right_ankle": (28, 0, 0)},
    ),
    Recipe(
        "Cheer",
        GESTURES,
        UPRIGHT
        | both("ankle", (0.16, 0.071, 0.0))
        | both("wrist", (0.42, 1.82, 0.1))
        | both("elbow", (0.34, 1.58, 0.06)),
        flat(10, 10),
    ),
    Recipe(
        "Shrug",
        GESTURES,
        UPRIGHT | LEGS | both("wrist", (0.42, 1.14, 0.26)) | both("elbow", (0.28, 1.15, 0.03)),
        flat(10, 10) | {"left_collar": (0, 0, 14), "right_collar": (0, 0, -14)},
    ),
    Recipe(
        "Stop",
        GESTURES,
        UPRIGHT
        | LEGS
        | {
            "right_wrist": (-0.16, 1.36, 0.47),
            "right_elbow": (-0.22, 1.28, 0.25),
            "left_wrist": (0.27, 0.9, 0.06),
            "left_elbow": (0.25, 1.14, -0.03),
        },
        flat(8, 8) | {"right_wrist": (0, 0, -90)},
    ),
    Recipe(
        "Welcome",
        GESTURES,
        UPRIGHT | LEGS | both("wrist", (0.55, 1.16, 0.3)) | both("elbow", (0.37, 1.2, 0.12)),
        flat(10, 10),
    ),
    Recipe(
        "Bow",
        GESTURES,
        {
            "pelvis": (0, 0.93, -0.12),
            "neck": (0, 1.18, 0.28),
            "head": (0, 1.17, 0.39),
            "right_wrist": (0.02, 0.97, 0.26),
            "right_elbow": (-0.22, 0.95, 0.2),
            "left_wrist": (0.24, 0.83, -0.08),
            "left_elbow": (0.25, 1.02, 0.04),
        }
        | both("ankle", (0.09, 0.071, 0.0)),
        flat(8, 8),
    ),
    Recipe(
        "Guard",
        ACTION,
        {
            "pelvis": (-0.02, 0.9, 0.0),
            "neck": (0.0, 1.36, 0.07),
            "head": (0.0, 1.45, 0.13),
            "left_ankle": (0.14, 0.071, 0.22),
            "right_ankle": (-0.17, 0.09, -0.22),
            "left_wrist": (0.12, 1.36, 0.4),
            "left_elbow": (0.2, 1.14, 0.32),
            "right_wrist": (-0.1, 1.34, 0.26),
            "right_elbow": (-0.2, 1.12, 0.16),
        },
        {"left_ankle": (0, -20, 0), "right_ankle": (10, -50, 0)},
    ),
    Recipe(
        "Punch",
        ACTION,
        {
            "pelvis": (0.0, 0.88, 0.03),
            "neck": (0.03, 1.33, 0.12),
            "head": (0.04, 1.43, 0.17),
            "left_ankle": (0.16, 0.071, 0.28),
            "right_ankle": (-0.16, 0.11, -0.3),
            "right_wrist": (0.02, 1.34, 0.6),
            "right_elbow": (-0.1, 1.32, 0.39),
            "left_wrist": (0.16, 1.28, 0.27),
            "left_elbow": (0.26, 1.08, 0.16),
        },
        {"left_ankle": (0, -10, 0), "right_ankle": (20, -30, 0)},
    ),
    Recipe(
        "Kick",
        ACTION,
        {
            "pelvis": (0.02, 0.95, 0.0),
            "neck": (0.03, 1.4, -0.1),
            "head": (0.03, 1.5, -0.08),
            "left_ankle": (0.08, 0.071, -0.03),
            "left_knee": (0.1, 0.485, 0.03),
            "right_ankle": (-0.06, 1.02, 0.76),
            "right_knee": (-0.1, 0.93, 0.37),
            "left_wrist": (0.2, 1.24, 0.24),
            "left_elbow": (0.3, 1.12, 0.04),
            "right_wrist": (-0.42, 1.06, -0.2),
            "right_elbow": (-0.3, 1.2, -0.1),
        },
        {"left_ankle": (0, 20, 0), "right_ankle": (-45, 0, 0)},
    ),
    Recipe(
        "Throw",
        ACTION,
        {
            "pelvis": (-0.02, 0.9, -0.06),
            "neck": (-0.03, 1.36, -0.1),
            "head": (-0.02, 1.46, -0.06),
            "left_ankle": (0.14, 0.1, 0.36),
            "right_ankle": (-0.15, 0.071, -0.22),
            "right_wrist": (-0.42, 1.56, -0.26),
            "right_elbow": (-0.45, 1.34, -0.18),
            "left_wrist": (0.22, 1.42, 0.4),
            "left_elbow": (0.24, 1.34, 0.17),
        },
        {"left_ankle": (-15, 0, 0), "right_ankle": (0, -50, 0)},
    ),
    Recipe(
        "Push",
        ACTION,
        {
            "pelvis": (0, 0.83, -0.06),
            "neck": (0, 1.2, 0.24),
            "head": (0, 1.27, 0.33),
            "left_ankle": (0.12, 0.071, 0.12),
            "right_ankle": (-0.13, 0.14, -0.52),
        }
        | both("wrist", (0.18, 1.2, 0.66))
        | both("elbow", (0.24, 1.1, 0.45)),
        {"left_ankle": (0, 0, 0), "right_ankle": (32, 0, 0)},
    ),
    Recipe(
        "Lunge",
        ACTION,
        {
            "pelvis": (0, 0.6, 0.0),
            "neck": (0, 1.08, 0.05),
            "head": (0, 1.18, 0.09),
            "left_ankle": (0.1, 0.071, 0.42),
            "left_knee": (0.11, 0.48, 0.42),
            "right_ankle": (-0.1, 0.13, -0.6),
            "right_knee": (-0.11, 0.25, -0.2),
        }
        | both("wrist", (0.2, 0.66, 0.06))
        | both("elbow", (0.3, 0.84, -0.06)),
        {"left_ankle": (0, 0, 0), "right_ankle": (55, 0, 0)},
    ),
    Recipe(
        "Crouch",
        LOW,
        {
            "pelvis": (0, 0.34, -0.16),
            "neck": (0, 0.73, 0.14),
            "head": (0, 0.81, 0.22),
        }
        | both("ankle", (0.13, 0.075, 0.0))
        | both("knee", (0.19, 0.47, 0.2))
        | both("wrist", (0.12, 0.46, 0.36))
        | both("hand", (0.04, 0.4, 0.39))
        | both("elbow", (0.25, 0.55, 0.18)),
        flat(15, 15),
    ),
    Recipe(
        "Kneel",
        LOW,
        {
            "pelvis": (0, 0.55, -0.03),
            "neck": (0, 1.02, 0.0),
            "head": (0, 1.12, 0.04),
            "left_ankle": (0.12, 0.071, 0.38),
            "left_knee": (0.12, 0.48, 0.37),
            "right_knee": (-0.11, 0.08, -0.02),
            "right_ankle": (-0.11, 0.1, -0.44),
            "left_wrist": (0.16, 0.57, 0.33),
            "left_elbow": (0.27, 0.75, 0.16),
            "right_wrist": (-0.27, 0.5, 0.05),
            "right_elbow": (-0.26, 0.74, -0.03),
        },
        {"left_ankle": (0, 5, 0), "right_ankle": (70, 0, 0)},
    ),
    Recipe(
        "Sit on Chair",
        LOW,
        {
            "pelvis": (0, 0.53, -0.1),
            "neck": (0, 1.0, -0.08),
            "head": (0, 1.1, -0.04),
        }
        | both("ankle", (0.12, 0.071, 0.32))
        | both("knee", (0.13, 0.48, 0.31))
        | both("wrist", (0.15, 0.57, 0.22))
        | both("elbow", (0.25, 0.71, 0.03)),
        flat(8, 8),
    ),
    Recipe(
        "Sit on Floor",
        LOW,
        {
            "pelvis": (0, 0.11, -0.3),
            "neck": (0, 0.56, -0.16),
            "head": (0, 0.66, -0.1),
        }
        | both("ankle", (0.12, 0.075, 0.3))
        | both("knee", (0.14, 0.44, 0.12))
        | both("wrist", (0.13, 0.36, 0.25))
        | both("hand", (0.04, 0.33, 0.29))
        | both("elbow", (0.26, 0.36, 0.03)),
        flat(5, 5),
    ),
    Recipe(
        "All Fours",
        LOW,
        {
            "pelvis": (0, 0.5, -0.28),
            "neck": (0, 0.6, 0.24),
            "head": (0, 0.62, 0.34),
        }
        | both("knee", (0.12, 0.07, -0.27))
        | both("ankle", (0.12, 0.08, -0.68))
        | both("wrist", (0.19, 0.07, 0.2))
        | both("elbow", (0.2, 0.3, 0.2)),
        {"pelvis": (80, 0, 0), "left_ankle": (85, 0, 0), "right_ankle": (85, 0, 0)},
    ),
    Recipe(
        "Pick Up",
        LOW,
        {
            "pelvis": (0, 0.7, -0.22),
            "neck": (0, 0.86, 0.22),
            "head": (0, 0.86, 0.33),
            "right_wrist": (-0.05, 0.2, 0.4),
            "right_elbow": (-0.17, 0.42, 0.31),
            "left_wrist": (0.17, 0.56, 0.15),
            "left_elbow": (0.26, 0.68, 0.02),
        }
        | both("ankle", (0.13, 0.071, 0.0))
        | both("knee", (0.16, 0.46, 0.15)),
        flat(10, 10),
    ),
)
