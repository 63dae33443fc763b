"""Fits over their photo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..records import FitResult
from .shading import draw_mesh, part_colours

MAX_SIDE = 1600
_PALETTE = part_colours(12)[1:]


def overlay(rgb: np.ndarray, results: Sequence[FitResult], opacity: float = 0.75) -> np.ndarray:
    """Meshes over the photo, nearer people in front, each in its own tint. rgb (H, W, 3) uint8 -> same shape."""
    image = rgb
    ordered = sorted(range(len(results)), key=lambda i: -float(results[i].joints[0, 2]))
    for index in ordered:
        result = results[index]
        if result.status in ("failed", "too_few_keypoints"):
            continue
        scale = np.array([rgb.shape[1] / result.camera.width, rgb.shape[0] / result.camera.height])
        points = result.camera.project(result.vertices.astype(np.float64)) * scale
        tint = 0.45 * _PALETTE[index % len(_PALETTE)] + 0.55 * np.array([205, 195, 230])
        colours = np.tile(tint, (len(result.vertices), 1))
        image, _ = draw_mesh(image, result.vertices.astype(np.float64), result.faces, points, opacity, colours)
    return image


def hypothesis_strip(rgb: np.ndarray, result: FitResult, meshes: Sequence[np.ndarray]) -> np.ndarray:
    """One overlay a hypothesis, side by side. meshes: (V, 3) camera-frame vertices of each."""
    from dataclasses import replace

    return np.concatenate([overlay(rgb, [replace(result, vertices=m)]) for m in meshes], axis=1)
