"""Smoothness of a motion: accelerations as captured people have them, joint by joint.

With features x (two columns of every joint's local rotation and of the root's, and the place) at
times t-1, t, t+1, g and h apart, a = 2 [ (x_{t+1} - x_t) / h - (x_t - x_{t-1}) / g ] / (g + h).
Each joint's acceleration is Student's t about zero with its own scale s, of FREEDOM degrees:

    0.5 (FREEDOM + 3) log(1 + |a|^2 / (FREEDOM s^2)).

Most of the time a motion is smooth, and then it is not: a punch pays for its haste once, and not by
the square. People of the state are the frames of one person.
"""

from dataclasses import dataclass

from ..arrays import Array, Namespace, eye_like, per_person, zeros_like
from ..links import Links
from ..points import NUM_TURNS, WIDTH
from ..posterior import PosedState
from ..rotations import skew
from ..skeleton import NUM_JOINTS, UP

FREEDOM = 3.0
PER_JOINT = 6
TURNED = PER_JOINT * NUM_JOINTS
DIMENSION = 3  # of what turns or moves


@dataclass(frozen=True)
class Smoothness:
    """scale (25,): of the joints' accelerations in SMPL's order and of the place's, m, by the
    square of the times' unit; times (T,): rising."""

    scale: Array
    times: Array = per_person()

    def value(self, xp: Namespace, posed: PosedState) -> Array:
        """Each triple counts for its middle frame. -> (T,) nats."""
        none = posed.state.z[:, 0] * 0
        if len(none) < 3:
            return none
        squares = self._squares(xp, self._accelerations(xp, posed)[0])
        total = 0.5 * (FREEDOM + DIMENSION) * xp.sum(xp.log(1 + squares / FREEDOM), axis=-1)
        return xp.concat((none[:1], total, none[:1]))

    def links(self, xp: Namespace, posed: PosedState) -> Links:
        """Of T - 2 triples, each acceleration by its reweighted form."""
        acceleration, coefficients = self._accelerations(xp, posed)
        weight = (FREEDOM + DIMENSION) / (FREEDOM + self._squares(xp, acceleration))
        weight = weight / self.scale**2
        turned = xp.repeat(weight[:, :-1], PER_JOINT, axis=1)
        place = xp.repeat(weight[:, -1:], DIMENSION, axis=1)
        weights = xp.concat((turned, place), axis=1)
        return Links(acceleration, weights, coefficients, self._rows(xp, posed))

    def _accelerations(self, xp: Namespace, posed: PosedState) -> tuple[Array, Array]:
        """Of all features (T - 2, 147), and the three frames' coefficients (T - 2, 3)."""
        columns = posed.skeleton.rotations[..., :2].swapaxes(-1, -2)
        x = xp.concat((columns.reshape((len(columns), TURNED)), posed.state.transl), axis=1)
        before, after = self.times[1:-1] - self.times[:-2], self.times[2:] - self.times[1:-1]
        first, last = 2 / (before * (before + after)), 2 / (after * (before + after))
        c = xp.stack((first, -first - last, last), axis=-1)
        return c[:, :1] * x[:-2] + c[:, 1:2] * x[1:-1] + c[:, 2:] * x[2:], c

    def _squares(self, xp: Namespace, acceleration: Array) -> Array:
        """|a|^2 / s^2 of each joint and the place. (L, 147) -> (L, 25)."""
        turned = acceleration[:, :TURNED].reshape((len(acceleration), NUM_JOINTS, PER_JOINT))
        squares = xp.sum(turned**2, axis=-1), xp.sum(acceleration[:, TURNED:] ** 2, axis=-1)
        return xp.concat((squares[0], squares[1][:, None]), axis=1) / self.scale**2

    def _rows(self, xp: Namespace, posed: PosedState) -> Array:
        """Features by turns, betas and place. -> (T, 147, WIDTH)."""
        skeleton = posed.skeleton
        count = len(skeleton.place)
        eye = eye_like(xp, 3, skeleton.place)
        first = zeros_like(xp, (count, 1, 3, 3), eye) + eye
        parents = xp.concat((first, skeleton.world[:, list(UP[1:])]), axis=1).swapaxes(-1, -2)
        # a turn w of a subtree in the world turns the joint's own columns c by P'w x c
        columns = skeleton.rotations[..., :2].swapaxes(-1, -2)
        slopes = (-skew(xp, columns) @ parents[:, :, None]).reshape((count, NUM_JOINTS, -1, 3))
        own = eye_like(xp, NUM_JOINTS, eye)[:, None, :, None]
        turned = (slopes[:, :, :, None] * own).reshape((count, TURNED, NUM_TURNS))
        rest = zeros_like(xp, (count, TURNED, WIDTH - NUM_TURNS), eye)
        place = zeros_like(xp, (count, 3, WIDTH - 3), eye)
        moved = zeros_like(xp, (count, 3, 3), eye) + eye
        return xp.concat(
            (xp.concat((turned, rest), axis=-1), xp.concat((place, moved), axis=-1)), axis=1
        )
