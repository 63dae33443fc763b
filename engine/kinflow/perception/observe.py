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
from .detector import LOW_THRESHOLD, USUAL_THRESHOLD, Detection, detect
from .model_people import load_models, observe_with_models, with_model_parts
from .models import find_boxes
from .part_labels import NETWORK, label_parts
from .photos import Photo, as_photo, write_upright

SEARCHES = ("thorough", "quick")
MASK_THRESHOLD = 0.5
MIN_CONFIDENT = 8
MIN_BODY_CONFIDENCE = 0.4  # seen twice about the candidate
ONCE_BODY_CONFIDENCE = 0.6
MANY, FAINT = 3, 0.45
CONFIRM_MARGINS = (0.35, 0.8)
CROP_SHARES = (0.6, 0.4, 0.25)
RIMS = (0.35, 0.7, 1.0)
GREY = (114, 114, 114)
_SHOULDERS, _BODY = slice(11, 13), slice(11, 29)  # of BlazePose's 33
SAME_PERSON = 0.5  # of the keypoints nearer than a tenth of the box


def observe(
    photo: str | os.PathLike | np.ndarray | Sequence[str | os.PathLike | np.ndarray],
    *,
    boxes: np.ndarray | None = None,
    device: str = "auto",
    fov_degrees: float | None = None,
    models: Sequence[str | os.PathLike] = (),
    parts: bool = False,
    search: str = "thorough",
) -> list[Observation]:
    """Finds the people in one or several photos, best first within each.

    photo: path, upright (H, W, 3) uint8 RGB, or a list of them. boxes (N, 4) xyxy px: look only there (one photo).
    Keypoints are BlazePose's 33; `.photo` is the index of the input. A photo without people gives none.
    models: descriptions (.toml, see `perception.models`) of ONNX models that find boxes, keypoints or parts instead of
    the default detector. parts: label body parts on the mask (a fit to the mask alone explains real photos a little better:
    median IoU 0.71 against 0.67 on ten of them, and equally well on renders).
    search: "thorough" looks into some ninety crops for small, cut and faint people; "quick" only at the photo as a whole, and
    at it with a rim where that shows nobody: fifty times faster, for clips and for photos of one clear person.
    Raises PhotoError for what cannot be read, DetectorError where the detector or a model is missing or wrong.
    """
    many = isinstance(photo, Sequence) and not isinstance(photo, (str, bytes, os.PathLike))
    photos: list = list(photo) if many else [photo]  # type: ignore[arg-type]
    if search not in SEARCHES:
        raise InvalidInputError(f"Unknown search '{search}'.", f"Use one of {', '.join(SEARCHES)}.")
    if boxes is not None and len(photos) != 1:
        raise InvalidInputError("Boxes go with one photo.", "Call observe once a photo.")
    result = []
    chosen = load_models(models)
    for index, item in enumerate(photos):
        read = as_photo(item, fov_degrees)
        if "keypoints" in chosen:
            people = observe_with_models(read, chosen, boxes)
            shown = write_upright(read, cache_folder() / "upright")
            result += [replace(person, photo=index, image_path=shown) for person in people]
            continue
        if "boxes" in chosen and boxes is None:
            found = _in_boxes(read.rgb, find_boxes(chosen["boxes"], read.rgb)[0])
            people = [_observation(read, d) for d in _best_first(found)]
        else:
            people = _default_people(read, boxes, search == "thorough")
        if "parts" in chosen:
            people = [with_model_parts(read, person, chosen["parts"]) for person in people]
        elif parts and NETWORK.is_file():
            people = [label_parts(person) for person in people]
        shown = write_upright(read, cache_folder() / "upright")
        result += [replace(person, photo=index, image_path=shown) for person in people]
    return result


def _default_people(read: Photo, boxes: np.ndarray | None, thorough: bool) -> list[Observation]:
    found = (
        _search(read.rgb, thorough)
        if boxes is None
        else _in_boxes(read.rgb, np.asarray(boxes, float) * read.scale)
    )
    return [_observation(read, d) for d in _best_first(found)]


def _size(rgb: np.ndarray) -> tuple[int, int]:
    return rgb.shape[0], rgb.shape[1]


