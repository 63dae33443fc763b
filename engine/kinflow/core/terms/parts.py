"""Body parts and silhouettes (loss BA).

With V_b the visible projected vertices of part b and P_b the pixels labelled b, the term is

    E = N/|P| sum_{p in P} g( [min_{v in V_b(p)} |p - v| - m]_+ / s )  +  N/|V| sum_{v in V} g(
    D_b(v)(v) / s )

D_b is the distance to the nearest pixel labelled b, m the one-sided margin that clothing may stand
off the body (and the spacing of the sampled vertices), s a scale of a few centimetres at the body,
g the Geman-McClure function, which lets go of what other things cover, and N = EFFECTIVE the number
of keypoints that the whole term is worth. A part that is not labelled in the photo costs nothing,
neither do vertices outside the photo. With a person mask alone there is one part, the whole body,
and every vertex counts as visible: a silhouette term. Matches and the slopes of D are fixed within
a step; each sample gives one row.
"""

from dataclasses import dataclass

from ..arrays import Array, Namespace, any_used, arange_like, in_batch, per_person
from ..camera import project
from ..points import PointTable, point_rows
from ..posterior import PosedState, Rows
from .robust import geman_mcclure

EFFECTIVE = 200.0
SCALE_METRES = 0.06
MARGIN_METRES = 0.02


def part_alignment(
    xp: Namespace, vertices: Array, vertex_parts: Array, pixels: Array, pixel_parts: Array
) -> Array:
    """Loss BA as a definition, px: part by part and in both directions.

    Mean over labelled pixels of the distance to the nearest visible projected vertex of the same
    part, plus the mean over visible vertices of the distance to the nearest pixel of their part.
    Parts that are on one side only cost nothing.

    vertices (S, V, 2) px with parts (S, V), 0 where invisible; pixels (S, P, 2) px with parts (S,
    P), 0 for none -> (S,) px.
    """
    match = (pixel_parts[..., None] == vertex_parts[:, None]) & (pixel_parts[..., None] > 0)
    squared = xp.where(match, pairwise_squared(xp, pixels, vertices), xp.inf)

    def mean(nearest: Array) -> Array:
        known = xp.isfinite(nearest)
        distance = xp.sqrt(xp.where(known, xp.where(nearest > 0, nearest, 0.0), 0.0))
        count = xp.sum(xp.astype(known, distance.dtype), axis=-1)
        return xp.sum(distance, axis=-1) / xp.where(count > 0, count, xp.ones_like(count))

    return mean(xp.min(squared, axis=-1)) + mean(xp.min(squared, axis=-2))


def pairwise_squared(xp: Namespace, one: Array, other: Array) -> Array:
    """Squared distances. (S, P, 2), (S, V, 2) -> (S, P, V)."""
    # about their middle, so that the products do not cancel
    middle = xp.mean(one, axis=1)[:, None]
    a, b = one - middle, other - middle
    lengths = xp.sum(a * a, axis=-1)[..., None] + xp.sum(b * b, axis=-1)[:, None]
    return lengths - 2 * a @ b.swapaxes(1, 2)


@dataclass(frozen=True)
class Skin:
    """Vertices spread over the skin: their table, normals (n, 3), lbs_weights (n, 24) and part
    labels (n,) from 1."""

    table: PointTable
    normals: Array
    lbs_weights: Array
    labels: Array

    def facing(self, xp: Namespace, world: Array, places: Array) -> Array:
        """Which vertices face the camera. world (S, 24, 3, 3), places (S, n, 3) -> (S, n) bool."""
        turned = self.lbs_weights @ world.reshape((len(world), -1, 9))
        normals = xp.sum(turned.reshape((*places.shape, 3)) * self.normals[:, None], axis=-1)
        return xp.sum(normals * places, axis=-1) < 0


@dataclass(frozen=True)
class Fields:
    """Labelled pixels of S people as distance fields on a grid about each person.

    distance (S, C, G, G) px; origin (S, 2) px and step (S,) px a cell; pixels (S, P, 2) px with
    channel (S, P) and weight (S, P); present (S, C): which channels are labelled; size (S, 2): the
    photo's width and height; px_per_metre (S,) at the body, fixed so that shrinking the scale is no
    way out.
    """

    distance: Array = per_person()
    origin: Array = per_person()
    step: Array = per_person()
    pixels: Array = per_person()
    channel: Array = per_person()
    weight: Array = per_person()
    present: Array = per_person()
    size: Array = per_person()
    px_per_metre: Array = per_person()

    def at(self, xp: Namespace, points: Array, channel: Array) -> tuple[Array, Array]:
        """The field of each point's channel, bilinear, and its slope.

        points (S, n, 2) px, channel (n,) -> (S, n) px, (S, n, 2).
        """
        size, step = self.distance.shape[-1], self.step[:, None]
        cell = (points - self.origin[:, None]) / step[..., None]
        cell = xp.where(xp.isfinite(cell), xp.clip(cell, 0.01, size - 1.01), 0.01)
        low = xp.floor(cell)
        fx, fy = (cell - low)[..., 0], (cell - low)[..., 1]
        index = xp.astype(low, xp.int64)
        base = channel * (size * size) + index[..., 1] * size + index[..., 0]
        flat = self.distance.reshape((len(self.distance), -1))
        a, b, c, d = (in_batch(xp, flat, base + shift) for shift in (0, 1, size, size + 1))
        value = (a * (1 - fx) + b * fx) * (1 - fy) + (c * (1 - fx) + d * fx) * fy
        by_x = ((b - a) * (1 - fy) + (d - c) * fy) / step
        by_y = ((c - a) * (1 - fx) + (d - b) * fx) / step
        return value, xp.stack((by_x, by_y), axis=-1)


