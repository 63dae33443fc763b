"""A software z-buffer, vectorised over triangles: works without a screen or a graphics card."""

from dataclasses import dataclass

import numpy as np

NEAR = 0.05
MAX_PIXEL = 1e9
_CHUNK = 4_000_000


@dataclass(frozen=True)
class Raster:
    """What each pixel shows.

    face (H, W) int32, -1 where nothing; depth (H, W) float32 m, inf where nothing; weights
    (H, W, 3) barycentric.
    """

    face: np.ndarray
    depth: np.ndarray
    weights: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        return self.face >= 0


@dataclass(frozen=True)
class _Triangles:
    """Those to draw, as corners (N, 3, 2) px, reciprocal depth (N, 3), twice the signed area (N,),
    first pixel (N, 2) and extent (N, 2) on the image, and their numbers (N,) among the faces."""

    corners: np.ndarray
    inverse: np.ndarray
    area: np.ndarray
    low: np.ndarray
    size: np.ndarray
    face: np.ndarray


def _triangles(
    points: np.ndarray, depth: np.ndarray, faces: np.ndarray, height: int, width: int
) -> _Triangles:
    corners = points[faces].astype(np.float64)
    keep = (depth[faces].min(1) > NEAR) & np.isfinite(corners).all((1, 2))
    keep[keep] = np.abs(corners[keep]).max((1, 2)) < MAX_PIXEL
    corners = np.where(keep[:, None, None], corners, 0.0)
    low = np.floor(corners.min(1) - 0.5).astype(np.int64)
    high = np.ceil(corners.max(1) - 0.5).astype(np.int64)
    keep &= (high >= 0).all(1) & (low[:, 0] < width) & (low[:, 1] < height)
    low = np.clip(low, 0, (width - 1, height - 1))
    high = np.clip(high, 0, (width - 1, height - 1))
    ab, ac = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = ab[:, 0] * ac[:, 1] - ac[:, 0] * ab[:, 1]
    face = np.nonzero(keep & (np.abs(area) > 1e-9))[0]
    inverse = 1.0 / depth[faces[face]]
    return _Triangles(corners[face], inverse, area[face], low[face], (high - low + 1)[face], face)


def _covered(triangles: _Triangles, begin: int, end: int) -> tuple[np.ndarray, ...]:
    """Which triangle covers which pixel: its number, x, y (P,) each, and weights (P, 3)."""
    size = triangles.size[begin:end]
    count = size.prod(1)
    number = np.repeat(np.arange(begin, end), count)
    local = np.arange(len(number)) - np.repeat(np.cumsum(count) - count, count)
    wide = triangles.size[number, 0]
    x = triangles.low[number, 0] + local % wide
    y = triangles.low[number, 1] + local // wide
    a = triangles.corners[:, 0]
    ab, ac = triangles.corners[:, 1] - a, triangles.corners[:, 2] - a
    qx, qy = x + 0.5 - a[number, 0], y + 0.5 - a[number, 1]
    area = triangles.area[number]
    w1 = (qx * ac[number, 1] - qy * ac[number, 0]) / area
    w2 = (ab[number, 0] * qy - ab[number, 1] * qx) / area
    w0 = 1 - w1 - w2
    inside = (w0 >= -1e-9) & (w1 >= -1e-9) & (w2 >= -1e-9)
    weights = np.stack((w0[inside], w1[inside], w2[inside]), -1)
    return number[inside], x[inside], y[inside], weights


def rasterise(
    points: np.ndarray, depth: np.ndarray, faces: np.ndarray, height: int, width: int
) -> Raster:
    """Draws triangles. points (V, 2) px (pixel centres at .5), depth (V,) m, faces (F, 3).

    Depth is interpolated as its reciprocal, which is linear on the image. Faces with a corner
    nearer than NEAR or behind the camera are left out.
    """
    triangles = _triangles(points, depth, faces, height, width)
    face_map = np.full(height * width, -1, np.int32)
    nearest = np.zeros(height * width)
    weight_map = np.zeros((height * width, 3), np.float32)
    total = np.concatenate(([0], np.cumsum(triangles.size.prod(1))))
    begin = 0
    while begin < len(triangles.face):
        end = max(begin + 1, int(np.searchsorted(total, total[begin] + _CHUNK, "right")) - 1)
        number, x, y, weights = _covered(triangles, begin, end)
        z = np.einsum("nk,nk->n", weights, triangles.inverse[number])
        place = y * width + x
        # nearest last: of several writes to one pixel the last one stays
        order = np.argsort(z, kind="stable")
        order = order[z[order] > nearest[place[order]]]
        place = place[order]
        nearest[place] = z[order]
        face_map[place] = triangles.face[number[order]]
        weight_map[place] = weights[order]
        begin = end
    with np.errstate(divide="ignore"):
        depth_map = np.where(nearest > 0, 1.0 / nearest, np.inf).astype(np.float32)
    shape = (height, width)
    return Raster(face_map.reshape(shape), depth_map.reshape(shape), weight_map.reshape(*shape, 3))


def visible_vertices(raster: Raster, faces: np.ndarray, count: int) -> np.ndarray:
    """Vertices of the faces that are seen. -> (V,) bool."""
    visible = np.zeros(count, bool)
    visible[faces[np.unique(raster.face[raster.mask])]] = True
    return visible


def part_map(raster: Raster, faces: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Label of the nearest corner of the face at each pixel, 0 where nothing. -> (H, W) uint8."""
    nearest = raster.weights.argmax(-1)[..., None]
    corner = np.take_along_axis(faces[raster.face], nearest, -1)[..., 0]
    return np.where(raster.mask, labels[corner], 0).astype(np.uint8)


def mask_iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boolean maps; 0 where both are empty."""
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 0.0


def part_iou(a: np.ndarray, b: np.ndarray, parts: int) -> float:
    """Mean IoU over the parts that either label map holds. (H, W) uint8 each."""
    held = [p for p in range(1, parts + 1) if (a == p).any() or (b == p).any()]
    return float(np.mean([mask_iou(a == p, b == p) for p in held])) if held else 0.0
