"""What the regressor is shown of a person: planes on a square crop, keypoints and lens as numbers.

The planes are the person's mask, a heatmap for each keypoint and a plane for each body part.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from ..bodies.keypoint_names import COCO17, NAMES
from ..bodies.parts import NUM_PARTS
from ..records import Camera, Observation
from .look import ANY_PART

CROP = 64
KEYPOINT_SET = "coco17"
NUM_KEYPOINTS = 17
CROP_MARGIN = 1.4  # keypoints end at ankles, wrists and eyes; bodies do not
MOST_PHOTOS = (
    4.0  # a crop so many times as large as the photo shows nothing, and its rim is endless
)
HEAT_DEVIATION = 1.5
PART_PIXELS = 48
NUM_PLANES = 1 + NUM_KEYPOINTS + NUM_PARTS
NUM_NUMBERS = 3 * NUM_KEYPOINTS + 3


@dataclass(frozen=True)
class Inputs:
    """B people, in px of the photo.

    mask (B, CROP, CROP) uint8, from 0 to 255, 0 where there is none; parts (B, CROP, CROP) uint8
    labels, 0 where there is none; keypoints (B, 17, 2), confidence (B, 17) with 0 for missing;
    focal (B, 2); centre (B, 2); crop (B, 3): x, y of the corner and side.
    """

    mask: Tensor
    parts: Tensor
    keypoints: Tensor
    confidence: Tensor
    focal: Tensor
    centre: Tensor
    crop: Tensor

    def __len__(self) -> int:
        return len(self.mask)

    def pick(self, rows: Tensor) -> Inputs:
        return Inputs(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def to(self, device: torch.device | str) -> Inputs:
        return Inputs(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))

    @staticmethod
    def cat(items: list[Inputs]) -> Inputs:
        return Inputs(
            *(torch.cat([getattr(i, name) for i in items]) for name in Inputs.__dataclass_fields__)
        )


def keypoint_crop(keypoints: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Square about the keypoints. (N, 17, 2) px, (N, 17) -> (N, 3): corner x, y, side, px."""
    visible = (confidence > 0)[..., None]
    low = np.where(visible, keypoints, np.inf).min(1)
    high = np.where(visible, keypoints, -np.inf).max(1)
    side = CROP_MARGIN * np.maximum((high - low).max(-1, keepdims=True), 8.0)
    return np.concatenate((0.5 * (low + high - side), side), 1).astype(np.float32)


def make_planes(inputs: Inputs) -> Tensor:
    """Mask, keypoint heatmaps, parts as planes from 0 to 1. -> (B, NUM_PLANES, CROP, CROP)."""
    like = inputs.keypoints
    local = (inputs.keypoints - inputs.crop[:, None, :2]) / inputs.crop[:, None, 2:] * CROP
    grid = torch.arange(CROP, device=like.device, dtype=like.dtype) + 0.5
    x = torch.exp(-0.5 * ((grid - local[..., :1]) / HEAT_DEVIATION) ** 2)
    y = torch.exp(-0.5 * ((grid - local[..., 1:]) / HEAT_DEVIATION) ** 2)
    heat = (inputs.confidence[..., None] * y)[..., :, None] * x[..., None, :]
    labels = torch.arange(1, NUM_PARTS + 1, device=like.device, dtype=torch.uint8)
    parts = (inputs.parts[:, None] == labels[:, None, None]).to(like.dtype)
    return torch.cat((inputs.mask[:, None].to(like.dtype) / 255, heat, parts), 1)


def make_numbers(inputs: Inputs) -> Tensor:
    """Keypoints in the crop from -1 to 1, their confidence, and the crop on the lens.

    -> (B, NUM_NUMBERS), the last three: the crop's middle and side on the plane at depth 1.
    """
    side = inputs.crop[:, None, 2:]
    middle = inputs.crop[:, None, :2] + side / 2
    local = 2 * (inputs.keypoints - middle) / side * (inputs.confidence > 0)[..., None]
    lens = torch.cat((crop_ray(inputs), inputs.crop[:, 2:] / inputs.focal[:, :1]), 1)
    return torch.cat((local.flatten(1), inputs.confidence, lens), 1)


