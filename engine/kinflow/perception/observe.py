"""The public `observe`: photos in, people out, best first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import InvalidInputError
from ..records import Observation
from .bundle import cache_folder
from .detector import Detection, detect
from .photos import Photo, as_photo, write_upright

MASK_THRESHOLD = 0.5
MIN_CONFIDENT = 5
SAME_PERSON = 0.5  # of the keypoints nearer than a tenth of the box


def observe(
    photo: str | os.PathLike | np.ndarray | Sequence[str | os.PathLike | np.ndarray], *, boxes: np.ndarray | None = None,
    device: str = "auto", fov_degrees: float | None = None,
) -> list[Observation]:  # fmt: skip
    """Finds the people in one or several photos, best first within each.

    photo: path, upright (H, W, 3) uint8 RGB, or a list of them. boxes (N, 4) xyxy px: look only there (one photo).
    Keypoints are BlazePose's 33; `.photo` is the index of the input. A photo without people gives none.
    Raises PhotoError for what cannot be read, DetectorError where the detector is missing.
    """
    many = isinstance(photo, Sequence) and not isinstance(photo, (str, bytes, os.PathLike))
    photos = list(photo) if many else [photo]
    if boxes is not None and len(photos) != 1:
        raise InvalidInputError("Boxes go with one photo.", "Call observe once a photo.")
    result = []
    for index, item in enumerate(photos):
        read = as_photo(item, fov_degrees)
        found = _search(read.rgb) if boxes is None else _in_boxes(read.rgb, np.asarray(boxes, float) * read.scale)
        shown = write_upright(read, cache_folder() / "upright")
        result += [replace(_observation(read, d), photo=index, image_path=shown) for d in _best_first(found)]
    return result


def _crop(rgb: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    height, width = rgb.shape[:2]
    x0, y0 = np.clip(np.floor(low), 0, (width - 1, height - 1)).astype(int)
    x1, y1 = np.clip(np.ceil(high), (x0 + 1, y0 + 1), (width, height)).astype(int)
    return rgb[y0:y1, x0:x1], np.array([x0, y0])


def _shifted(found: Detection, origin: np.ndarray, shape: tuple[int, int], inside: bool = False) -> Detection:
    """A crop's detection in the full image. inside: keypoints at the crop's rim are not believed."""
    mask = np.zeros(shape, np.float32)
    h, w = found.mask.shape
    mask[origin[1] : origin[1] + h, origin[0] : origin[0] + w] = found.mask
    return Detection((found.keypoints + origin).astype(np.float32), found.confidence, found.world, mask)


def _in_boxes(rgb: np.ndarray, boxes: np.ndarray) -> list[Detection]:
    boxes = boxes.reshape(-1, 4)
    result = []
    for box in boxes:
        margin = 0.25 * (box[2:] - box[:2]).max()
        crop, origin = _crop(rgb, box[:2] - margin, box[2:] + margin)
        if min(crop.shape[:2]) < 16:
            continue
        found = [_shifted(d, origin, rgb.shape[:2]) for d in detect(crop, 4)]
        centre = (box[:2] + box[2:]) / 2
        if found:
            result.append(min(found, key=lambda d: float(np.linalg.norm((d.box[:2] + d.box[2:]) / 2 - centre))))
    return result


def _search(rgb: np.ndarray) -> list[Detection]:
    """The whole photo, then overlapping crops at two finer scales for people whom the detector overlooks."""
    height, width = rgb.shape[:2]
    found = [d for d in detect(rgb) if _plausible(d, rgb.shape)]
    for tiles in (2, 3):
        size = 1.3 * np.array([width, height]) / tiles
        side = max(size.min(), min(width, height) / tiles * 1.3)
        size = np.minimum(np.maximum(size, side), (width, height))
        for row in range(tiles):
            for column in range(tiles):
                centre = (np.array([column, row]) + 0.5) / tiles * (width, height)
                low = np.clip(centre - size / 2, 0, np.array([width, height]) - size)
                crop, origin = _crop(rgb, low, low + size)
                if min(crop.shape[:2]) < 48:
                    continue
                for person in detect(crop, 4):
                    candidate = _shifted(person, origin, rgb.shape[:2])
                    if _plausible(candidate, rgb.shape) and not _cut_by(candidate, low, low + size, (width, height)):
                        _add(found, candidate)
    return found


def _cut_by(person: Detection, low: np.ndarray, high: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether a crop's rim (not the photo's own) cuts through the person."""
    seen = person.keypoints[person.confidence > 0.3]
    if not len(seen):
        return True
    rim = 0.03 * (high - low)
    near_low = (seen < low + rim).any(0) & (low > 1)
    near_high = (seen > high - rim).any(0) & (high < np.array(size) - 1)
    return bool((near_low | near_high).any())


def _plausible(person: Detection, shape: tuple[int, ...]) -> bool:
    box = person.box
    tall = (box[3] - box[1]) > 0.04 * shape[0] or (box[2] - box[0]) > 0.04 * shape[1]
    return bool((person.confidence > 0.5).sum() >= MIN_CONFIDENT and tall and (person.mask > MASK_THRESHOLD).sum() > 64)


def _same(a: Detection, b: Detection) -> bool:
    both = (a.confidence > 0.3) & (b.confidence > 0.3)
    box_a, box_b = a.box, b.box
    size = max(1.0, float(min((box_a[2:] - box_a[:2]).max(), (box_b[2:] - box_b[:2]).max())))
    if both.sum() >= 4:
        near = np.linalg.norm(a.keypoints[both] - b.keypoints[both], axis=1) < 0.15 * size
        if near.mean() > SAME_PERSON:
            return True
    low, high = np.maximum(box_a[:2], box_b[:2]), np.minimum(box_a[2:], box_b[2:])
    overlap = float(np.prod(np.maximum(high - low, 0)))
    smaller = min(float(np.prod(box_a[2:] - box_a[:2])), float(np.prod(box_b[2:] - box_b[:2])))
    return overlap > 0.7 * smaller


def _quality(person: Detection) -> float:
    """Size times confidence: the order in which people are listed."""
    box = person.box
    return float(np.sqrt(max(0.0, float(np.prod(box[2:] - box[:2])))) * person.confidence.mean())


def _add(found: list[Detection], candidate: Detection) -> None:
    """Adds a person who is not there yet; of two views of one person the more confident stays."""
    for index, other in enumerate(found):
        if _same(candidate, other):
            if candidate.confidence.sum() > 1.1 * other.confidence.sum():
                found[index] = candidate
            return
    found.append(candidate)


def _best_first(found: list[Detection]) -> list[Detection]:
    return sorted(found, key=_quality, reverse=True)


def _observation(photo: Photo, person: Detection) -> Observation:
    camera = photo.camera
    mask = person.mask > MASK_THRESHOLD
    box = person.box
    if photo.scale != 1:
        import cv2

        mask = cv2.resize(mask.astype(np.uint8), (camera.width, camera.height), interpolation=cv2.INTER_NEAREST) > 0
    box = np.clip(box / photo.scale, 0, [camera.width, camera.height] * 2)
    return Observation(
        person.keypoints / photo.scale, person.confidence, "blazepose33", camera, box, mask, None, person.world,
        photo.path,
    )  # fmt: skip
