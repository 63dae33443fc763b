"""The prior of the pose: its latent is standard normal."""

from dataclasses import dataclass

from ..arrays import Array, Namespace
from ..posterior import PosedState, Quadratic


@dataclass(frozen=True)
class Latent:
    """weight (0.5 |z|^2 + volume log|det dx/dz|): with volume 0 the paper's, with 1 the negative
    log-density of the pose x.

    Where a flow stretches space, codes near 0 may be poses that nobody strikes: no sample of a
    training lies there, and |z| alone does not tell.
    """

    weight: float = 1.0
    volume: float = 0.0

    def value(self, xp: Namespace, posed: PosedState) -> Array:
        """-> (S,) nats."""
        value = 0.5 * xp.sum(posed.state.z**2, axis=-1)
        if self.volume:
            value = value + self.volume * posed.volume()[0]
        return self.weight * value

    def rows(self, xp: Namespace, posed: PosedState) -> Quadratic:
        """The quadratic of |z|, with the gradient of the volume."""
        offset = posed.state.z
        if self.volume:
            offset = offset + self.volume * posed.volume()[1]
        return Quadratic(self.value(xp, posed), "z", self.weight, offset)
