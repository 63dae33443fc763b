"""Body parts and silhouettes: the solver's form of loss BA (`fitting.losses.part_alignment`).

With V_b the visible projected vertices of part b and P_b the pixels labelled b,

    E = N/|P| sum_{p in P} g( [min_{v in V_b(p)} |p - v| - m]_+ / s )  +  N/|V| sum_{v in V} g( D_b(v)(v) / s )

D_b is the distance to the nearest pixel labelled b, m the one-sided margin that clothing may stand off the body (and
the spacing of the sampled vertices), s a scale of a few centimetres at the body, g the Geman-McClure function
x^2 / (1 + x^2), which lets go of what other things cover, and N = EFFECTIVE the number of keypoints that the whole
term is worth. A part that is not labelled in the photo costs nothing, neither do vertices outside the photo. With a
person mask alone there is one part, the whole body, and every vertex counts as visible: a silhouette term.

Gauss-Newton form: matches and distance-field gradients are fixed within a step; each sample gives one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
import torch
from torch import Tensor

from ...bodies.jacobians import PointSet, PosedPoints, pose_points
from ...bodies.model import Body, BodyKey
from ...bodies.parts import NUM_PARTS
from ...drawing.shading import vertex_normals
from ...identity_cache import IdentityCache
from ...records import Observation
from ..problem import Problem, State
from .keypoints import project

NUM_VERTICES = 320
NUM_PIXELS = 160
GRID = 160
EFFECTIVE = 200.0
SCALE_METRES = 0.06
MARGIN_METRES = 0.02
MIN_PIXELS = 80


@dataclass(frozen=True)
class PartField:
    """Labelled pixels of S people as distance fields on a grid about each person.

    distance (S, C, G, G) px; origin (S, 2) px and step (S,) px a cell; pixels (S, P, 2) px with channel (S, P) and
    weight (S, P); present (S, C): which channels are labelled; size (S, 2): the photo's width and height. Sampled
    vertices: points, their normals (n, 3) and channel (n,). px_per_metre (S,) at the body, fixed during a solve so that
    shrinking the scale is no way out.
    """

    distance: Tensor
    origin: Tensor
    step: Tensor
    pixels: Tensor
    channel: Tensor
    weight: Tensor
    present: Tensor
    size: Tensor
    points: PointSet
    normals: Tensor
    vertex_channel: Tensor
    px_per_metre: Tensor

    def pick(self, rows: Tensor) -> PartField:
        """The same for some of the people."""
        names = (
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
        return replace(self, **{n: getattr(self, n)[rows] for n in names})

    def energy(
        self, problem: Problem, state: State, rotations: Tensor, posed: PosedPoints
    ) -> Tensor:
        """The term's energy. -> (S,)."""
        own = pose_points(problem.body, self.points, rotations, state.betas, jacobian=False)
        return self._terms(problem, state, own)[0]

    def linearise(
        self, problem: Problem, state: State, rotations: Tensor, posed: PosedPoints
    ) -> tuple[Tensor, ...]:
        """Energy (S,), weighted residual (S, M), rows by local rotations (S, M, 24, 3), betas (S, M, 10), transl (S, M, 3)."""
        own = pose_points(problem.body, self.points, rotations, state.betas)
        assert own.d_rotation is not None and own.d_betas is not None
        (
            total,
            by_point,
            (to_pixel, match, pixel_left, pixel_weight),
            (slope, field, field_weight),
        ) = self._terms(problem, state, own)
        # rows of vertices: slope of the distance field; rows of pixels: direction to the matched vertex
        vertex_rows = (
            torch.einsum("snu,snux->snx", slope, by_point) * field_weight.sqrt()[..., None]
        )
        chosen = by_point.gather(1, match[..., None, None].expand(-1, -1, 2, 3))
        pixel_rows = (
            torch.einsum("spu,spux->spx", to_pixel, chosen) * pixel_weight.sqrt()[..., None]
        )
        residual = torch.cat((field * field_weight.sqrt(), pixel_left * pixel_weight.sqrt()), 1)
        rows = torch.cat((vertex_rows, pixel_rows), 1)
        which = torch.cat(
            (torch.arange(field.shape[1], device=match.device).expand_as(field), match), 1
        )
        d_rotation = own.d_rotation.flatten(3).gather(
            1, which[..., None, None].expand(-1, -1, 3, 72)
        )
        d_betas = own.d_betas.gather(
            1, which[..., None, None].expand(-1, -1, 3, own.d_betas.shape[-1])
        )
        by_rotation = (rows[:, :, None] @ d_rotation)[:, :, 0].unflatten(-1, (24, 3))
        return total, residual, by_rotation, (rows[:, :, None] @ d_betas)[:, :, 0], rows

    def _terms(self, problem: Problem, state: State, own: PosedPoints):
        space = own.points + state.transl[:, None]
        vertices, by_point = project(space, problem.focal, problem.centre)
        scale, margin = (
            (SCALE_METRES * self.px_per_metre)[:, None],
            (MARGIN_METRES * self.px_per_metre)[:, None],
        )
        visible = self._visible(own, space)
        inside = ((vertices >= 0) & (vertices < self.size[:, None])).all(-1) & visible
        field, slope = self._sample(vertices)
        share = EFFECTIVE * problem.weights.part
        any_pixels = (self.weight.sum(-1, keepdim=True) > 0).to(field)
        count_v = inside.sum(-1, keepdim=True).clamp_min(1)
        rho, weight = geman_mcclure(field, scale)
        weight_v = inside * weight * (share / count_v) * any_pixels
        energy = (inside * rho).sum(-1) * (share / count_v)[:, 0] * any_pixels[:, 0]

        apart = torch.cdist(self.pixels, vertices)
        other = (self.channel[..., None] != self.vertex_channel) | ~visible[:, None]
        apart = torch.where(other, torch.full_like(apart, 1e6), apart)
        nearest, match = apart.min(-1)
        left = (nearest - margin).clamp_min(0)
        unmatched = nearest > 1e5
        left = torch.where(unmatched, torch.zeros_like(left), left)
        rho, weight = geman_mcclure(left, scale)
        share_p = share / self.weight.sum(-1, keepdim=True).clamp_min(1)
        energy = energy + (self.weight * rho * share_p).sum(-1)
        direction = vertices.gather(1, match[..., None].expand(-1, -1, 2)) - self.pixels
        direction = direction / nearest.clamp_min(1e-6)[..., None]
        weight_p = self.weight * weight * share_p * (left > 0) * ~unmatched
        return energy, by_point, (direction, match, left, weight_p), (slope, field, weight_v)

    def _visible(self, own: PosedPoints, space: Tensor) -> Tensor:
        """Vertices that count: all for a mask; for labelled parts those that face the camera and whose part is there."""
        known = self.present[:, self.vertex_channel]
        if self.distance.shape[1] == 1:
            return known
        normals = torch.einsum("nj,sjxy,ny->snx", self.points.lbs_weights, own.world, self.normals)
        return known & ((normals * space).sum(-1) < 0)

    def _sample(self, vertices: Tensor) -> tuple[Tensor, Tensor]:
        """Distance field of each vertex' channel and its slope, bilinear. -> (S, n), (S, n, 2)."""
        last = self.distance.shape[-1] - 1
        cell = ((vertices - self.origin[:, None]) / self.step[:, None, None]).clamp(
            0.01, last - 0.01
        )
        low = cell.floor()
        fraction = cell - low
        index = low.long()
        size = last + 1
        flat = self.distance.flatten(1)
        base = self.vertex_channel * size * size + index[..., 1] * size + index[..., 0]
        a, b, c, d = (flat.gather(1, base + shift) for shift in (0, 1, size, size + 1))
        fx, fy = fraction.unbind(-1)
        value = (a * (1 - fx) + b * fx) * (1 - fy) + (c * (1 - fx) + d * fx) * fy
        by_x = ((b - a) * (1 - fy) + (d - c) * fy) / self.step[:, None]
        by_y = ((c - a) * (1 - fx) + (d - b) * fx) / self.step[:, None]
        return value, torch.stack((by_x, by_y), -1)


