"""Drawn people -> what perception would have given of them, and their truth."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from torch import Tensor

from ...bodies.parts import NUM_PARTS
from ...guess.inputs import CROP, Inputs, keypoint_crop
from ..synthetic import PHOTO, DetectorNoise, People, corrupt_keypoints, corrupt_mask

_SKIN_PARTS = (1, 5, 6, 7, 8)  # head, forearms, hands
_SHIRT, _TROUSERS, _SHOES = (2, 3, 4), (9, 10, 11, 12), (13, 14)


@dataclass(frozen=True)
class Style:
    """How drawn photos look, and what reaches the network of them: chances that the photo, the part map or the mask is
    missing; texture on clothes and things in the background; corruption as the detector's."""

    no_photo: float = 0.4
    no_parts: float = 0.4
    no_mask: float = 0.15
    texture: float = 0.0
    clutter: int = 2
    noise: DetectorNoise = field(default_factory=DetectorNoise)


@dataclass(frozen=True)
class Truth:
    """rotations (B, 24, 3, 3) with the root first, betas (B, 10), transl (B, 3)."""

    rotations: Tensor
    betas: Tensor
    transl: Tensor

    @staticmethod
    def of(people: People) -> Truth:
        return Truth(
            *(torch.from_numpy(a) for a in (people.rotations, people.betas, people.transl))
        )


def make_inputs(people: People, style: Style, random: np.random.Generator) -> Inputs:
    """Corrupted inputs of all; another call gives other corruption, colours and backgrounds."""
    points, confidence = corrupt_keypoints(people.crop_keypoints(), style.noise, random)
    lost = (confidence > 0).sum(1) < 4
    points[lost], confidence[lost] = people.crop_keypoints()[lost], 1.0
    # crops about the keypoints that are left, in the pixels of the drawn crop
    local = keypoint_crop(points, confidence)
    local[:, :2] += local[:, 2:] * random.normal(0, 0.015, (len(people), 2))
    rgb, masks, parts = [], [], []
    for i in range(len(people)):
        soft, labels = corrupt_mask(people.parts[i], style.noise, random)
        scale = CROP / local[i, 2]
        move = np.array([[scale, 0, -local[i, 0] * scale], [0, scale, -local[i, 1] * scale]])
        move[:, 2] += 0.5 * (scale - 1)  # pixel centres
        warp = lambda plane, how, move=move: cv2.warpAffine(plane, move, (CROP, CROP), flags=how)  # noqa: E731
        mask = warp((255 * soft).astype(np.uint8), cv2.INTER_LINEAR)
        seen, light = warp(labels, cv2.INTER_NEAREST), warp(people.shade[i], cv2.INTER_LINEAR)
        show, label, mark = random.random(3) >= (style.no_photo, style.no_parts, style.no_mask)
        drawn = warp(people.parts[i], cv2.INTER_NEAREST)
        rgb.append(
            paint(drawn, light, style, random) if show else np.zeros((3, CROP, CROP), np.uint8)
        )
        masks.append(mask if mark else np.zeros((CROP, CROP), np.uint8))
        parts.append(seen if label and mark else np.zeros((CROP, CROP), np.uint8))
    crop = np.concatenate(
        (
            people.crop[:, :2] + local[:, :2] / CROP * people.crop[:, 2:],
            local[:, 2:] / CROP * people.crop[:, 2:],
        ),
        1,
    )
    photo = people.crop[:, None, :2] + points / CROP * people.crop[:, None, 2:]
    tensor = lambda a, dtype: torch.from_numpy(np.ascontiguousarray(a, dtype))  # noqa: E731
    count = len(people)
    return Inputs(
        tensor(np.stack(rgb), np.uint8),
        tensor(np.stack(masks), np.uint8),
        tensor(np.stack(parts), np.uint8),
        tensor(photo, np.float32),
        tensor(confidence, np.float32),
        tensor(np.repeat(people.focal[:, None], 2, 1), np.float32),
        torch.full((count, 2), PHOTO / 2),
        tensor(crop, np.float32),
    )


def paint(
    parts: np.ndarray, light: np.ndarray, style: Style, random: np.random.Generator
) -> np.ndarray:
    """A person in clothes before a background. parts, light (CROP, CROP) uint8 -> (3, CROP, CROP) uint8."""
    colours = np.zeros((NUM_PARTS + 1, 3), np.float32)
    colours[list(_SKIN_PARTS)] = np.array([224, 172, 138]) * random.uniform(0.35, 1.1)
    for group in (_SHIRT, _TROUSERS, _SHOES):
        colours[list(group)] = random.uniform(20, 250, 3)
    if random.random() < 0.4:  # long sleeves
        colours[[5, 6]] = colours[2]
    image = np.broadcast_to(random.uniform(30, 230, 3), (CROP, CROP, 3)).astype(np.float32)
    image = image + random.normal(0, 30, 3) * np.linspace(-1, 1, CROP)[:, None, None]
    for _ in range(random.integers(0, style.clutter + 1)):
        x, y = random.integers(0, CROP, 2)
        w, h = random.integers(4, CROP // 2, 2)
        image[y : y + h, x : x + w] = random.uniform(10, 245, 3)
    body = colours[parts]
    if style.texture:
        period, angle = random.uniform(3, 9), random.uniform(0, np.pi)
        yy, xx = np.mgrid[:CROP, :CROP]
        stripes = np.sin((xx * np.cos(angle) + yy * np.sin(angle)) * 2 * np.pi / period)
        body = body * (
            1 + style.texture * stripes[..., None] * (~np.isin(parts, _SKIN_PARTS))[..., None]
        )
    image = np.where((parts > 0)[..., None], body * (light[..., None] / 255), image)
    image = image * random.uniform(0.6, 1.2) + random.normal(0, random.uniform(0, 12), image.shape)
    return np.clip(image, 0, 255).astype(np.uint8).transpose(2, 0, 1)
