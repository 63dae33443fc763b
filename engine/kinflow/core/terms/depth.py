"""How far a limb is behind the hips, as a detector guesses it or a flipped start wants it."""

from dataclasses import dataclass

from ..arrays import Array, Namespace, eye_like, per_person
from ..points import PointTable, point_rows
from ..posterior import PosedState, Rows
from .robust import smoothed_distance

SOFTNESS = 0.3


@dataclass(frozen=True)
class Depth:
    """depth (S, H) m behind the hips' centre of a table's points `which` (H,), weight (S, H) with 0
    for none; `hips` (2,): the points of the hips; scale: the Laplace scale, m."""

    table: PointTable
    which: Array
    hips: Array
    scale: float
    depth: Array = per_person()
    weight: Array = per_person()

    def _apart(self, xp: Namespace, posed: PosedState) -> tuple[Array, Array, Array]:
        depth = posed.points(self.table).places[..., 2]
        behind = depth[:, self.which] - xp.mean(depth[:, self.hips], axis=1)[:, None]
        apart = behind - self.depth
        rho, weight = smoothed_distance(xp, apart * apart, self.scale, SOFTNESS)
        value = xp.sum(self.weight * (rho - SOFTNESS), axis=-1)
        return value, apart, xp.sqrt(self.weight * weight)

    def value(self, xp: Namespace, posed: PosedState) -> Array:
        """sum_h w_h (rho(|depth behind the hips - depth_h|) - SOFTNESS). -> (S,) nats."""
        return self._apart(xp, posed)[0]

    def rows(self, xp: Namespace, posed: PosedState) -> Rows:
        """One row a hint."""
        value, apart, root = self._apart(xp, posed)
        ends = xp.concat((self.which, self.hips))
        forward = xp.broadcast_to(eye_like(xp, 3, root)[2], (len(root), len(ends), 3))
        rows = point_rows(xp, posed.levers(self.table), ends, forward)
        behind = rows[:, :-2] - xp.mean(rows[:, -2:], axis=1)[:, None]
        return Rows(value, apart * root, behind * root[..., None])