def geman_mcclure(distance: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """rho = x^2 / (1 + x^2) with x = distance / scale, and the weight of the quadratic that touches it."""
    x = (distance / scale) ** 2
    return x / (1 + x), 2 / (scale**2 * (1 + x) ** 2)


@lru_cache(maxsize=4)
def _sampled_vertices(key: BodyKey) -> tuple[np.ndarray, np.ndarray]:
    """Evenly spread vertices (farthest-point sampling on the template) and their normals."""
    v = key.body.v_template.double().cpu().numpy()
    faces = key.body.faces.cpu().numpy()
    chosen = [int(v[:, 1].argmax())]
    distance = np.linalg.norm(v - v[chosen[0]], axis=1)
    while len(chosen) < NUM_VERTICES:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(v - v[chosen[-1]], axis=1))
    return np.array(chosen), vertex_normals(v, faces)[chosen]


@dataclass(frozen=True)
class SkinSample:
    """Sampled vertices as points, their normals (n, 3) and part labels from 0 (n,)."""

    points: PointSet
    normals: Tensor
    labels: Tensor


_samples = IdentityCache()


def sampled_points(body: Body) -> SkinSample:
    """Vertices spread evenly over the skin; the same object for the same body."""

    def make() -> SkinSample:
        index, normals = _sampled_vertices(BodyKey(body))
        chosen = torch.from_numpy(index).to(body.device)
        none = torch.zeros(len(index), 24).to(body.v_template)
        points = PointSet.of(body, none, chosen, torch.eye(len(index)).to(body.v_template))
        return SkinSample(
            points, torch.from_numpy(normals).to(body.v_template), body.parts[chosen] - 1
        )

    return _samples.get((body,), make)


