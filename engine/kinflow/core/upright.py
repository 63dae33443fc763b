"""Which way is up, in the pelvis' frame, given the pose: a small density learned from capture."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .arrays import Array, Namespace
from .skeleton import UP

NUM_JOINTS = 21  # the hands tell nothing


@dataclass(frozen=True)
class Upright:
    """Von Mises-Fisher density of the up direction, a share `loose` of it spread over all sides.

    A network of one hidden layer sees the joints' 6D rotations: weights (H, 126) and (4, H), biases
    (H,) and (4,); its outputs are the mean direction, unnormalised, and the log-concentration.
    """

    weights: tuple[Array, Array]
    biases: tuple[Array, Array]
    loose: Array

    def predict(self, xp: Namespace, pose: Array) -> tuple[Array, Array]:
        """Poses (B, 23, 3, 3) -> mean up direction (B, 3) of length 1, concentration (B,)."""
        mean, _, kappa, _ = self._forward(xp, pose)
        return mean, kappa

    def log_density(self, xp: Namespace, pose: Array, up: Array) -> Array:
        """Up directions (B, 3), of length 1, in the pelvis' frame -> (B,) nats."""
        mean, kappa = self.predict(xp, pose)
        # kappa / (4 pi sinh kappa) exp(kappa cos), written so that nothing overflows
        tight = kappa * (xp.sum(mean * up, axis=-1) - 1)
        scale = kappa / (2 * math.pi * (1 - xp.exp(-2 * kappa)))
        return xp.log((1 - self.loose) * scale * xp.exp(tight) + self.loose / (4 * math.pi))

    def rows(self, xp: Namespace, pose: Array, world: Array) -> tuple[Array, Array, Array]:
        """The mean direction (B, 3), the concentration (B,), and the direction's rows (B, 3, 23, 3)
        by turns in the world of the body's joints, of world rotations (B, 24, 3, 3).
        """
        mean, length, kappa, slope = self._forward(xp, pose)
        by_raw = self.weights[1][:3] * slope[:, None]
        by_raw = by_raw @ self.weights[0]
        along = mean[:, None] @ by_raw
        by_x = (by_raw - mean[..., None] * along) / length[:, None, None]
        by_x = by_x.reshape((len(pose), 3, NUM_JOINTS, 2, 3))
        columns = pose[:, None, :NUM_JOINTS, :, :2].swapaxes(-1, -2)
        turned = xp.sum(xp.linalg.cross(columns + 0 * by_x, by_x), axis=-2)
        parents = world[:, list(UP[1 : 1 + NUM_JOINTS])]
        turned = xp.sum(parents[:, None] * turned[..., None, :], axis=-1)
        return mean, kappa, xp.concat((turned, 0 * turned[:, :, :2]), axis=2)

    def _forward(self, xp: Namespace, pose: Array) -> tuple[Array, Array, Array, Array]:
        x = pose[:, :NUM_JOINTS, :, :2].swapaxes(-1, -2).reshape((len(pose), -1))
        h = xp.tanh(x @ self.weights[0].T + self.biases[0])
        out = h @ self.weights[1].T + self.biases[1]
        length = xp.sqrt(xp.sum(out[:, :3] ** 2, axis=-1))
        return out[:, :3] / length[:, None], length, xp.exp(out[:, 3]), 1 - h * h
