"""Keypoints under full perspective (loss KA): a Laplace likelihood of the unsquared distance."""

from dataclasses import dataclass

from ..arrays import Array, Namespace, per_person
from ..camera import project
from ..points import PointTable, point_rows
from ..posterior import PosedState, Rows
from .robust import smoothed_distance


def keypoint_alignment(
    xp: Namespace, projected: Array, keypoints: Array, confidence: Array
) -> Array:
    """Loss KA, equation 1 of the supplement: mean unsquared L2 distance in px, by confidence.

    projected and keypoints (S, K, 2) px, confidence (S, K) -> (S,) px. No confident keypoint gives
    0.
    """
    weight = xp.where(confidence > 0, confidence, xp.zeros_like(confidence))
    apart = xp.where(weight[..., None] > 0, projected - keypoints, xp.zeros_like(projected))
    # the slope of a square root at zero is infinite, and autograd would make it NaN
    squared = xp.sum(apart * apart, axis=-1)
    there = squared > 0
    distance = xp.sqrt(xp.where(there, squared, xp.ones_like(squared))) * there
    total = xp.sum(weight, axis=-1)
    return xp.sum(weight * distance, axis=-1) / xp.where(total > 0, total, xp.ones_like(total))


@dataclass(frozen=True)
class Keypoints:
    """`which` (C,) of a table's points stand for keypoints (S, C, 2) px, with confidence (S, C), 0
    for missing, and each keypoint's own scale of error (S, C) px. other (S, C, 2) px: another
    place where each may be; the nearer counts."""

    table: PointTable
    which: Array
    softness: float
    keypoints: Array = per_person()
    confidence: Array = per_person()
    scale: Array = per_person()
    other: Array | None = per_person(default=None)

    def _apart(self, xp: Namespace, posed: PosedState) -> tuple[Array, Array, Array, Array]:
        pixels, slopes = project(xp, posed.places(self.table)[:, self.which], posed.lens)
        known = (self.confidence > 0)[..., None]
        apart = xp.where(known, pixels - self.keypoints, xp.zeros_like(pixels))
        if self.other is not None:
            second = xp.where(known, pixels - self.other, xp.zeros_like(pixels))
            nearer = xp.sum(second * second, axis=-1) < xp.sum(apart * apart, axis=-1)
            apart = xp.where(nearer[..., None], second, apart)
        squared = xp.sum(apart * apart, axis=-1)
        rho, weight = smoothed_distance(xp, squared, self.scale, self.softness)
        value = xp.sum(self.confidence * (rho - self.softness), axis=-1)
        return value, apart, self.confidence * weight, slopes

    def value(self, xp: Namespace, posed: PosedState) -> Array:
        """sum_k c_k (rho(|pixel - keypoint|) - softness). -> (S,) nats."""
        return self._apart(xp, posed)[0]

    def rows(self, xp: Namespace, posed: PosedState) -> Rows:
        """Two rows a keypoint."""
        value, apart, weight, slopes = self._apart(xp, posed)
        root = xp.sqrt(weight)[..., None]
        count = len(apart)
        slope = (slopes * root[..., None]).reshape((count, -1, 3))
        which = xp.stack((self.which, self.which), axis=-1).reshape((-1,))
        rows = point_rows(xp, posed.levers(self.table), which, slope)
        return Rows(value, (apart * root).reshape((count, -1)), rows)
