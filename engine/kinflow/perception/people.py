"""When two detections are one person, and which of them are people at all."""

import numpy as np

from .detector import Detection

MASK_THRESHOLD = 0.5
MIN_CONFIDENT = 8
SAME_PERSON = 0.5  # of the keypoints nearer than a tenth of the box
SHOULDERS, BODY = slice(11, 13), slice(11, 29)  # of BlazePose's 33


def clearer(candidate: Detection, other: Detection) -> bool:
    """Whether a crop shows much of the same person, and better: a wide view may mix neighbours."""
    area = np.count_nonzero(candidate.mask > MASK_THRESHOLD) / max(
        1, np.count_nonzero(other.mask > MASK_THRESHOLD)
    )
    return bool(area > 0.35 and candidate.confidence.sum() > 1.15 * other.confidence.sum())


def cut_by(person: Detection, low: np.ndarray, high: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether a crop's rim (not the photo's own) cuts through the person."""
    points = person.keypoints[person.confidence > 0.3]
    if not len(points):
        return True
    rim = 0.03 * (high - low)
    near_low = (points < low + rim).any(0) & (low > 1)
    near_high = (points > high - rim).any(0) & (high < np.array(size) - 1)
    return bool((near_low | near_high).any())


def plausible(person: Detection, shape: tuple[int, ...]) -> bool:
    """Enough of a body, sure enough, and the same person in keypoints and mask."""
    sure = person.confidence > 0.5
    box = person.box
    tall = (box[3] - box[1]) > 0.04 * shape[0] or (box[2] - box[0]) > 0.04 * shape[1]
    if sure.sum() < MIN_CONFIDENT or sure[BODY].sum() < 2 or not sure[SHOULDERS].any() or not tall:
        return False
    points = np.clip(person.keypoints[sure].astype(int), 0, (shape[1] - 1, shape[0] - 1))
    on_mask = person.mask[points[:, 1], points[:, 0]] > 0.3
    return bool((person.mask > MASK_THRESHOLD).sum() > 64 and on_mask.mean() > 0.6)


def alike(a: Detection, b: Detection) -> bool:
    """Whether most keypoints that both are sure of lie in the same places."""
    both = (a.confidence > 0.3) & (b.confidence > 0.3)
    if both.sum() < 4:
        return False
    size = max(1.0, float(min((a.box[2:] - a.box[:2]).max(), (b.box[2:] - b.box[:2]).max())))
    near = np.linalg.norm(a.keypoints[both] - b.keypoints[both], axis=1) < 0.15 * size
    return bool(near.mean() > SAME_PERSON)


def same_person(candidate: Detection, other: Detection) -> bool:
    """The same person, or a piece of one: keypoints alike, or mostly within the other's mask."""
    if alike(candidate, other):
        return True
    mask = candidate.mask > MASK_THRESHOLD
    # a mask may spill over onto a neighbour: only what lies in the person's own box counts
    x0, y0, x1, y1 = np.clip(other.box, 0, [mask.shape[1], mask.shape[0]] * 2).astype(int)
    shared = mask[y0:y1, x0:x1] & (other.mask[y0:y1, x0:x1] > MASK_THRESHOLD)
    return bool(shared.sum() > 0.5 * max(1, mask.sum()))


def quality(person: Detection) -> float:
    """Size times confidence: the order in which people are listed."""
    box = person.box
    return float(np.sqrt(max(0.0, float(np.prod(box[2:] - box[:2])))) * person.confidence.mean())


def add_person(people: list[Detection], candidate: Detection) -> None:
    """Adds a person who is not there yet; of two views of one person the more confident stays."""
    for index, other in enumerate(people):
        if same_person(candidate, other):
            if candidate.confidence.sum() > 1.1 * other.confidence.sum():
                people[index] = candidate
            return
    people.append(candidate)


def best_first(people: list[Detection]) -> list[Detection]:
    """The larger and surer, the earlier."""
    return sorted(people, key=quality, reverse=True)