@dataclass(frozen=True)
class _Samples:
    """value (S,) nats; distance (S, M) px, its slope (S, M, 2) by the vertex' pixel, root (S, M) of
    the reweighted form's weights."""

    value: Array
    distance: Array
    slope: Array
    root: Array


@dataclass(frozen=True)
class Parts:
    """The solver's form of loss BA; channel (n,): of the fields, for each vertex of the skin."""

    skin: Skin
    channel: Array
    weight: float
    fields: Fields = per_person()

    def value(self, xp: Namespace, posed: PosedState) -> Array:
        """-> (S,) nats."""
        vertices, _, visible = self._projected(xp, posed)
        of_pixels, _ = self._of_pixels(xp, vertices, visible)
        return self._of_vertices(xp, vertices, visible).value + of_pixels.value

    def rows(self, xp: Namespace, posed: PosedState) -> Rows:
        """One row a vertex, along its field's slope, and one a pixel, towards its vertex."""
        vertices, slopes, visible = self._projected(xp, posed)
        of_vertices = self._of_vertices(xp, vertices, visible)
        of_pixels, match = self._of_pixels(xp, vertices, visible)
        both = (of_vertices, of_pixels)
        root = xp.concat([s.root for s in both], axis=1)
        used = any_used(xp, root)  # most pixels are explained well enough
        root = root[:, used]
        distance = xp.concat([s.distance for s in both], axis=1)[:, used]
        slope = xp.concat([s.slope for s in both], axis=1)[:, used] * root[..., None]
        every = xp.broadcast_to(arange_like(xp, vertices.shape[1], match), vertices.shape[:2])
        which = xp.concat((every, match), axis=1)[:, used]
        slope = (slope[:, :, None] @ in_batch(xp, slopes, which))[:, :, 0]
        rows = point_rows(xp, posed.levers(self.skin.table), which, slope)
        return Rows(of_vertices.value + of_pixels.value, distance * root, rows)

    def _projected(self, xp: Namespace, posed: PosedState) -> tuple[Array, Array, Array]:
        """Vertices (S, n, 2) px, their slopes, and which count: all that are labelled for a mask;
        for parts those that face the camera too."""
        places = posed.places(self.skin.table)
        vertices, slopes = project(xp, places, posed.lens)
        visible = self.fields.present[:, self.channel]
        if self.fields.present.shape[1] > 1:
            visible = visible & self.skin.facing(xp, posed.skeleton.world, places)
        return vertices, slopes, visible

    def _of_vertices(self, xp: Namespace, vertices: Array, visible: Array) -> _Samples:
        fields = self.fields
        inside = (vertices >= 0) & (vertices < fields.size[:, None])
        inside = xp.astype(xp.all(inside, axis=-1) & visible, vertices.dtype)
        distance, slope = fields.at(xp, vertices, self.channel)
        labelled = xp.sum(fields.weight, axis=-1)[:, None] > 0
        count = xp.sum(inside, axis=-1)[:, None]
        count = xp.where(count > 0, count, xp.ones_like(count))
        share = inside * labelled * (EFFECTIVE * self.weight) / count
        rho, weight = geman_mcclure(distance, (SCALE_METRES * fields.px_per_metre)[:, None])
        return _Samples(xp.sum(share * rho, axis=-1), distance, slope, xp.sqrt(share * weight))

    def _of_pixels(self, xp: Namespace, vertices: Array, visible: Array) -> tuple[_Samples, Array]:
        """-> samples, and the vertex (S, P) that each pixel is nearest to."""
        fields, per_metre = self.fields, self.fields.px_per_metre[:, None]
        squared = pairwise_squared(xp, fields.pixels, vertices)
        other = ~visible[:, None]
        if fields.present.shape[1] > 1:
            other = other | (fields.channel[..., None] != self.channel)
        squared = xp.where(other, xp.inf, squared)
        match = xp.argmin(squared, axis=-1)
        matched = xp.isfinite(xp.min(squared, axis=-1))
        apart = in_batch(xp, vertices, match) - fields.pixels
        nearest = xp.sqrt(xp.sum(apart * apart, axis=-1) + 1e-12)
        left = nearest - MARGIN_METRES * per_metre
        left = xp.where(matched & (left > 0), left, xp.zeros_like(left))
        count = xp.sum(fields.weight, axis=-1)[:, None]
        count = xp.where(count > 1, count, xp.ones_like(count))
        share = fields.weight * (EFFECTIVE * self.weight / count)
        rho, weight = geman_mcclure(left, SCALE_METRES * per_metre)
        root = xp.sqrt(share * weight * (left > 0))
        samples = _Samples(xp.sum(share * rho, axis=-1), left, apart / nearest[..., None], root)
        return samples, match
