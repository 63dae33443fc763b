"""Looking for people: at the photo, at it with a rim, and into many crops of it."""

import cv2
import numpy as np

from .detector import LOW_THRESHOLD, USUAL_THRESHOLD, Detection, detect, inside_photo
from .people import BODY, add_person, alike, best_first, clearer, cut_by, plausible, same_person

MIN_BODY_CONFIDENCE = 0.4  # seen twice about the candidate
ONCE_BODY_CONFIDENCE = 0.6
MANY, FAINT = 3, 0.45
CONFIRM_MARGINS = (0.35, 0.8)
CROP_SHARES = (0.6, 0.4, 0.25)
RIMS = (0.35, 0.7, 1.0)
GREY = (114, 114, 114)


def search_people(rgb: np.ndarray, thorough: bool = True) -> list[Detection]:
    """The whole photo, the photo with a rim (for people who fill it), and crops for the overlooked.

    A detector that looks into small crops also sees people in hands and flower beds. What a crop
    shows counts only if it is seen again, in the same place, in a crop of its own.
    """
    people: list[Detection] = []
    for person in (p for p in detect(rgb) if plausible(p, rgb.shape)):
        add_person(people, person)
    if people and not thorough:
        return people
    candidates = [c for c in best_first(_candidates(rgb, thorough)) if plausible(c, rgb.shape)]
    for candidate in candidates:
        rivals = [i for i, other in enumerate(people) if same_person(candidate, other)]
        if len(rivals) > 1 or (rivals and not clearer(candidate, people[rivals[0]])):
            continue
        elsewhere = sum(alike(candidate, other) for other in candidates if other is not candidate)
        confirmed = _confirm(rgb, candidate, elsewhere)
        if confirmed is not None:
            others = [other for i, other in enumerate(people) if i not in rivals]
            if not any(same_person(confirmed, other) for other in others):
                people = [*others, confirmed]
    return people


def _candidates(rgb: np.ndarray, thorough: bool) -> list[Detection]:
    """What views with a rim show, and crops, where it is not cut by their own."""
    height, width = rgb.shape[:2]
    candidates = []
    for rim in (share * max(height, width) for share in RIMS):
        framed, origin = _crop(rgb, np.array([-rim, -rim]), np.array([width + rim, height + rim]))
        near = detect(framed, 4, LOW_THRESHOLD)
        candidates += [_shifted(person, origin, (height, width)) for person in near]
    for low, high in _crops(width, height) if thorough else ():
        crop, origin = _crop(rgb, low, high)
        if min(crop.shape[:2]) >= 48:
            near = [_shifted(person, origin, (height, width)) for person in detect(crop, 4)]
            candidates += [c for c in near if not cut_by(c, low, high, (width, height))]
    return candidates


def in_boxes(
    rgb: np.ndarray, boxes: np.ndarray, share: float = 0.25, threshold: float = USUAL_THRESHOLD
) -> list[Detection]:
    """The person nearest to the middle of each box (N, 4) xyxy px, seen with a margin about it."""
    result = []
    for box in boxes.reshape(-1, 4):
        margin = share * (box[2:] - box[:2]).max()
        crop, origin = _crop(rgb, box[:2] - margin, box[2:] + margin)
        if not crop.size or min(crop.shape[:2]) < 16:
            continue
        people = [_shifted(d, origin, rgb.shape[:2]) for d in detect(crop, 4, threshold)]
        centre = (box[:2] + box[2:]) / 2
        if people:
            distances = [np.linalg.norm((d.box[:2] + d.box[2:]) / 2 - centre) for d in people]
            result.append(people[int(np.argmin(distances))])
    return result


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


def _shifted(person: Detection, origin: np.ndarray, shape: tuple[int, ...]) -> Detection:
    """A crop's detection in the full photo; a keypoint that lies outside it is not seen."""
    height, width = shape
    points = (person.keypoints + origin).astype(np.float32)
    confidence = np.where(inside_photo(points, width, height), person.confidence, 0)
    mask = np.zeros(shape, np.float32)
    (x, y), (h, w) = origin, person.mask.shape
    y0, y1 = max(y, 0), max(0, min(y + h, height))
    x0, x1 = max(x, 0), max(0, min(x + w, width))
    mask[y0:y1, x0:x1] = person.mask[y0 - y : y1 - y, x0 - x : x1 - x]
    return Detection(points, confidence.astype(np.float32), person.world, mask)


def _confirm(rgb: np.ndarray, candidate: Detection, elsewhere: int) -> Detection | None:
    """The candidate as seen in a crop about it, or None where it is not seen there again.

    elsewhere: how many other views showed the same. A person from behind is seen faintly, but in
    view after view.
    """
    views = []
    for margin in CONFIRM_MARGINS:
        again = [d for d in in_boxes(rgb, candidate.box[None], margin) if plausible(d, rgb.shape)]
        views += [d for d in again if alike(candidate, d)]
    best = max(views, key=lambda d: float(d.confidence[BODY].mean()), default=None)
    sure = 0.0 if best is None else float(best.confidence[BODY].mean())
    # seen well once, seen twice about the candidate, or faintly again and again
    twice = len(views) >= 2 and sure >= MIN_BODY_CONFIDENCE
    often = len(views) + elsewhere >= MANY and sure >= FAINT
    if best is None or not (sure >= ONCE_BODY_CONFIDENCE or twice or often):
        return None
    # in a crowd the closer view may mix in a neighbour: it has to be surer to replace the first
    return best if sure > candidate.confidence[BODY].mean() + 0.1 else candidate


def _crops(width: int, height: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Overlapping squares at three scales. -> (low, high) corners."""
    size = np.array([width, height], float)
    result = []
    for share in CROP_SHARES:
        side = np.minimum(size, share * max(width, height))
        steps = np.ceil((size - side) / (0.5 * side) + 1e-9).astype(int) + 1
        for y in np.linspace(0, height - side[1], max(1, steps[1])):
            for x in np.linspace(0, width - side[0], max(1, steps[0])):
                result.append((np.array([x, y]), np.array([x, y]) + side))
    return result
