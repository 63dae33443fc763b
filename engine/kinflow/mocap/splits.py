"""The fixed split of the CMU clips, by trial, with no neighbours of one motion on both sides.

Validation clips stand between training and test trials of the same subject where there are such; a
clip that is listed nowhere is for training. Upper-body clips are for training only.
"""

from __future__ import annotations

import re

TEST = (
    r"01_12",
    r"01_13[a-d]",
    r"01_14[ab]",
    r"02_05",
    r"02_06",
    r"05_01",
    r"06_1[024]",
    r"07_1[012]",
    r"08_02",
    r"directing_traffic_4",
    r"jumping_5",
    r"jumping_test_1",
    r"soccer_[45]",
    r"running_5",
    r"running_test_1",
    r"walking_(4[5-9]|5\d)",
    r"walking_test_2\d",
)
VALIDATION = (
    r"01_11[ab]",
    r"02_04",
    r"06_0[89]",
    r"07_0[89]",
    r"jumping_4",
    r"soccer_3",
    r"running_4",
    r"walking_4[1-3]",
    r"walking_test_1[67-9]",
    r"basketball_signal_5",
)
FAMILIES = (
    ("climb", r"01_"),
    ("walk", r"02_0[12]|05_01|07_|08_|walking_"),
    ("run", r"02_03|running_"),
    ("jump", r"02_04|jumping_"),
    ("punch", r"02_05"),
    ("scoop", r"02_06"),
    ("sword", r"02_0[89]"),
    ("wash", r"02_10"),
    ("uneven", r"03_"),
    ("dance", r"05_"),
    ("dribble", r"06_"),
    ("signal", r"basketball_signal"),
    ("traffic", r"directing"),
    ("soccer", r"soccer"),
)


def split_of(name: str) -> str:
    """'test', 'validation' or 'train' for a clip's name."""
    for split, patterns in (("test", TEST), ("validation", VALIDATION)):
        if any(re.fullmatch(pattern, name) for pattern in patterns):
            return split
    return "train"


def family_of(name: str) -> str:
    """The kind of motion, for balancing."""
    return next((family for family, pattern in FAMILIES if re.match(pattern, name)), "other")
