"""The prior of the shape: SMPL's betas are standard normal."""

from dataclasses import dataclass

from ..arrays import Array, Namespace
from ..posterior import PosedState, Quadratic


@dataclass(frozen=True)
class Shape:
    """0.5 weight |betas|^2; a shape that is shared weighs once for everybody who shares it.

    Counted once only, it would be nothing beside hundreds of keypoints, and the shape would make up
    for whatever the poses' prior holds back in all frames alike (measured: betas of 4 and 5
    sigmas).
    """

    weight: float = 1.0

    def value(self, xp: Namespace, posed: PosedState) -> Array:
        """-> (S,) nats."""
        return 0.5 * self.weight * xp.sum(posed.state.betas**2, axis=-1)

    def rows(self, xp: Namespace, posed: PosedState) -> Quadratic:
        """The quadratic itself."""
        return Quadratic(self.value(xp, posed), "betas", self.weight, posed.state.betas)
