"""What is asked of a pose: where joints should be, and the floor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.arrays import numpy_namespace as xp
from ..core.rotations import axis_angle_to_matrix
from ..core.skeleton import JOINT_INDEX, JOINT_NAMES
from ..errors import InvalidInputError
from ..records import NumpyArray

FARTHEST = 1e4  # m
Numbers = Any
"""What numpy understands: a list, a tuple, an array."""


@dataclass(frozen=True, eq=False)
class Effector:
    """A joint of SMPL's that should be at `position` (3,) m, turned by `rotation` (axis-angle (3,)
    or a matrix (3, 3), from the T-pose), or face the point `look_at` (3,) m with its front (+Z in
    the T-pose): one of them at least, in the frame of the start.

    weight: against the other effectors. pinned: held within a millimetre where the body can reach.
    Raises InvalidInputError, also for numbers that are not finite.
    """

    joint: str
    position: Numbers = None
    rotation: Numbers = None
    look_at: Numbers = None
    weight: float = 1.0
    pinned: bool = False

    def __post_init__(self) -> None:
        if self.joint not in JOINT_INDEX:
            raise InvalidInputError(
                f"There is no joint '{self.joint}'.", f"SMPL's are {', '.join(JOINT_NAMES)}."
            )
        if self.position is None and self.rotation is None and self.look_at is None:
            raise InvalidInputError(
                f"The effector on {self.joint} asks for nothing.",
                "Give a position, a rotation or a point to look at.",
            )
        for name in ("position", "look_at"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _place(getattr(self, name), name, self.joint))
        if self.rotation is not None:
            object.__setattr__(self, "rotation", _rotation(self.rotation, self.joint))
        if not (np.isfinite(self.weight) and 0 < self.weight <= 1e3):
            raise InvalidInputError(
                f"The weight of the effector on {self.joint} is {self.weight}.",
                "Give a number above 0, at most 1000.",
            )

    @property
    def index(self) -> int:
        """The joint's number."""
        return JOINT_INDEX[self.joint]


@dataclass(frozen=True, eq=False)
class Floor:
    """The plane above which soles, hands, knees and seat stay: up . p >= height (m).

    Raises InvalidInputError for numbers that are not finite, or no direction.
    """

    height: float = 0.0
    up: Numbers = (0.0, 1.0, 0.0)

    def __post_init__(self) -> None:
        up = _place(self.up, "up direction", "floor")
        length = float(np.linalg.norm(up))
        if length < 1e-6 or not np.isfinite(self.height):
            raise InvalidInputError("The floor has no height or no up direction.", "Give both.")
        object.__setattr__(self, "up", up / length)


def _place(value: Numbers, what: str, where: str) -> NumpyArray:
    try:
        place = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        place = np.zeros(0)
    if place.shape != (3,) or not np.isfinite(place).all() or np.abs(place).max() > FARTHEST:
        raise InvalidInputError(
            f"The {what} of {where} should be three finite numbers within {FARTHEST:.0f} m."
        )
    return place


def _rotation(value: Numbers, joint: str) -> NumpyArray:
    try:
        matrix = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        matrix = np.zeros(0)
    if matrix.shape == (3,) and np.isfinite(matrix).all():
        return np.asarray(axis_angle_to_matrix(xp, matrix))
    if matrix.shape == (3, 3) and np.isfinite(matrix).all():
        error = np.abs(matrix @ matrix.T - np.eye(3)).max()
        if error < 1e-3 and np.linalg.det(matrix) > 0:
            return matrix
    raise InvalidInputError(
        f"The rotation of {joint} is no axis-angle (3,) and no rotation matrix (3, 3)."
    )
