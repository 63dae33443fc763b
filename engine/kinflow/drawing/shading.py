"""Meshes drawn on photos."""

import colorsys

import numpy as np

from ..bodies.arrays import vertex_normals
from .zbuffer import Raster, rasterise

LIGHT = (0.98, 0.6, 0.8)
SKIN = np.array([190, 175, 232], np.float32)


def part_colours(count: int) -> np.ndarray:
    """One colour a part, (count + 1, 3) uint8 RGB; 0 is black."""
    # neighbours in number differ in hue, and those that come near in hue differ in lightness
    hsv = [(i * 0.381966 % 1, 0.55 + 0.35 * (i % 2), LIGHT[i // 5 % 3]) for i in range(count)]
    rgb = [colorsys.hsv_to_rgb(*colour) for colour in hsv]
    return np.vstack(([[0, 0, 0]], np.array(rgb) * 255)).astype(np.uint8)


def draw_mesh(
    image: np.ndarray,
    vertices: np.ndarray,
    faces: np.ndarray,
    points: np.ndarray,
    opacity: float = 0.8,
    colours: np.ndarray | None = None,
) -> tuple[np.ndarray, Raster]:
    """Shades a mesh over an image. Returns the new image and the raster.

    image (H, W, 3) uint8 RGB; vertices (V, 3) m in the camera's frame; points (V, 2) px; colours
    (V, 3) RGB in 0..255, else a skin-like grey.
    """
    height, width = image.shape[:2]
    raster = rasterise(points, vertices[:, 2], faces, height, width)
    normals = vertex_normals(vertices, faces)
    mask = raster.mask
    corner, weight = faces[raster.face[mask]], raster.weights[mask]
    normal = np.einsum("nk,nkc->nc", weight, normals[corner])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    key = np.clip(normal @ np.array([-0.45, -0.65, -0.61]), 0, 1)
    fill = np.clip(normal @ np.array([0.7, -0.1, -0.7]), 0, 1)
    light = 0.25 + 0.65 * key + 0.22 * fill
    base = SKIN[None]
    if colours is not None:
        base = np.einsum("nk,nkc->nc", weight, colours[corner].astype(np.float32))
    shaded = np.clip(base * light[:, None], 0, 255)
    result = image.copy()
    result[mask] = (opacity * shaded + (1 - opacity) * image[mask]).astype(np.uint8)
    return result, raster
