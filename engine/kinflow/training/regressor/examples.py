"""Drawn people -> what perception would have given of them, and their truth."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from torch import Tensor

from ...guessing.inputs import CROP, Inputs, keypoint_crop
from ..synthetic import PHOTO, DetectorNoise, People, corrupt_keypoints, corrupt_mask


@dataclass(frozen=True)
class Style:
    """What reaches the network of drawn people: chances that the part map or the mask is missing.

    noise: what the detector does to the rest.
    """

    no_parts: float = 0.4
    no_mask: float = 0.15
    noise: DetectorNoise = field(default_factory=DetectorNoise)


@dataclass(frozen=True)
class Truth:
    """rotations (B, 24, 3, 3) with the root first, betas (B, 10), transl (B, 3) m."""

    rotations: Tensor
    betas: Tensor
    transl: Tensor

    @staticmethod
    def of(people: People, device: torch.device | str = "cpu") -> Truth:
        arrays = (people.rotations, people.betas, people.transl)
        return Truth(*(torch.from_numpy(a).to(device) for a in arrays))


def make_inputs(people: People, style: Style, random: np.random.Generator) -> Inputs:
    """Corrupted inputs of all; another call gives other corruption."""
    truth = people.crop_keypoints()
    points, confidence = corrupt_keypoints(truth, style.noise, random)
    lost = (confidence > 0).sum(1) < 4
    points[lost], confidence[lost] = truth[lost], 1.0
    # crops about the keypoints that are left, in the pixels of the drawn crop
    local = keypoint_crop(points, confidence)
    local[:, :2] += local[:, 2:] * random.normal(0, 0.015, (len(people), 2))
    pairs = zip(people.parts, local, strict=True)
    planes = [_planes(drawn, square, style, random) for drawn, square in pairs]
    masks, parts = (torch.from_numpy(np.stack(rows)) for rows in zip(*planes, strict=True))
    corner, scale = people.crop[:, :2], people.crop[:, 2:] / CROP
    crop = np.concatenate((corner + scale * local[:, :2], scale * local[:, 2:]), 1)
    keypoints = corner[:, None] + scale[:, None] * points
    arrays = (keypoints, confidence, np.repeat(people.focal[:, None], 2, 1), crop)
    places, sure, focal, square = (torch.from_numpy(a.astype(np.float32)) for a in arrays)
    centre = torch.full((len(people), 2), PHOTO / 2)
    return Inputs(masks, parts, places, sure, focal, centre, square)


def _planes(
    parts: np.ndarray, crop: np.ndarray, style: Style, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Corrupted mask and part labels on a crop (x, y, side) of the drawn crop, both maybe empty."""
    mask, labels = corrupt_mask(parts, style.noise, random)
    has_parts, has_mask = random.random(2) >= (style.no_parts, style.no_mask)
    scale = CROP / crop[2]
    move = np.array([[scale, 0, -crop[0] * scale], [0, scale, -crop[1] * scale]])
    move[:, 2] += 0.5 * (scale - 1)  # pixel centres
    soft = (255 * mask).astype(np.uint8)
    soft_there = cv2.warpAffine(soft, move, (CROP, CROP), flags=cv2.INTER_LINEAR)
    labels_there = cv2.warpAffine(labels, move, (CROP, CROP), flags=cv2.INTER_NEAREST)
    return has_mask * soft_there, (has_mask and has_parts) * labels_there
