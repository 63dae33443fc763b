"""The body-part term in numpy; its formula stands in `residuals.parts`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...bodies.model import Body
from ..residuals.parts import EFFECTIVE, MARGIN_METRES, SCALE_METRES, PartField
from .pose import Skeleton, pose_points, rows_of
from .tables import point_table

if TYPE_CHECKING:
    from .evaluate import LeanProblem

_PER_PERSON = (
    "distance",
    "origin",
    "step",
    "pixels",
    "channel",
    "weight",
    "present",
    "size",
    "px_per_metre",
)


class LeanParts:
    """A `PartField` as numpy arrays."""

    distance: np.ndarray
    origin: np.ndarray
    step: np.ndarray
    pixels: np.ndarray
    channel: np.ndarray
    weight: np.ndarray
    present: np.ndarray
    size: np.ndarray
    px_per_metre: np.ndarray

    def __init__(self, body: Body, field: PartField) -> None:
        self.table = point_table(body, field.points)
        self.normals, self.vertex_channel = field.normals.numpy(), field.vertex_channel.numpy()
        self.blend = field.points.lbs_weights.numpy()
        for name in _PER_PERSON:
            setattr(self, name, getattr(field, name).numpy())

    def pick(self, rows: np.ndarray) -> LeanParts:
        other = LeanParts.__new__(LeanParts)
        other.__dict__.update(self.__dict__)
        for name in _PER_PERSON:
            setattr(other, name, getattr(self, name)[rows])
        return other

    def rows(
        self, problem: LeanProblem, skeleton: Skeleton, transl: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weighted rows (S, M, WIDTH), residuals (S, M), energy (S,)."""
        from .evaluate import project

        posed = pose_points(self.table, skeleton)
        space = posed.points + transl[:, None]
        vertices, slopes = project(space, problem.focal, problem.centre)
        count = len(space)
        start = np.arange(count)[:, None]
        scale, margin = (
            (SCALE_METRES * self.px_per_metre)[:, None],
            (MARGIN_METRES * self.px_per_metre)[:, None],
        )
        visible = self._visible(skeleton, space)
        inside = ((vertices >= 0) & (vertices < self.size[:, None])).all(-1) & visible
        field, field_slope = self._sample(vertices)
        share = EFFECTIVE * problem.weights.part
        pixel_count = self.weight.sum(-1, keepdims=True)
        share_v = inside * (
            share * (pixel_count > 0) / np.maximum(inside.sum(-1, keepdims=True), 1)
        )
        rho, weight = _geman_mcclure(field, scale)
        energy = (share_v * rho).sum(-1)
        root_v = np.sqrt(share_v * weight)

        nearest, match = self._nearest(vertices, visible)
        unmatched = nearest > 1e5
        left = np.where(unmatched, 0, np.maximum(nearest - margin, 0))
        share_p = self.weight * (share / np.maximum(pixel_count, 1))
        rho, weight = _geman_mcclure(left, scale)
        energy = energy + (share_p * rho).sum(-1)
        root_p = np.sqrt(share_p * weight * (left > 0))
        direction = (vertices[start, match] - self.pixels) / np.maximum(nearest, 1e-6)[..., None]

        towards = np.concatenate(
            (field_slope * root_v[..., None], direction * root_p[..., None]), 1
        )
        which = np.concatenate(
            (np.broadcast_to(np.arange(vertices.shape[1]), field.shape), match), 1
        )
        residual = np.concatenate((field * root_v, left * root_p), 1)
        # rows that weigh nothing are left out where all starts agree: most pixels are explained well enough
        used = (np.concatenate((root_v, root_p), 1) > 0).any(0)
        towards, which, residual = towards[:, used], which[:, used], residual[:, used]
        slope = (towards[:, :, None] @ slopes[start, which])[:, :, 0]
        return (
            rows_of(problem.body, posed, which, slope.astype(space.dtype)),
            residual.astype(space.dtype),
            energy,
        )

    def _visible(self, skeleton: Skeleton, space: np.ndarray) -> np.ndarray:
        known = self.present[:, self.vertex_channel]
        if self.distance.shape[1] == 1:
            return known
        count = len(space)
        blend = (self.blend @ skeleton.world.reshape(count, -1, 9)).reshape(count, -1, 3, 3)
        normals = (blend * self.normals[:, None]).sum(-1)
        return known & ((normals * space).sum(-1) < 0)

    def _nearest(self, vertices: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distance of each pixel to the nearest visible vertex of its channel, and which that is."""
        middle = self.pixels.mean(1, keepdims=True)
        p, v = self.pixels - middle, vertices - middle
        squared = (
            (p * p).sum(-1)[..., None]
            + np.where(visible, (v * v).sum(-1), np.inf)[:, None]
            - 2 * p @ v.transpose(0, 2, 1)
        )
        if self.distance.shape[1] > 1:
            squared[self.channel[..., None] != self.vertex_channel] = np.inf
        match = squared.argmin(-1)
        start = np.arange(len(vertices))[:, None]
        exact = np.sqrt(((vertices[start, match] - self.pixels) ** 2).sum(-1))
        return np.where(
            np.isfinite(squared[start, np.arange(match.shape[1]), match]), exact, 1e6
        ), match

    def _sample(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        size = self.distance.shape[-1]
        step = self.step[:, None]
        cell = np.clip((vertices - self.origin[:, None]) / step[..., None], 0.01, size - 1.01)
        low = np.floor(cell)
        fx, fy = np.moveaxis(cell - low, -1, 0)
        index = low.astype(np.int64)
        flat = self.distance.reshape(len(self.distance), -1)
        base = self.vertex_channel * size * size + index[..., 1] * size + index[..., 0]
        start = np.arange(len(flat))[:, None]
        a, b, c, d = (flat[start, base + shift] for shift in (0, 1, size, size + 1))
        value = (a * (1 - fx) + b * fx) * (1 - fy) + (c * (1 - fx) + d * fx) * fy
        by_x = ((b - a) * (1 - fy) + (d - c) * fy) / step
        by_y = ((c - a) * (1 - fx) + (d - b) * fx) / step
        return value, np.stack((by_x, by_y), -1)


def _geman_mcclure(distance: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x = (distance / scale) ** 2
    return x / (1 + x), 2 / (scale**2 * (1 + x) ** 2)
