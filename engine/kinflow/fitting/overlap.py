"""How well a fitted mesh covers what was seen of the person."""

import numpy as np

from ..bodies.arrays import BodyArrays
from ..bodies.parts import NUM_PARTS
from ..drawing.zbuffer import NEAR, mask_iou, part_iou, part_map, rasterise
from ..records import Camera, Observation

OVERLAP_SIZE = 144


def overlaps(
    body: BodyArrays, vertices: np.ndarray, camera: Camera, person: Observation
) -> tuple[float | None, float | None]:
    """Part IoU and mask IoU with what was seen, on a map of OVERLAP_SIZE px about the person."""
    plane = person.parts if person.parts is not None else person.mask
    if plane is None:
        return None, None
    points = camera.project(vertices.astype(np.float64))
    depth = vertices[:, 2].astype(np.float64)
    low, high = _region(points[depth > NEAR], plane, camera)
    step = max(1e-6, float((high - low).max()) / OVERLAP_SIZE)
    width, height = (max(1, int(np.ceil(v))) for v in (high - low) / step)
    local = (points - low) / step
    faces = body.faces
    # a closed mesh hides its own back: half the triangles
    a, b, c = (local[faces[:, k]] for k in range(3))
    front = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) < (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    faces = faces[front]
    raster = rasterise(local, depth, faces, height, width)
    lines = np.floor(low[1] + (np.arange(height) + 0.5) * step).astype(int)
    columns = np.floor(low[0] + (np.arange(width) + 0.5) * step).astype(int)

    def small(plane: np.ndarray) -> np.ndarray:
        rows, cols = np.minimum(lines, plane.shape[0] - 1), np.minimum(columns, plane.shape[1] - 1)
        return plane[rows[:, None], cols]

    parts = mask = None
    if person.parts is not None:
        parts = part_iou(part_map(raster, faces, body.parts), small(person.parts), NUM_PARTS)
    if person.mask is not None:
        mask = mask_iou(raster.mask, small(person.mask))
    return parts, mask


def _region(points: np.ndarray, plane: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """The part of the photo that body or labels fill: its corners in px."""
    low, high = np.zeros(2), np.array([camera.width, camera.height], float)
    columns, lines = np.flatnonzero(plane.any(0)), np.flatnonzero(plane.any(1))
    ends = []
    if len(columns):
        ends.append([[columns[0], lines[0]], [columns[-1] + 1, lines[-1] + 1]])
    if len(points):
        ends.append([points.min(0), points.max(0)])
    if not ends:
        return low, high
    corners = np.array(ends, float)
    first, last = np.clip(corners[:, 0].min(0), low, high), np.clip(corners[:, 1].max(0), low, high)
    return (first, last) if (last - first).min() >= 1 else (low, high)
