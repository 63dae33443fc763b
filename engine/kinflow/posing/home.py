"""What draws a pull back: the pose at its start, and, the further it goes, the prior."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.arrays import numpy_namespace as xp
from ..core.posterior import State, Term
from ..core.rotations import axis_angle_to_matrix
from ..core.terms.latent import Latent
from ..core.terms.nearness import Near
from ..priors.arrays import PosePrior
from ..records import NumpyArray
from .effectors import Effector
from .problem import Weights, state_of
from .states import Pose

FAR = 0.2  # m that an effector goes until the prior has most of its say


@dataclass(frozen=True, eq=False)
class Home:
    """The start of a pull as a state of one row, and its joints (24, 3) m."""

    weights: Weights
    state: State
    joints: NumpyArray

    def terms(self, effectors: Sequence[Effector]) -> tuple[Term, ...]:
        """Nearness to the start, and the prior by how far effectors are from where they were.

        The prior's share is 1 - exp(-(d / FAR)^2): nothing changes where nothing is pulled, and
        what is pulled back is as it was.
        """
        near = nearness(self.weights, self.state)
        relax = self.weights.relax * (1 - math.exp(-((self.gone(effectors) / FAR) ** 2)))
        return (*near, Latent(relax, self.weights.volume)) if relax > 0 else near

    def gone(self, effectors: Sequence[Effector]) -> float:
        """How far the furthest effector is from its place at the start, m."""
        return max((self.apart(e) for e in effectors), default=0.0)

    def apart(self, effector: Effector) -> float:
        """How far an effector is from its place at the start, m; 0 where it has none."""
        if effector.position is None:
            return 0.0
        return float(np.linalg.norm(effector.position - self.joints[effector.index]))


def encoded(prior: PosePrior, pose: Pose) -> State:
    """A pose as a state of one row."""
    z = prior.encode(axis_angle_to_matrix(xp, pose.body_pose)[None]).astype(np.float64)
    return state_of(z, axis_angle_to_matrix(xp, pose.global_orient)[None], pose.transl[None])


def nearness(weights: Weights, state: State, factor: float = 1.0) -> tuple[Term, ...]:
    """Of pose, turn and place to a state's."""
    return (
        Near(factor * weights.near, state.z),
        Near(factor * weights.near_turn, state.root, "root"),
        Near(factor * weights.near_place, state.transl, "transl"),
    )
