"""Nearness to a state: that at the start of a pull, or that of the step before."""

from __future__ import annotations

from dataclasses import dataclass

from ..arrays import Array, Namespace, per_person
from ..posterior import PosedState, Quadratic
from ..rotations import matrix_to_axis_angle


@dataclass(frozen=True)
class Near:
    """0.5 weight |x - middle|^2 of one block, of the latent by default.

    middle (S, n). Where the block is a turn, middle (S, 3, 3) and x - middle is log(x middle').
    """

    weight: float
    middle: Array = per_person()
    block: str = "z"

    def _offset(self, xp: Namespace, posed: PosedState) -> Array:
        value = posed.state.block(self.block)
        if value.ndim == 3:
            return matrix_to_axis_angle(xp, value @ self.middle.swapaxes(-1, -2))
        return value - self.middle

    def value(self, xp: Namespace, posed: PosedState) -> Array:
        """-> (S,) nats."""
        return 0.5 * self.weight * xp.sum(self._offset(xp, posed) ** 2, axis=-1)

    def rows(self, xp: Namespace, posed: PosedState) -> Quadratic:
        """The quadratic itself: a turn's slope is its vector, which J_l(v)' leaves as it is."""
        offset = self._offset(xp, posed)
        value = 0.5 * self.weight * xp.sum(offset**2, axis=-1)
        return Quadratic(value, self.block, self.weight, offset)
