"""Points of the body that stay above a plane."""

from __future__ import annotations

from dataclasses import dataclass

from ..arrays import Array, Namespace, any_used, arange_like, per_person, zeros_like
from ..points import WIDTH, PointTable, point_rows
from ..posterior import PosedState, Rows


@dataclass(frozen=True)
class HalfSpace:
    """All points of a table should be at least `height` (S, P) m along `up` (S, 3); sigma: m.

    Each point has its own height, so that what lies below the plane already may stay as deep.
    """

    table: PointTable
    sigma: float
    up: Array = per_person()
    height: Array = per_person()

    def _below(self, xp: Namespace, posed: PosedState) -> Array:
        above = xp.sum(posed.places(self.table) * self.up[:, None], axis=-1) - self.height
        return xp.where(above < 0, above, xp.zeros_like(above)) / self.sigma

    def value(self, xp: Namespace, posed: PosedState) -> Array:
        """0.5 sum_p min(up . p - height_p, 0)^2 / sigma^2. -> (S,) nats."""
        return 0.5 * xp.sum(self._below(xp, posed) ** 2, axis=-1)

    def rows(self, xp: Namespace, posed: PosedState) -> Rows:
        """One row a point that is below."""
        below = self._below(xp, posed)
        value = 0.5 * xp.sum(below**2, axis=-1)
        # of several people some may take a step and others not: their rows are alike in number
        used = any_used(xp, -below) if len(below) == 1 else slice(None)
        below = below[:, used]
        if not below.shape[1]:  # nobody is: no levers are made
            return Rows(value, below, zeros_like(xp, (len(below), 0, WIDTH), below))
        inside = xp.astype(below < 0, below.dtype)[..., None]
        slope = self.up[:, None] * inside / self.sigma
        which = arange_like(xp, len(self.table.total), below)[used]
        return Rows(value, below, point_rows(xp, posed.levers(self.table), which, slope))
