"""Which way is up: what poses tell of it, and how cameras are held."""

import math
from dataclasses import dataclass

from ..arrays import Array, Namespace, eye_like, per_person, zeros_like
from ..level import down
from ..points import WIDTH
from ..posterior import PosedState, Rows
from ..rotations import skew
from ..upright import Upright

FREEDOM = (
    4.0  # of Student's t: photos from a roof or with a tilted horizon are rare, not unheard of
)


@dataclass(frozen=True)
class Held:
    """How cameras are held: pitch, roll (radians) and the floor below (m) are Student's t about
    `mean` (3,), with `scale` (3,)."""

    mean: Array
    scale: Array


@dataclass(frozen=True)
class Gravity:
    """The up direction in each pelvis' frame under `Upright`, and the camera's own angles and
    height.

    kappa (S,): the concentration, as the poses have it where a solve begins; weight (S,) of what
    the poses tell; share (S,): of a photo's camera, one over its people, so that it counts once.
    """

    upright: Upright
    held: Held
    kappa: Array = per_person()
    weight: Array = per_person()
    share: Array = per_person()

    def _mixture(self, xp: Namespace, apart: Array) -> tuple[Array, Array]:
        """-log of the density at mean - up (S, 3), and the tight component's share of it."""
        kappa, loose = self.kappa, self.upright.loose
        scale = kappa / (2 * math.pi * (1 - xp.exp(-2 * kappa)))
        tight = (1 - loose) * scale * xp.exp(-0.5 * kappa * xp.sum(apart * apart, axis=-1))
        density = tight + loose / (4 * math.pi)
        return -xp.log(density), tight / density

    def _up(self, posed: PosedState) -> Array:
        gravity, _ = down(posed.xp, posed.state.block("gravity"))
        return -(posed.state.root.swapaxes(-1, -2) @ gravity[..., None])[..., 0]

    def _tilt(self, xp: Namespace, posed: PosedState) -> tuple[Array, Array]:
        """Angles and height about their mean, as shares of the scale, and -log t."""
        state = posed.state
        camera = xp.concat((state.block("gravity"), state.block("floor")), axis=-1)
        tilt = (camera - self.held.mean) / self.held.scale
        return tilt, 0.5 * (FREEDOM + 1) * xp.sum(xp.log(1 + tilt * tilt / FREEDOM), axis=-1)

    def agreement(self, xp: Namespace, posed: PosedState) -> Array:
        """How likely each person stands, sits or lies as captured people do. -> (S,) 0 to 1."""
        mean, _ = self.upright.predict(xp, posed.skeleton.rotations[:, 1:])
        return self._mixture(xp, mean - self._up(posed))[1]

    def value(self, xp: Namespace, posed: PosedState) -> Array:
        """weight * -log p(up | pose) - share * log t(pitch, roll, height). -> (S,) nats."""
        mean, _ = self.upright.predict(xp, posed.skeleton.rotations[:, 1:])
        nats = self._mixture(xp, mean - self._up(posed))[0]
        return self.weight * nats + self.share * self._tilt(xp, posed)[1]

    def rows(self, xp: Namespace, posed: PosedState) -> Rows:
        """Three rows of the mean direction less the up direction, one each of angles and height."""
        skeleton, root = posed.skeleton, posed.state.root
        pose, world = skeleton.rotations[:, 1:], skeleton.world
        mean, _, by_joints = self.upright.rows(xp, pose, world)
        count = len(mean)
        apart = mean - self._up(posed)
        nats, tight = self._mixture(xp, apart)
        gravity, by_angles = down(xp, posed.state.block("gravity"))
        back = root.swapaxes(-1, -2)
        by_root = back @ skew(xp, gravity)
        rest = zeros_like(xp, (count, 3, WIDTH - 72), apart)
        rows = xp.concat((by_root, by_joints.reshape((count, 3, -1)), rest), axis=-1)
        force = xp.sqrt(self.weight * tight * self.kappa)[:, None]
        tilt, of_camera = self._tilt(xp, posed)
        firm = xp.sqrt(self.share[:, None] * (FREEDOM + 1) / (FREEDOM + tilt * tilt))
        by_camera = eye_like(xp, 3, firm) * (firm / self.held.scale)[:, None]
        zero = xp.zeros_like(apart)[..., None]
        by_gravity = xp.concat((back @ by_angles * force[..., None], by_camera[..., :2]), axis=1)
        return Rows(
            self.weight * nats + self.share * of_camera,
            xp.concat((apart * force, tilt * firm), axis=-1),
            xp.concat((rows * force[..., None], zeros_like(xp, (count, 3, WIDTH), rows)), axis=1),
            {"gravity": by_gravity, "floor": xp.concat((zero, by_camera[..., 2:]), axis=1)},
        )
