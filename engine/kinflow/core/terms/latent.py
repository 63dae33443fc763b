"""The prior of the pose: its latent is standard normal."""

from dataclasses import dataclass

from ..arrays import Array, Namespace
from ..posterior import PosedState, Quadratic


@dataclass(frozen=True)
class Latent:
    """0.5 weight |z|^2."""

    weight: float = 1.0

    def value(self, xp: Namespace, posed: PosedState) -> Array:
        """-> (S,) nats."""
        return 0.5 * self.weight * xp.sum(posed.state.z**2, axis=-1)

    def rows(self, xp: Namespace, posed: PosedState) -> Quadratic:
        """The quadratic itself."""
        return Quadratic(self.value(xp, posed), "z", self.weight, posed.state.z)
