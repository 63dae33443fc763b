"""Joints that are held at a place, turned a certain way, or look at a point.

An effector pulls with at most `force` nats a unit (metre, radian, or the chord to the direction of
what is looked at):

    rho(r) = force (sqrt(|r|^2 + softness^2) - softness),

near zero a square of deviation sqrt(softness / force), far away the unsquared distance. Where
softness is small this is an exact penalty: what the rest of the energy resists with less than
`force` is reached, and what cannot be reached does not tear the body apart.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..arrays import Array, Namespace, eye_like, per_person, zeros_like
from ..points import NUM_TURNS, WIDTH, PointTable, point_rows
from ..posterior import PosedState, Rows
from ..rotations import left_jacobian_inverse, matrix_to_axis_angle, skew

NEAREST = 0.01  # m: what is looked at is not taken as nearer


@dataclass(frozen=True)
class Strength:
    """force and softness (S, C) of C effectors."""

    force: Array = per_person()
    softness: Array = per_person()

    def energy(self, xp: Namespace, apart: Array) -> Array:
        """sum_c rho(apart_c). (S, C, 3) -> (S,) nats."""
        return xp.sum(self.force * (self._root(xp, apart) - self.softness), axis=-1)

    def weighted(self, xp: Namespace, apart: Array, rows: Array) -> Rows:
        """The reweighted form of residuals (S, C, 3) and their rows (S, C, 3, WIDTH)."""
        root = xp.sqrt(self.force / self._root(xp, apart))[..., None]
        residual, rows = apart * root, rows * root[..., None]
        count = len(apart)
        flat = residual.reshape((count, -1)), rows.reshape((count, -1, WIDTH))
        return Rows(self.energy(xp, apart), *flat)

    def _root(self, xp: Namespace, apart: Array) -> Array:
        return xp.sqrt(xp.sum(apart * apart, axis=-1) + self.softness**2)


def _by_turns(xp: Namespace, posed: PosedState, joints: Array, slope: Array) -> Array:
    """By the turns of joints (C,) in the world: slope (S, C, 3, 3) -> rows (S, C, 3, WIDTH)."""
    above = posed.body.subtree.T[joints]
    turns = slope[..., None, :] * above[:, None, :, None]
    turns = turns.reshape((*slope.shape[:3], NUM_TURNS))
    rest = zeros_like(xp, (*slope.shape[:3], WIDTH - NUM_TURNS), slope)
    return xp.concat((turns, rest), axis=-1)


def _by_places(
    xp: Namespace, posed: PosedState, points: tuple[PointTable, Array], slope: Array
) -> Array:
    """By the places of points (C,) of a table: slope (S, C, 3, 3) -> rows (S, C, 3, WIDTH)."""
    table, which = points
    thrice = xp.stack((which,) * 3, axis=-1).reshape((-1,))
    flat = slope.reshape((len(slope), -1, 3))
    return point_rows(xp, posed.levers(table), thrice, flat).reshape((*slope.shape[:3], WIDTH))


@dataclass(frozen=True)
class Places:
    """place (S, C, 3) m of `which` (C,) of a table's points."""

    table: PointTable
    which: Array
    strength: Strength = per_person()
    place: Array = per_person()

    def _apart(self, posed: PosedState) -> Array:
        return posed.places(self.table)[:, self.which] - self.place

    def value(self, xp: Namespace, posed: PosedState) -> Array:
        """-> (S,) nats."""
        return self.strength.energy(xp, self._apart(posed))

    def rows(self, xp: Namespace, posed: PosedState) -> Rows:
        """Three rows an effector."""
        apart = self._apart(posed)
        slope = eye_like(xp, 3, apart) + zeros_like(xp, (*apart.shape, 3), apart)
        rows = _by_places(xp, posed, (self.table, self.which), slope)
        return self.strength.weighted(xp, apart, rows)


@dataclass(frozen=True)
class Turns:
    """rotation (S, C, 3, 3) in the world of joints (C,); the residual is log(R R_wanted')."""

    joints: Array
    strength: Strength = per_person()
    rotation: Array = per_person()

    def _apart(self, xp: Namespace, posed: PosedState) -> Array:
        turned = posed.skeleton.world[:, self.joints] @ self.rotation.swapaxes(-1, -2)
        return matrix_to_axis_angle(xp, turned)

    def value(self, xp: Namespace, posed: PosedState) -> Array:
        """-> (S,) nats."""
        return self.strength.energy(xp, self._apart(xp, posed))

    def rows(self, xp: Namespace, posed: PosedState) -> Rows:
        """Three rows an effector."""
        apart = self._apart(xp, posed)
        rows = _by_turns(xp, posed, self.joints, left_jacobian_inverse(xp, apart))
        return self.strength.weighted(xp, apart, rows)


@dataclass(frozen=True)
class Sights:
    """Points (S, C, 3) m that `which` (C,), joints and the table's points alike, look at along
    front (C, 3), a direction at rest. The residual is front turned, less the direction to the
    point."""

    table: PointTable
    which: Array
    front: Array
    strength: Strength = per_person()
    point: Array = per_person()

    def _looks(self, xp: Namespace, posed: PosedState) -> tuple[Array, Array, Array]:
        """Where they look, where they should, (S, C, 3) each, and how far it is (S, C)."""
        front = (posed.skeleton.world[:, self.which] @ self.front[..., None])[..., 0]
        way = self.point - posed.places(self.table)[:, self.which]
        length = xp.sqrt(xp.sum(way * way, axis=-1) + NEAREST**2)
        return front, way / length[..., None], length

    def value(self, xp: Namespace, posed: PosedState) -> Array:
        """-> (S,) nats."""
        front, wanted, _ = self._looks(xp, posed)
        return self.strength.energy(xp, front - wanted)

    def rows(self, xp: Namespace, posed: PosedState) -> Rows:
        """Three rows an effector."""
        front, wanted, length = self._looks(xp, posed)
        # a turn w moves the front by w x front
        rows = _by_turns(xp, posed, self.which, -skew(xp, front))
        across = eye_like(xp, 3, front) - wanted[..., None] * wanted[..., None, :]
        slope = across / length[..., None, None]
        rows = rows + _by_places(xp, posed, (self.table, self.which), slope)
        return self.strength.weighted(xp, front - wanted, rows)
