"""The public `observe`: photos in, people out, best first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from ..errors import InvalidInputError
from ..paths import cache_folder
from ..records import Observation
from .detector import Detection, detect
from .photos import Photo, as_photo, write_upright

MASK_THRESHOLD = 0.5
MIN_CONFIDENT = 8
MIN_BODY_CONFIDENCE = 0.4
ONCE_BODY_CONFIDENCE = 0.6
CROP_SHARES = (0.6, 0.4, 0.25)
_SHOULDERS, _BODY = slice(11, 13), slice(11, 29)  # of BlazePose's 33
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


def _in_boxes(rgb: np.ndarray, boxes: np.ndarray, share: float = 0.25) -> list[Detection]:
    boxes = boxes.reshape(-1, 4)
    result = []
    for box in boxes:
        margin = share * (box[2:] - box[:2]).max()
        crop, origin = _crop(rgb, box[:2] - margin, box[2:] + margin)
        if min(crop.shape[:2]) < 16:
            continue
        found = [_shifted(d, origin, rgb.shape[:2]) for d in detect(crop, 4)]
        centre = (box[:2] + box[2:]) / 2
        if found:
            result.append(min(found, key=lambda d: float(np.linalg.norm((d.box[:2] + d.box[2:]) / 2 - centre))))
    return result


def _search(rgb: np.ndarray) -> list[Detection]:
    """The whole photo, the photo with a rim (for people who fill it), and crops for people whom the detector overlooks.

    A detector that looks into small crops also sees people in hands and flower beds. What a crop shows counts only if
    it is seen again, in the same place, in a crop of its own.
    """
    height, width = rgb.shape[:2]
    found: list[Detection] = []
    for person in detect(rgb):
        if _plausible(person, rgb.shape):
            _add(found, person)
    rim = round(0.35 * max(height, width))
    framed = cv2.copyMakeBorder(rgb, rim, rim, rim, rim, cv2.BORDER_CONSTANT, value=(114, 114, 114))
    candidates = [_without_rim(person, rim, (height, width)) for person in detect(framed, 4)]
    for low, high in _crops(width, height):
        crop, origin = _crop(rgb, low, high)
        if min(crop.shape[:2]) >= 48:
            near = [_shifted(person, origin, rgb.shape[:2]) for person in detect(crop, 4)]
            candidates += [c for c in near if not _cut_by(c, low, high, (width, height))]
    for candidate in _best_first(candidates):
        if not _plausible(candidate, rgb.shape):
            continue
        rivals = [i for i, other in enumerate(found) if _same(candidate, other)]
        if len(rivals) > 1 or (rivals and not _clearer(candidate, found[rivals[0]])):
            continue
        confirmed = _confirm(rgb, candidate)
        if confirmed is not None:
            others = [other for i, other in enumerate(found) if i not in rivals]
            if not any(_same(confirmed, other) for other in others):
                found = [*others, confirmed]
    return found


def _clearer(candidate: Detection, other: Detection) -> bool:
    """Whether a crop shows much of the same person, and shows it better (the wide view may mix two neighbours)."""
    area = np.count_nonzero(candidate.mask > MASK_THRESHOLD) / max(1, np.count_nonzero(other.mask > MASK_THRESHOLD))
    return bool(area > 0.35 and candidate.confidence.sum() > 1.15 * other.confidence.sum())


def _confirm(rgb: np.ndarray, candidate: Detection) -> Detection | None:
    """The candidate as seen in a crop about it, or None where it is not seen there again."""
    views = []
    for margin in (0.35, 0.8):
        again = [d for d in _in_boxes(rgb, candidate.box[None], margin) if _plausible(d, rgb.shape)]
        views += [d for d in again if _alike(candidate, d)]
    # twice seen, or once and well
    needed = MIN_BODY_CONFIDENCE if len(views) == 2 else ONCE_BODY_CONFIDENCE
    best = max(views, key=lambda d: float(d.confidence[_BODY].mean()), default=None)
    if best is None or best.confidence[_BODY].mean() < needed:
        return None
    # a crop about a person in a crowd may mix in a neighbour, so the closer view replaces the first only where it is surer
    return best if best.confidence[_BODY].mean() > candidate.confidence[_BODY].mean() + 0.1 else candidate


def _crops(width: int, height: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Overlapping squares at three scales. -> (low, high) corners."""
    size = np.array([width, height], float)
    result = []
    for share in CROP_SHARES:
        side = np.minimum(size, share * max(width, height))
        steps = np.ceil((size - side) / (0.5 * side) + 1e-9).astype(int) + 1
        for y in np.linspace(0, height - side[1], max(1, steps[1])):
            for x in np.linspace(0, width - side[0], max(1, steps[0])):
                low = np.array([x, y])
                result.append((low, low + side))
    return result


def _without_rim(person: Detection, rim: int, shape: tuple[int, int]) -> Detection:
    """A detection in the photo with a rim, as one of the photo itself."""
    height, width = shape
    points = person.keypoints - rim
    inside = (points >= 0).all(1) & (points < (width, height)).all(1)
    mask = person.mask[rim : rim + height, rim : rim + width]
    return Detection(points, np.where(inside, person.confidence, 0).astype(np.float32), person.world, mask)


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
    """Enough of a body, sure enough, and the same person in keypoints and mask."""
    seen = person.confidence > 0.5
    body = seen[_BODY]
    box = person.box
    tall = (box[3] - box[1]) > 0.04 * shape[0] or (box[2] - box[0]) > 0.04 * shape[1]
    if seen.sum() < MIN_CONFIDENT or body.sum() < 2 or not seen[_SHOULDERS].any() or not tall:
        return False
    points = np.clip(person.keypoints[seen].astype(int), 0, (shape[1] - 1, shape[0] - 1))
    on_mask = person.mask[points[:, 1], points[:, 0]] > 0.3
    return bool((person.mask > MASK_THRESHOLD).sum() > 64 and on_mask.mean() > 0.6)


def _alike(a: Detection, b: Detection) -> bool:
    """Whether most keypoints that both are sure of lie in the same places."""
    both = (a.confidence > 0.3) & (b.confidence > 0.3)
    if both.sum() < 4:
        return False
    size = max(1.0, float(min((a.box[2:] - a.box[:2]).max(), (b.box[2:] - b.box[:2]).max())))
    near = np.linalg.norm(a.keypoints[both] - b.keypoints[both], axis=1) < 0.15 * size
    return bool(near.mean() > SAME_PERSON)


def _same(candidate: Detection, other: Detection) -> bool:
    """The same person, or a piece of one: keypoints alike, or the candidate's mask mostly within the other's."""
    if _alike(candidate, other):
        return True
    own = candidate.mask > MASK_THRESHOLD
    # a mask may spill over onto a neighbour: only what lies in the person's own box counts
    x0, y0, x1, y1 = np.clip(other.box, 0, [own.shape[1], own.shape[0]] * 2).astype(int)
    shared = own[y0:y1, x0:x1] & (other.mask[y0:y1, x0:x1] > MASK_THRESHOLD)
    return bool(shared.sum() > 0.5 * max(1, own.sum()))


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
        mask = cv2.resize(mask.astype(np.uint8), (camera.width, camera.height), interpolation=cv2.INTER_NEAREST) > 0
    box = np.clip(box / photo.scale, 0, [camera.width, camera.height] * 2)
    return Observation(
        person.keypoints / photo.scale, person.confidence, "blazepose33", camera, box, mask, None, person.world,
        photo.path,
    )  # fmt: skip
