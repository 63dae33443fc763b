"""What the regressor sees of a person: planes on a square crop, and the keypoints and the lens as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from ..bodies.parts import NUM_PARTS
from ..bodies.keypoint_names import COCO17, NAMES
from ..records import Camera, Observation

CROP = 64
KEYPOINT_SET = "coco17"
NUM_KEYPOINTS = 17
CROP_MARGIN = 1.4  # keypoints end at ankles, wrists and eyes; bodies do not
HEAT_DEVIATION = 1.5
ANY_PART = 255
PART_PIXELS = 48
NUM_PLANES = 3 + 1 + NUM_KEYPOINTS + NUM_PARTS
NUM_NUMBERS = 3 * NUM_KEYPOINTS + 3


@dataclass(frozen=True)
class Inputs:
    """B people. rgb (B, 3, CROP, CROP) and mask (B, CROP, CROP) uint8, 0 where not given; parts (B, CROP, CROP) uint8
    labels, 0 = none; keypoints (B, 17, 2) px of the photo, confidence (B, 17) with 0 for missing; focal (B, 2) and centre
    (B, 2) px; crop (B, 3): x, y of the corner and side, px."""

    rgb: Tensor
    mask: Tensor
    parts: Tensor
    keypoints: Tensor
    confidence: Tensor
    focal: Tensor
    centre: Tensor
    crop: Tensor

    def __len__(self) -> int:
        return len(self.rgb)

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
    """Square about the seen keypoints. (N, 17, 2) px, (N, 17) -> (N, 3): x, y of the corner and side, px."""
    seen = (confidence > 0)[..., None]
    low = np.where(seen, keypoints, np.inf).min(1)
    high = np.where(seen, keypoints, -np.inf).max(1)
    side = CROP_MARGIN * np.maximum((high - low).max(-1), 8.0)
    return np.concatenate((0.5 * (low + high) - side[:, None] / 2, side[:, None]), 1).astype(
        np.float32
    )


def make_planes(inputs: Inputs) -> Tensor:
    """Colours, mask, keypoint heatmaps and part map as planes from 0 to 1. -> (B, NUM_PLANES, CROP, CROP)."""
    like = inputs.keypoints
    local = (inputs.keypoints - inputs.crop[:, None, :2]) / inputs.crop[:, None, 2:] * CROP
    grid = torch.arange(CROP, device=like.device, dtype=like.dtype) + 0.5
    x = torch.exp(-0.5 * ((grid - local[..., :1]) / HEAT_DEVIATION) ** 2)
    y = torch.exp(-0.5 * ((grid - local[..., 1:]) / HEAT_DEVIATION) ** 2)
    heat = (inputs.confidence[..., None] * y)[..., :, None] * x[..., None, :]
    labels = torch.arange(1, NUM_PARTS + 1, device=like.device, dtype=torch.uint8)
    parts = (inputs.parts[:, None] == labels[:, None, None]).to(like.dtype)
    return torch.cat(
        (inputs.rgb.to(like.dtype) / 255, inputs.mask[:, None].to(like.dtype) / 255, heat, parts), 1
    )


def make_numbers(inputs: Inputs) -> Tensor:
    """Keypoints in the crop from -1 to 1, their confidence, and the crop's place and size on the lens. -> (B, NUM_NUMBERS)."""
    middle, side = inputs.crop[:, None, :2] + inputs.crop[:, None, 2:] / 2, inputs.crop[:, None, 2:]
    local = 2 * (inputs.keypoints - middle) / side * (inputs.confidence > 0)[..., None]
    lens = torch.cat((crop_ray(inputs), inputs.crop[:, 2:] / inputs.focal[:, :1]), 1)
    return torch.cat((local.flatten(1), inputs.confidence, lens), 1)


