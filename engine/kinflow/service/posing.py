"""Effectors -> pose."""

from typing import Any

from ..errors import InvalidInputError
from ..posing import Effector, Floor, IKResult, Pose, solve_ik
from .models import Progress, body_of, prior_of


def solve_pose(
    progress: Progress,
    effectors: list[Effector],
    start: Pose | None = None,
    body: str | None = None,
    prior: str | None = None,
    locked: Any = (),
    floor: Floor | None = None,
) -> IKResult:
    """`kinflow.solve_ik`."""
    if not isinstance(effectors, list) or not all(isinstance(e, Effector) for e in effectors):
        raise InvalidInputError("solve_ik needs a list of effectors.")
    if not isinstance(start, Pose | None) or not isinstance(floor, Floor | None):
        raise InvalidInputError("solve_ik starts from a pose, above a floor.")
    return solve_ik(
        effectors, start, body=body_of(body), prior=prior_of(prior), locked=locked, floor=floor
    )
