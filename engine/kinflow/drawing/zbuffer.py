"""A software z-buffer, vectorised over triangles: works without a screen or a graphics card."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEAR = 0.05
_CHUNK = 4_000_000


@dataclass(frozen=True)
class Raster:
    """face (H, W) int32, -1 where nothing; depth (H, W) float32 m, inf where nothing; weights (H, W, 3) barycentric."""

    face: np.ndarray
    depth: np.ndarray
    weights: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        return self.face >= 0


def rasterise(
    points: np.ndarray, depth: np.ndarray, faces: np.ndarray, height: int, width: int
) -> Raster:
    """Draws triangles. points (V, 2) px (pixel centres at .5), depth (V,) m, faces (F, 3).

    Depth is interpolated as its reciprocal, which is linear on the image. Faces with a corner nearer than NEAR
    or behind the camera are left out.
    """
    corners = points[faces].astype(np.float64)
    inverse = 1.0 / np.maximum(depth[faces], 1e-9)
    low = np.floor(corners.min(1) - 0.5).astype(np.int64)
    high = np.ceil(corners.max(1) - 0.5).astype(np.int64)
    keep = (depth[faces].min(1) > NEAR) & np.isfinite(corners).all((1, 2))
    keep &= (high >= 0).all(1) & (low[:, 0] < width) & (low[:, 1] < height)
    low = np.clip(low, 0, (width - 1, height - 1))
    high = np.clip(high, 0, (width - 1, height - 1))
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    index = np.nonzero(keep & (np.abs(area) > 1e-9))[0]
    size = (high - low + 1)[index]
    count = size[:, 0] * size[:, 1]

    face_map = np.full(height * width, -1, np.int32)
    nearest = np.zeros(height * width)
    weight_map = np.zeros((height * width, 3), np.float32)
    starts = np.concatenate(([0], np.cumsum(count)))
    begin = 0
    while begin < len(index):
        end = max(begin + 1, int(np.searchsorted(starts, starts[begin] + _CHUNK, "right")) - 1)
        part, number = index[begin:end], count[begin:end]
        triangle = np.repeat(part, number)
        local = np.arange(len(triangle)) - np.repeat(starts[begin:end] - starts[begin], number)
        wide = np.repeat(size[begin:end, 0], number)
        x = low[triangle, 0] + local % wide
        y = low[triangle, 1] + local // wide
        px, py = x + 0.5, y + 0.5
        ax, ay = a[triangle, 0], a[triangle, 1]
        bx, by = b[triangle, 0] - ax, b[triangle, 1] - ay
        cx, cy = c[triangle, 0] - ax, c[triangle, 1] - ay
        qx, qy = px - ax, py - ay
        w1 = (qx * cy - qy * cx) / area[triangle]
        w2 = (bx * qy - by * qx) / area[triangle]
        w0 = 1 - w1 - w2
        inside = (w0 >= -1e-9) & (w1 >= -1e-9) & (w2 >= -1e-9)
        triangle, pixel = triangle[inside], (y * width + x)[inside]
        w = np.stack((w0[inside], w1[inside], w2[inside]), -1)
        z = np.einsum("nk,nk->n", w, inverse[triangle])
        # nearest last: of several writes to one pixel the last one stays
        order = np.argsort(z, kind="stable")
        order = order[z[order] > nearest[pixel[order]]]
        place = pixel[order]
        nearest[place] = z[order]
        face_map[place] = triangle[order]
        weight_map[place] = w[order]
        begin = end
    with np.errstate(divide="ignore"):
        depth_map = np.where(nearest > 0, 1.0 / nearest, np.inf)
    shape = (height, width)
    return Raster(
        face_map.reshape(shape),
        depth_map.reshape(shape).astype(np.float32),
        weight_map.reshape(*shape, 3),
    )


def visible_vertices(raster: Raster, faces: np.ndarray, count: int) -> np.ndarray:
    """Vertices of the faces that are seen. -> (V,) bool."""
    seen = np.zeros(count, bool)
    seen[faces[np.unique(raster.face[raster.mask])]] = True
    return seen


def part_map(raster: Raster, faces: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Label of the nearest corner of the seen face at each pixel, 0 where nothing. -> (H, W) uint8."""
    corner = np.take_along_axis(faces[raster.face], raster.weights.argmax(-1)[..., None], -1)[
        ..., 0
    ]
    return np.where(raster.mask, labels[corner], 0).astype(np.uint8)


def mask_iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boolean maps; 0 where both are empty."""
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 0.0


def part_iou(a: np.ndarray, b: np.ndarray, parts: int) -> float:
    """Mean IoU over the parts that either label map holds. (H, W) uint8 each."""
    values = [
        mask_iou(a == p, b == p) for p in range(1, parts + 1) if (a == p).any() or (b == p).any()
    ]
    return float(np.mean(values)) if values else 0.0
