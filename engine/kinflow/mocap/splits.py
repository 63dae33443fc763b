"""The fixed split of the CMU clips, by trial, with no neighbours of one motion on both sides.

Validation clips stand between training and test trials of the same subject where there are such; a
clip that is listed nowhere is for training. Upper-body clips are for training only.
"""

import re

TEST = (
    r"01_12|01_13[a-d]|01_14[ab]|02_05|02_06|05_01|06_1[024]|07_1[012]|08_02|directing_traffic_4|"
    r"jumping_5|jumping_test_1|soccer_[45]|running_5|running_test_1|walking_(4[5-9]|5\d)|"
    r"walking_test_2\d"
)
VALIDATION = (
    r"01_11[ab]|02_04|06_0[89]|07_0[89]|jumping_4|soccer_3|running_4|walking_4[1-3]|"
    r"walking_test_1[67-9]|basketball_signal_5"
)
FAMILIES = {
    **{"climb": r"01_", "walk": r"02_0[12]|05_01|07_|08_|walking_", "run": r"02_03|running_"},
    **{"jump": r"02_04|jumping_", "punch": r"02_05", "scoop": r"02_06", "sword": r"02_0[89]"},
    **{"wash": r"02_10", "uneven": r"03_", "dance": r"05_", "dribble": r"06_"},
    **{"signal": r"basketball_signal", "traffic": r"directing", "soccer": r"soccer"},
}


def split_of(name: str) -> str:
    """'test', 'validation' or 'train' for a clip's name."""
    for split, pattern in (("test", TEST), ("validation", VALIDATION)):
        if re.fullmatch(pattern, name):
            return split
    return "train"


def family_of(name: str) -> str:
    """The kind of motion, for balancing."""
    return next(
        (family for family, pattern in FAMILIES.items() if re.match(pattern, name)), "other"
    )