def part_pixels(inputs: Inputs) -> tuple[Tensor, Tensor]:
    """PART_PIXELS of the part map, spread evenly over its lines; where there is none, of the mask.

    -> pixels (B, P, 2) px of the photo, labels (B, P): ANY_PART for the mask's, 0 with neither.
    """
    silhouette = torch.where(inputs.mask > 127, ANY_PART, 0).to(torch.uint8)
    labelled = (inputs.parts > 0).flatten(1).any(1)[:, None, None]
    plane = torch.where(labelled, inputs.parts, silhouette).flatten(1)
    count = (plane > 0).cumsum(1)
    places = (torch.arange(PART_PIXELS, device=plane.device) + 0.5) / PART_PIXELS * count[:, -1:]
    index = torch.searchsorted(count.to(places.dtype), places.contiguous())
    index = index.clamp_max(CROP * CROP - 1)
    cells = torch.stack((index % CROP, index // CROP), -1) + 0.5
    pixels = inputs.crop[:, None, :2] + cells / CROP * inputs.crop[:, None, 2:]
    return pixels, plane.gather(1, index).long()


def crop_ray(inputs: Inputs) -> Tensor:
    """Where the crop's middle lies on the image plane at depth 1. -> (B, 2)."""
    middle = inputs.crop[:, :2] + inputs.crop[:, 2:] / 2
    return (middle - inputs.centre) / inputs.focal


def ray_rotation(ray: Tensor) -> Tensor:
    """The smallest rotation from the camera's axis to a ray (B, 2) at depth 1. -> (B, 3, 3).

    A person beside the axis looks like one on it, turned by this.
    """
    direction = torch.cat((ray, torch.ones_like(ray[:, :1])), 1)
    direction = direction / direction.norm(dim=1, keepdim=True)
    x, y, z = direction.unbind(-1)
    # Rodrigues for the axis (-y, x, 0) with cosine z
    k = 1 / (1 + z)
    rows = (1 - k * x * x, -k * x * y, x, -k * x * y, 1 - k * y * y, y, -x, -y, z)
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def observed_inputs(people: list[Observation], cameras: list[Camera]) -> Inputs:
    """Inputs of observed people and their cameras. Everybody needs a usable keypoint."""
    keypoints, confidence = map(np.stack, zip(*(coco_keypoints(p) for p in people), strict=True))
    crops = keypoint_crop(keypoints, confidence)
    planes = [_planes(person, crop) for person, crop in zip(people, crops, strict=True)]
    masks, parts = (torch.from_numpy(np.stack(rows)) for rows in zip(*planes, strict=True))
    return Inputs(
        masks,
        parts,
        torch.from_numpy(keypoints),
        torch.from_numpy(confidence),
        torch.tensor([[c.fx, c.fy] for c in cameras], dtype=torch.float32),
        torch.tensor([[c.cx, c.cy] for c in cameras], dtype=torch.float32),
        torch.from_numpy(crops),
    )


def _planes(person: Observation, crop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mask and part labels on the crop, (CROP, CROP) uint8 each. A part map is a mask too."""
    nothing = np.zeros((CROP, CROP), np.uint8)
    mask, parts = person.mask, person.parts
    if mask is None and parts is not None:
        mask = parts > 0
    soft = nothing if mask is None else cut(255 * mask.astype(np.uint8), crop, cv2.INTER_AREA)
    labels = nothing if parts is None else cut(parts, crop, cv2.INTER_NEAREST)
    return soft, labels.astype(np.uint8)


def coco_keypoints(person: Observation) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (17, 2) px under COCO's names and their confidence (17,), 0 where unusable."""
    names = NAMES[person.keypoint_set]
    index = [names.index(name) for name in COCO17]
    usable = person.usable[index]
    points = np.where(usable[:, None], person.keypoints[index], 0)
    confidence = np.where(usable, np.clip(person.confidence[index], 0, 1), 0)
    return points.astype(np.float32), confidence.astype(np.float32)


def cut(image: np.ndarray, crop: np.ndarray, interpolation: int) -> np.ndarray:
    """The crop (x, y, side) of an image, 0 outside. (H, W[, C]) uint8 -> (CROP, CROP[, C])."""
    x, y, side = (float(v) for v in crop)
    height, width = image.shape[:2]
    nothing = np.zeros((CROP, CROP, *image.shape[2:]), np.uint8)
    if not side < MOST_PHOTOS * max(height, width):
        return nothing
    low = np.floor([x, y]).astype(int)
    high = np.maximum(np.ceil([x + side, y + side]).astype(int), low + 1)
    (left, top), (right, bottom) = np.maximum(low, 0), np.maximum(high, 0)
    inner = image[top:bottom, left:right]
    if not inner.size:
        return nothing
    rims = (max(0, -low[1]), max(0, high[1] - height), max(0, -low[0]), max(0, high[0] - width))
    if any(rims):
        inner = cv2.copyMakeBorder(inner, *rims, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    return cv2.resize(inner, (CROP, CROP), interpolation=interpolation)
