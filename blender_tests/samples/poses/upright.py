"""Who stands, and gestures."""

from .recipe import GESTURES, HANGING, LEGS, STANDING, UPRIGHT, Recipe, both, flat

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
)
