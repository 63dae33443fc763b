"""Taking joints to far places in steps that a pull can follow (numpy only)."""

from dataclasses import dataclass, replace

import numpy as np

from kinflow.posing import Effector, IKResult, Pull

LEAST_STRIDE = 0.001  # m


@dataclass(frozen=True)
class Patience:
    """Solves at most, the longest step (m), and how near is near enough (m)."""

    solves: int
    stride: float
    near: float


# of a mouse move, of a script, of what happens at once
LIVE = Patience(2, 0.05, 0.01)
WHOLE = Patience(300, 0.02, 0.0005)
AT_ONCE = Patience(24, 0.05, 0.0005)


def approach(pull: Pull, goals: list[Effector], patience: Patience) -> IKResult:
    """Takes joints towards their places, in smaller steps where the solver gets nowhere.

    Raises InvalidInputError.
    """
    index, places = [goal.index for goal in goals], np.stack([goal.position for goal in goals])
    stride = patience.stride
    for _ in range(patience.solves):
        way = places - pull.joints[index]
        far = _longest(way)
        stride = min(stride, max(far, LEAST_STRIDE))
        share = min(1.0, stride / max(far, LEAST_STRIDE))
        steps = places - (1 - share) * way
        asked = [replace(goal, position=step) for goal, step in zip(goals, steps, strict=True)]
        result = pull.move(asked)
        left = _longest(places - result.joints[index])
        if left <= patience.near:
            break
        if far - left < 0.2 * share * far:
            stride /= 4
        if stride < LEAST_STRIDE:
            break
    return result


def arrive(pull: Pull, goals: list[Effector], patience: Patience) -> IKResult:
    """`approach`; what is still missing then is said of the places themselves."""
    result = approach(pull, goals, patience)
    index, places = [goal.index for goal in goals], np.stack([goal.position for goal in goals])
    if _longest(places - result.joints[index]) > patience.near:
        result = pull.move(goals)
    return result


def _longest(ways: np.ndarray) -> float:
    return float(np.linalg.norm(ways, axis=-1).max())
