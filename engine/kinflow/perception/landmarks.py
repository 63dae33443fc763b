"""A region of a photo -> the body in it, by BlazePose's landmark network."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..bodies.keypoint_names import BLAZEPOSE33, partners
from .regions import Pyramid, Region, body_region
from .ssd import sigmoid
from .tflite import run_network

SIDE = 256
COUNT = 33
_HIPS, _END = 33, 34  # what tells the next region
_KERNEL = 3  # half of the window in which a heat map refines
_MIN_HEAT = 0.5
MIRRORED = np.array(partners(BLAZEPOSE33))
"""Index of the keypoint on the other side of the body."""
LEGS = slice(25, 33)  # knees to feet


@dataclass(frozen=True)
class Look:
    """What one look at a region shows. points (33, 2) px of the photo; visible, present (33,) in
    0..1; world (33, 3) m, camera axes, about the hips; mask (256, 256): logits over the region;
    score: whether somebody is there; following: the region that the body itself asks for."""

    region: Region
    points: np.ndarray
    visible: np.ndarray
    present: np.ndarray
    world: np.ndarray
    mask: np.ndarray
    score: float
    following: Region

    @property
    def box(self) -> np.ndarray:
        """Extent of the keypoints. xyxy px."""
        return np.concatenate((self.points.min(0), self.points.max(0)))


def look(pyramid: Pyramid, region: Region, network: Path, mirrored: bool = False) -> Look:
    """Runs the network on a region; mirrored: on its mirror image, and the answer turned back."""
    crop = pyramid.crop(region, SIDE)
    if mirrored:
        crop = crop[:, ::-1]
    image = np.ascontiguousarray(crop, np.float32) / 255
    marks, score, mask, heat, world = run_network(network, image)
    marks = refined(marks.reshape(-1, 5).astype(np.float64), heat)
    world = world.reshape(-1, 3)[:COUNT].astype(np.float64)
    mask = mask[..., 0]
    if mirrored:
        marks[:, 0], world[:, 0], mask = SIDE - marks[:, 0], -world[:, 0], mask[:, ::-1]
        marks[:COUNT], world = marks[MIRRORED], world[MIRRORED]
    points = region.to_photo(marks[:, :2] / SIDE)
    visible, present = sigmoid(marks[:COUNT, 3]), sigmoid(marks[:COUNT, 4])
    following = body_region(points[_HIPS], points[_END])
    turned = turn_about_depth(world, region.angle)
    return Look(region, points[:COUNT], visible, present, turned, mask, float(score[0]), following)


def refined(marks: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Landmarks (K, 5) px of the crop, moved to the centre of mass of their heat maps (h, w, K)
    nearby where those are sure. (RefineLandmarksFromHeatmapCalculator)"""
    height, width, count = heat.shape
    cell = np.array([width, height]) / SIDE
    at = np.floor(marks[:, :2] * cell).astype(int)
    rim = (_KERNEL, _KERNEL)
    padded = np.pad(heat, (rim, rim, (0, 0)), constant_values=-np.inf)
    inside = ((at >= 0) & (at < (width, height))).all(1)
    x, y = np.where(inside[:, None], at, 0).T
    steps = np.arange(2 * _KERNEL + 1)
    window = padded[
        y[:, None, None] + steps[:, None], x[:, None, None] + steps, np.arange(count)[:, None, None]
    ]
    window = sigmoid(window.astype(np.float64))
    sure = inside & (window.max((1, 2)) >= _MIN_HEAT)
    total = np.where(sure, window.sum((1, 2)), 1)
    offsets = steps - _KERNEL
    moved_x = x + (window * offsets).sum((1, 2)) / total
    moved_y = y + (window * offsets[:, None]).sum((1, 2)) / total
    result = marks.copy()
    result[sure, :2] = (np.stack((moved_x, moved_y), -1) / cell)[sure]
    return result


def turn_about_depth(world: np.ndarray, angle: float) -> np.ndarray:
    """3D landmarks (K, 3) of a turned region in the photo's axes."""
    cos, sin = np.cos(angle), np.sin(angle)
    x, y, z = world.T
    return np.stack((cos * x - sin * y, sin * x + cos * y, z), -1)
