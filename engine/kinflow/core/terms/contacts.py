"""Contacts of a motion: a point that touches is at the floor's height and stays where it is.

How likely each point touches in each frame is given (`fitting.sequence.touching`): with those
shares q the cost is

    sum_c 0.5 q h^2 / s_h^2 + 0.5 min(h, 0)^2 / s_b^2 + 0.5 q_(t, t+1) |p_(t+1) - p_t|^2 / s_v^2,

h the height above the floor. Where a point hardly touches nothing is forced on it, but nobody is
below the floor. People of the state are the frames of one person.
"""

from dataclasses import dataclass

from ..arrays import Array, Namespace, arange_like, eye_like, per_person, zeros_like
from ..links import Links
from ..points import PointTable, point_rows
from ..posterior import PosedState, Rows
from .floor import height_rows, heights


@dataclass(frozen=True)
class Firmness:
    """Deviations in m: of a touching point's height and of its step to the next frame, and of
    how far anything is below the floor."""

    height: float = 0.01
    step: float = 0.002
    below: float = 0.01


@dataclass(frozen=True)
class Contacts:
    """Points of a table that may touch; touch (T, C): how likely each does, hold (T, C): and in the
    next frame too, 0 in the last one."""

    table: PointTable
    firmness: Firmness
    touch: Array = per_person()
    hold: Array = per_person()

    def _weights(self, xp: Namespace, height: Array) -> Array:
        firm = self.firmness
        below = xp.astype(height < 0, height.dtype) / firm.below**2
        return self.touch / firm.height**2 + below

    def value(self, xp: Namespace, posed: PosedState) -> Array:
        """A step counts for the frame before it. -> (T,) nats."""
        height = heights(xp, posed, self.table)
        total = 0.5 * xp.sum(self._weights(xp, height) * height**2, axis=-1)
        places = posed.places(self.table)
        steps = xp.sum((places[1:] - places[:-1]) ** 2, axis=-1)
        held = 0.5 * xp.sum(self.hold[:-1] * steps, axis=-1) / self.firmness.step**2
        return total + xp.concat((held, 0 * total[:1]))

    def rows(self, xp: Namespace, posed: PosedState) -> Rows:
        """One row a point: its height."""
        height = heights(xp, posed, self.table)
        weight = self._weights(xp, height)
        root = xp.sqrt(weight)
        rows, more = height_rows(xp, posed, self.table, root)
        return Rows(0.5 * xp.sum(weight * height**2, axis=-1), height * root, rows, more)

    def links(self, xp: Namespace, posed: PosedState) -> Links:
        """Of T - 1 pairs: each point's step."""
        places = posed.places(self.table)
        count, points = places.shape[:2]
        step = (places[1:] - places[:-1]).reshape((count - 1, -1))
        weight = xp.repeat(self.hold[:-1], 3, axis=1) / self.firmness.step**2
        ones = xp.ones_like(step[:, :1])
        which = arange_like(xp, 3 * points, places) // 3
        axes = zeros_like(xp, (count, points, 3, 3), places) + eye_like(xp, 3, places)
        rows = point_rows(xp, posed.levers(self.table), which, axes.reshape((count, -1, 3)))
        return Links(step, weight, xp.concat((-ones, ones), axis=1), rows)
