"""Sitting, kneeling, near the floor."""

from .recipe import LOW, Recipe, both, flat

RECIPES = (
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