def part_field(
    people: Sequence[Observation], body: Body, px_per_metre: Tensor, seed: int = 0
) -> PartField | None:
    """px_per_metre (N,): size of a metre at each person. Distance fields of everybody's part map or mask; None where nobody has one.

    Part maps are used if everybody who has labels has them; a batch of both kinds is fitted to masks.
    """
    labels = [p.parts for p in people]
    use_parts = any(x is not None for x in labels) and all(
        p.parts is not None or p.mask is None for p in people
    )
    planes = [
        p.parts
        if use_parts
        else (p.mask if p.mask is not None else None if p.parts is None else p.parts > 0)
        for p in people
    ]
    if all(plane is None for plane in planes):
        return None
    channels = NUM_PARTS if use_parts else 1
    random = np.random.default_rng(seed)
    rows = [_one(plane, channels, random) for plane in planes]

    def tensor(index: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.from_numpy(np.stack([row[index] for row in rows])).to(
            device=body.device, dtype=dtype
        )

    sample = sampled_points(body)
    part_channel = sample.labels if use_parts else torch.zeros_like(sample.labels)
    return PartField(
        tensor(0),
        tensor(1),
        tensor(2),
        tensor(3),
        tensor(4, torch.long),
        tensor(5),
        tensor(6, torch.bool),
        tensor(7),
        sample.points,
        sample.normals,
        part_channel,
        px_per_metre.to(body.v_template),
    )


def _one(
    plane: np.ndarray | None, channels: int, random: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """One person's fields; zeros with weight 0 where there are no labels."""
    empty = (
        np.zeros((channels, GRID, GRID), np.float32),
        np.zeros(2),
        np.ones(()),
        np.zeros((NUM_PIXELS, 2)),
        np.zeros(NUM_PIXELS, np.int64),
        np.zeros(NUM_PIXELS),
        np.zeros(channels, bool),
        np.ones(2),
    )
    if plane is None or np.count_nonzero(plane) < MIN_PIXELS:
        return empty
    ys, xs = np.nonzero(plane)
    low, high = np.array([xs.min(), ys.min()], float), np.array([xs.max(), ys.max()], float) + 1
    middle, side = 0.5 * (low + high), 1.6 * (high - low).max()
    origin, step = middle - side / 2, side / (GRID - 1)
    # the label at the centre of each grid cell
    grid = (np.arange(GRID) * step)[:, None] + origin
    columns, lines = np.floor(grid[:, 0]).astype(int), np.floor(grid[:, 1]).astype(int)
    height, width = plane.shape
    inside = ((lines >= 0) & (lines < height))[:, None] & ((columns >= 0) & (columns < width))
    coarse = (
        plane[np.clip(lines, 0, height - 1)[:, None], np.clip(columns, 0, width - 1)].astype(
            np.uint8
        )
        * inside
    )
    distance, present = np.zeros((channels, GRID, GRID), np.float32), np.zeros(channels, bool)
    for c in range(channels):
        own = coarse > 0 if channels == 1 else coarse == c + 1
        present[c] = own.sum() >= 4
        if present[c]:
            distance[c] = cv2.distanceTransform((~own).astype(np.uint8), cv2.DIST_L2, 5) * step
    picks = random.choice(len(xs), NUM_PIXELS, replace=len(xs) < NUM_PIXELS)
    channel = (
        np.zeros(NUM_PIXELS, np.int64)
        if channels == 1
        else plane[ys[picks], xs[picks]].astype(np.int64) - 1
    )
    pixels = np.stack((xs[picks], ys[picks]), -1) + 0.5
    return (
        distance,
        origin,
        np.array(step),
        pixels,
        channel,
        present[channel].astype(float),
        present,
        np.array([width, height], float),
    )
