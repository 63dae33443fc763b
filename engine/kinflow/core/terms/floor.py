"""One floor: who is supported by it touches it, and nobody is below it.

A point d above the floor costs -log((1 - p) + p exp(-d^2 / 2 s^2)): it touches with probability p,
or is anywhere. So contact is a hypothesis and never a rule: who sits on a chair or jumps pays a
bounded price. A point below the floor costs HARD (sqrt(1 + d^2 / s^2) - 1): floors do not
give way.
"""

from dataclasses import dataclass

from ..arrays import Array, Namespace, arange_like, per_person
from ..level import down
from ..points import PointTable, point_rows
from ..posterior import PosedState, Rows

HARD = 9.0


def heights(xp: Namespace, posed: PosedState, table: PointTable) -> Array:
    """A table's points above the floor. -> (S, P) m."""
    gravity, _ = down(xp, posed.state.block("gravity"))
    below = (posed.places(table) @ gravity[..., None])[..., 0]
    return posed.state.block("floor") - below


def height_rows(
    xp: Namespace, posed: PosedState, table: PointTable, root: Array
) -> tuple[Array, dict[str, Array]]:
    """Rows of `heights` times root (S, P), and those of gravity and floor."""
    gravity, by_angles = down(xp, posed.state.block("gravity"))
    by_place = -gravity[:, None] * root[..., None]
    which = arange_like(xp, root.shape[1], root)
    rows = point_rows(xp, posed.levers(table), which, by_place)
    by_gravity = -(posed.places(table) @ by_angles) * root[..., None]
    return rows, {"gravity": by_gravity, "floor": root[..., None]}


@dataclass(frozen=True)
class Floor:
    """Points of a table that may touch the floor, with probability `touch` (C,); scale (S,): s,
    m; weight (S, C): of each point."""

    table: PointTable
    touch: Array
    scale: Array = per_person()
    weight: Array = per_person()

    def _mixture(self, xp: Namespace, height: Array) -> tuple[Array, Array, Array]:
        """Costs (S, C), their slopes by half the squared height over the scale, and how likely each
        point touches; below the floor it does."""
        half = 0.5 * (height / self.scale[:, None]) ** 2
        near, above = self.touch * xp.exp(-half), height > 0
        either, root = 1 - self.touch + near, xp.sqrt(1 + 2 * half)
        touching = xp.where(above, near / either, xp.ones_like(near))
        cost = self.weight * xp.where(above, -xp.log(either), HARD * (root - 1))
        slope = self.weight * xp.where(above, touching, HARD / root)
        return cost, slope, touching

    def contact(self, xp: Namespace, posed: PosedState) -> Array:
        """How likely each point touches the floor. -> (S, C), 0 to 1."""
        return self._mixture(xp, heights(xp, posed, self.table))[2]

    def value(self, xp: Namespace, posed: PosedState) -> Array:
        """-> (S,) nats."""
        return xp.sum(self._mixture(xp, heights(xp, posed, self.table))[0], axis=-1)

    def rows(self, xp: Namespace, posed: PosedState) -> Rows:
        """One row a point."""
        height = heights(xp, posed, self.table)
        cost, slope, _ = self._mixture(xp, height)
        root = xp.sqrt(slope) / self.scale[:, None]
        rows, more = height_rows(xp, posed, self.table, root)
        return Rows(xp.sum(cost, axis=-1), height * root, rows, more)