def _crop(rgb: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels between two corners, grey where they leave the photo, and the first corner."""
    height, width = rgb.shape[:2]
    x0, y0 = np.floor(low).astype(int)
    x1, y1 = np.maximum(np.ceil(high).astype(int), (x0 + 1, y0 + 1))
    inner = rgb[max(y0, 0) : max(0, min(y1, height)), max(x0, 0) : max(0, min(x1, width))]
    rims = (max(0, -y0), max(0, y1 - height), max(0, -x0), max(0, x1 - width))
    if any(rims) and inner.size:
        inner = cv2.copyMakeBorder(inner, *rims, cv2.BORDER_CONSTANT, value=GREY)
    return inner, np.array([x0, y0])


def _shifted(found: Detection, origin: np.ndarray, shape: tuple[int, int]) -> Detection:
    """A crop's detection in the full photo; a keypoint that lies outside it is not seen."""
    height, width = shape
    points = (found.keypoints + origin).astype(np.float32)
    inside = (points >= 0).all(1) & (points < (width, height)).all(1)
    mask = np.zeros(shape, np.float32)
    x, y = origin
    h, w = found.mask.shape
    rows, columns = (
        slice(max(y, 0), max(0, min(y + h, height))),
        slice(max(x, 0), max(0, min(x + w, width))),
    )
    own = found.mask[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]
    mask[rows, columns] = own
    return Detection(
        points, np.where(inside, found.confidence, 0).astype(np.float32), found.world, mask
    )


def _in_boxes(
    rgb: np.ndarray, boxes: np.ndarray, share: float = 0.25, threshold: float = USUAL_THRESHOLD
) -> list[Detection]:
    boxes = boxes.reshape(-1, 4)
    result = []
    for box in boxes:
        margin = share * (box[2:] - box[:2]).max()
        crop, origin = _crop(rgb, box[:2] - margin, box[2:] + margin)
        if not crop.size or min(crop.shape[:2]) < 16:
            continue
        found = [_shifted(d, origin, _size(rgb)) for d in detect(crop, 4, threshold)]
        centre = (box[:2] + box[2:]) / 2
        if found:
            result.append(
                min(
                    found, key=lambda d: float(np.linalg.norm((d.box[:2] + d.box[2:]) / 2 - centre))
                )
            )
    return result


def _search(rgb: np.ndarray, thorough: bool = True) -> list[Detection]:
    """The whole photo, the photo with a rim (for people who fill it), and crops for people whom the detector overlooks.

    A detector that looks into small crops also sees people in hands and flower beds. What a crop shows counts only if
    it is seen again, in the same place, in a crop of its own.
    """
    height, width = rgb.shape[:2]
    found: list[Detection] = []
    for person in detect(rgb):
        if _plausible(person, rgb.shape):
            _add(found, person)
    if found and not thorough:
        return found
    candidates = []
    for share in RIMS:
        rim = share * max(height, width)
        framed, origin = _crop(rgb, np.array([-rim, -rim]), np.array([width + rim, height + rim]))
        candidates += [
            _shifted(person, origin, (height, width)) for person in detect(framed, 4, LOW_THRESHOLD)
        ]
    for low, high in _crops(width, height) if thorough else ():
        crop, origin = _crop(rgb, low, high)
        if min(crop.shape[:2]) >= 48:
            near = [_shifted(person, origin, _size(rgb)) for person in detect(crop, 4)]
            candidates += [c for c in near if not _cut_by(c, low, high, (width, height))]
    candidates = [c for c in _best_first(candidates) if _plausible(c, rgb.shape)]
    for candidate in candidates:
        rivals = [i for i, other in enumerate(found) if _same(candidate, other)]
        if len(rivals) > 1 or (rivals and not _clearer(candidate, found[rivals[0]])):
            continue
        elsewhere = sum(_alike(candidate, other) for other in candidates if other is not candidate)
        confirmed = _confirm(rgb, candidate, elsewhere)
        if confirmed is not None:
            others = [other for i, other in enumerate(found) if i not in rivals]
            if not any(_same(confirmed, other) for other in others):
                found = [*others, confirmed]
    return found


def _clearer(candidate: Detection, other: Detection) -> bool:
    """Whether a crop shows much of the same person, and shows it better (the wide view may mix two neighbours)."""
    area = np.count_nonzero(candidate.mask > MASK_THRESHOLD) / max(
        1, np.count_nonzero(other.mask > MASK_THRESHOLD)
    )
    return bool(area > 0.35 and candidate.confidence.sum() > 1.15 * other.confidence.sum())


def _confirm(rgb: np.ndarray, candidate: Detection, elsewhere: int) -> Detection | None:
    """The candidate as seen in a crop about it, or None where it is not seen there again.

    elsewhere: how many other views showed the same. A person from behind is seen faintly, but in view after view.
    """
    views = []
    for margin in CONFIRM_MARGINS:
        again = [d for d in _in_boxes(rgb, candidate.box[None], margin) if _plausible(d, rgb.shape)]
        views += [d for d in again if _alike(candidate, d)]
    best = max(views, key=lambda d: float(d.confidence[_BODY].mean()), default=None)
    sure = 0.0 if best is None else float(best.confidence[_BODY].mean())
    sightings = len(views) + elsewhere
    # seen well once, seen twice about the candidate, or faintly again and again
    if not (
        sure >= ONCE_BODY_CONFIDENCE
        or (len(views) >= 2 and sure >= MIN_BODY_CONFIDENCE)
        or (sightings >= MANY and sure >= FAINT)
    ):
        return None
    assert best is not None
    # a crop about a person in a crowd may mix in a neighbour, so the closer view replaces the first only where it is surer
    return (
        best
        if best.confidence[_BODY].mean() > candidate.confidence[_BODY].mean() + 0.1
        else candidate
    )


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
        mask = (
            cv2.resize(
                mask.astype(np.uint8),
                (camera.width, camera.height),
                interpolation=cv2.INTER_NEAREST,
            )
            > 0
        )
    box = np.clip(box / photo.scale, 0, [camera.width, camera.height] * 2)
    return Observation(
        person.keypoints / photo.scale,
        person.confidence,
        "blazepose33",
        camera,
        box,
        mask,
        None,
        person.world,
        photo.path,
    )
