"""Balance: who stands still has the centre of mass above the feet.

The distance is level, from the centre of mass to the line between the feet. It costs
-log((1 - p) + p exp(-d^2 / 2 s^2)): balanced with probability p, or moving, leaning or seated.
"""

from dataclasses import dataclass

from ..arrays import Array, Namespace, arange_like, eye_like, per_person
from ..level import down
from ..points import PointTable, point_rows
from ..posterior import PosedState, Rows


@dataclass(frozen=True)
class Balance:
    """A table's points: centre of mass, left foot, right foot. stands: p; scale: s, m; weight (S,):
    0 for who is cut by the photo."""

    table: PointTable
    stands: float
    scale: float
    weight: Array = per_person()

    def _apart(self, xp: Namespace, posed: PosedState) -> tuple[Array, Array, Array]:
        """Level offset (S, 3) m of the centre of mass, the whole offset, and the share (S,) of the
        right foot in the point of the line that it is from."""
        gravity, _ = down(xp, posed.state.block("gravity"))
        places = posed.places(self.table)

        def level(offset: Array) -> Array:
            return offset - gravity * xp.sum(gravity * offset, axis=-1)[:, None]

        across = level(places[:, 2] - places[:, 1])
        from_left = level(places[:, 0] - places[:, 1])
        squared = xp.sum(across * across, axis=-1) + 1e-9
        share = xp.clip(xp.sum(across * from_left, axis=-1) / squared, 0, 1)
        whole = places[:, 0] - places[:, 1] - share[:, None] * (places[:, 2] - places[:, 1])
        return level(whole), whole, share

    def _mixture(self, xp: Namespace, apart: Array) -> tuple[Array, Array]:
        half = 0.5 * xp.sum(apart * apart, axis=-1) / self.scale**2
        still = self.stands * xp.exp(-half)
        either = 1 - self.stands + still
        return -self.weight * xp.log(either), still / either

    def value(self, xp: Namespace, posed: PosedState) -> Array:
        """-> (S,) nats."""
        return self._mixture(xp, self._apart(xp, posed)[0])[0]

    def rows(self, xp: Namespace, posed: PosedState) -> Rows:
        """Three rows: the level offset; the nearest point of the line is held, which at a nearest
        point changes nothing."""
        apart, whole, share = self._apart(xp, posed)
        value, still = self._mixture(xp, apart)
        root = xp.sqrt(self.weight * still) / self.scale
        gravity, by_angles = down(xp, posed.state.block("gravity"))
        eye = eye_like(xp, 3, apart)
        slopes = xp.broadcast_to(xp.concat((eye,) * 3), (len(apart), 9, 3))
        which = arange_like(xp, 9, apart) // 3
        rows = point_rows(xp, posed.levers(self.table), which, slopes)
        mass, left, right = (rows[:, 3 * i : 3 * i + 3] for i in range(3))
        mixed = share[:, None, None]
        rows = mass - (1 - mixed) * left - mixed * right
        flat = eye - gravity[..., None] * gravity[:, None]
        upward = xp.sum(gravity * whole, axis=-1)[:, None, None]
        by_gravity = -upward * by_angles - gravity[..., None] * (whole[:, None] @ by_angles)
        return Rows(
            value,
            apart * root[:, None],
            flat @ rows * root[:, None, None],
            {"gravity": by_gravity * root[:, None, None]},
        )
