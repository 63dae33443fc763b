"""Where a pose starts, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core.body import NUM_BETAS
from ..core.skeleton import NUM_BODY_JOINTS
from ..errors import InvalidInputError
from ..records import NumpyArray


def _no_shape() -> NumpyArray:
    return np.zeros(NUM_BETAS)


@dataclass(frozen=True, eq=False)
class Pose:
    """body_pose (23, 3) and global_orient (3,) axis-angle, transl (3,) m, betas (10,), float64."""

    body_pose: NumpyArray
    global_orient: NumpyArray = field(default_factory=lambda: np.zeros(3))
    transl: NumpyArray = field(default_factory=lambda: np.zeros(3))
    betas: NumpyArray = field(default_factory=_no_shape)

    @staticmethod
    def of(record: Any) -> Pose:
        """Of a `FitResult`, `Hypothesis`, `IKResult` or `Pose`. Raises InvalidInputError."""
        shapes = {"body_pose": (NUM_BODY_JOINTS, 3), "global_orient": (3,), "transl": (3,)}
        shapes["betas"] = (NUM_BETAS,)
        arrays = {}
        for name, shape in shapes.items():
            value = np.array(getattr(record, name, np.zeros(shape)), np.float64)
            if value.size == np.prod(shape):
                value = value.reshape(shape)
            if value.shape != shape or not np.isfinite(value).all():
                raise InvalidInputError(f"The start's {name} should be finite, {shape}.")
            arrays[name] = value
        return Pose(**arrays)


@dataclass(frozen=True, eq=False)
class IKResult:
    """A pose in the frame of its start, float64: body_pose (23, 3) and global_orient (3,)
    axis-angle, transl (3,) m, z (D,) its code, log_prob (nats, of the prior), seconds.

    reached (E,) m: how far each effector stays from its position, 0 where it has none; turned (E,)
    radians: from its rotation, or from facing its point. joints (24, 3) m; betas (10,) are the
    start's. message: a sentence where pins cannot all hold. hypotheses: other minima, the lowest
    energy (nats) first.
    """

    body_pose: NumpyArray
    global_orient: NumpyArray
    transl: NumpyArray
    z: NumpyArray
    reached: NumpyArray
    log_prob: float
    seconds: float
    turned: NumpyArray
    joints: NumpyArray
    betas: NumpyArray
    energy: float
    message: str = ""
    hypotheses: tuple[IKResult, ...] = ()