def part_pixels(inputs: Inputs) -> tuple[Tensor, Tensor]:
    """PART_PIXELS of the part map, spread evenly over its lines; of the mask, with the label ANY_PART, where there is no map.
    -> pixels (B, P, 2) px of the photo, labels (B, P), 0 where there is neither."""
    plain = torch.where(inputs.mask > 127, ANY_PART, 0).to(torch.uint8)
    plane = torch.where(
        (inputs.parts > 0).flatten(1).any(1)[:, None, None], inputs.parts, plain
    ).flatten(1)
    count = (plane > 0).cumsum(1)
    wanted = (torch.arange(PART_PIXELS, device=plane.device) + 0.5) / PART_PIXELS * count[:, -1:]
    index = torch.searchsorted(count.to(wanted.dtype), wanted.contiguous()).clamp_max(
        CROP * CROP - 1
    )
    cells = torch.stack((index % CROP, index // CROP), -1) + 0.5
    return inputs.crop[:, None, :2] + cells / CROP * inputs.crop[:, None, 2:], plane.gather(
        1, index
    ).long()


def crop_ray(inputs: Inputs) -> Tensor:
    """Where the crop's middle lies on the image plane at depth 1. -> (B, 2)."""
    middle = inputs.crop[:, :2] + inputs.crop[:, 2:] / 2
    return (middle - inputs.centre) / inputs.focal


def ray_rotation(ray: Tensor) -> Tensor:
    """The smallest rotation from the camera's axis to a ray (B, 2) at depth 1: a person beside the axis looks like one
    on it, turned. -> (B, 3, 3)."""
    direction = torch.cat((ray, torch.ones_like(ray[:, :1])), 1)
    direction = direction / direction.norm(dim=1, keepdim=True)
    x, y, z = direction.unbind(-1)
    # Rodrigues for the axis (-y, x, 0) with cosine z
    k = 1 / (1 + z)
    rows = (1 - k * x * x, -k * x * y, x, -k * x * y, 1 - k * y * y, y, -x, -y, z)
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def observed_inputs(
    people: list[Observation], cameras: list[Camera], photos: list[np.ndarray | None] | None = None
) -> Inputs:
    """Inputs of observed people; photos: (H, W, 3) uint8 RGB each, where at hand. Everybody needs a usable keypoint."""
    keypoints, confidence = map(np.stack, zip(*(coco_keypoints(p) for p in people), strict=True))
    crops = keypoint_crop(keypoints, confidence)
    rgb, masks, parts = [], [], []
    for index, (person, camera, crop) in enumerate(zip(people, cameras, crops, strict=True)):
        photo = None if photos is None else photos[index]
        if photo is None:
            rgb.append(np.zeros((3, CROP, CROP), np.uint8))
        else:
            scale = photo.shape[1] / camera.width  # a very large photo may be held reduced
            rgb.append(cut(photo, crop * scale, cv2.INTER_AREA).transpose(2, 0, 1))
        plane = (
            person.mask
            if person.mask is not None
            else None
            if person.parts is None
            else person.parts > 0
        )
        masks.append(
            np.zeros((CROP, CROP), np.uint8)
            if plane is None
            else cut(plane.astype(np.uint8) * 255, crop, cv2.INTER_AREA)
        )
        labelled = person.parts
        parts.append(
            np.zeros((CROP, CROP), np.uint8)
            if labelled is None
            else cut(labelled, crop, cv2.INTER_NEAREST)
        )
    tensor = lambda rows, dtype: torch.from_numpy(np.stack(rows).astype(dtype))  # noqa: E731
    return Inputs(
        tensor(rgb, np.uint8),
        tensor(masks, np.uint8),
        tensor(parts, np.uint8),
        tensor(list(keypoints), np.float32),
        tensor(list(confidence), np.float32),
        tensor([np.array([c.fx, c.fy]) for c in cameras], np.float32),
        tensor([np.array([c.cx, c.cy]) for c in cameras], np.float32),
        torch.from_numpy(crops),
    )


def coco_keypoints(person: Observation) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (17, 2) under COCO's names and their confidence (17,), 0 where unusable."""
    names = NAMES[person.keypoint_set]
    index = [names.index(name) for name in COCO17]
    usable = person.usable[index]
    points = np.where(usable[:, None], person.keypoints[index], 0)
    return points.astype(np.float32), np.where(
        usable, np.clip(person.confidence[index], 0, 1), 0
    ).astype(np.float32)


def cut(image: np.ndarray, crop: np.ndarray, interpolation: int) -> np.ndarray:
    """The crop (x, y, side) of an image, CROP x CROP, 0 where it leaves the image. (H, W[, 3]) uint8 -> (CROP, CROP[, 3])."""
    x, y, side = (float(v) for v in crop)
    height, width = image.shape[:2]
    low = np.floor([x, y]).astype(int)
    high = np.maximum(np.ceil([x + side, y + side]).astype(int), low + 1)
    inner = image[
        max(low[1], 0) : max(0, min(high[1], height)), max(low[0], 0) : max(0, min(high[0], width))
    ]
    if not inner.size:
        return np.zeros((CROP, CROP, *image.shape[2:]), np.uint8)
    rims = (max(0, -low[1]), max(0, high[1] - height), max(0, -low[0]), max(0, high[0] - width))
    square = (
        cv2.copyMakeBorder(inner, *rims, cv2.BORDER_CONSTANT, value=(0, 0, 0))
        if any(rims)
        else inner
    )
    return cv2.resize(square, (CROP, CROP), interpolation=interpolation)
