"""Looking at a person again and again: the median of several views, and how far they disagree."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from .landmarks import SIDE, Look, look
from .regions import Pyramid, Region, about_pixel_centres
from .tflite import each

# scale of the region, tilt in radians, mirrored; the first few tell whether to go on
VIEWS = (
    *((0.85, 0.0, False), (1.15, 0.0, False), (1.0, -0.2, True), (1.0, 0.2, True)),
    *((1.0, -0.2, False), (1.0, 0.2, False), (1.4, 0.0, False)),
    *((0.85, 0.0, True), (1.15, 0.0, True), (1.4, 0.0, True)),
)
FIRST = 4
_MEDIAN_STEPS = 20


@dataclass(frozen=True)
class Person:
    """One person as several views see it, before calibration; P looks at 33 keypoints.

    looks: points (P, 33, 2) px; points (33, 2) px: their geometric median; spread (33,): mean
    distance from it as a share of `size`, px, the larger side of the body's extent (also beyond the
    photo's rim); visible and present (33,) in 0..1, world (33, 3) m: medians; mask (256, 256) in
    0..1 over `region`; score: median of whether anybody is there.
    """

    looks: np.ndarray
    points: np.ndarray
    spread: np.ndarray
    size: float
    visible: np.ndarray
    present: np.ndarray
    world: np.ndarray
    mask: np.ndarray
    region: Region
    score: float

    @property
    def box(self) -> np.ndarray:
        """Extent of the keypoints. xyxy px."""
        return np.concatenate((self.points.min(0), self.points.max(0)))


def view(
    pyramid: Pyramid, region: Region, network: Path, worthwhile: Callable[[Person], bool]
) -> Person:
    """Looks at a region in all views, or in the first few where these are not worthwhile.

    Raises DetectorError.
    """

    def one(how: tuple[float, float, bool]) -> Look:
        scale, turn, mirrored = how
        return look(pyramid, region.changed(scale, turn), network, mirrored)

    looks = each(one, VIEWS[:FIRST])
    first = summary(looks)
    return summary([*looks, *each(one, VIEWS[FIRST:])]) if worthwhile(first) else first


def summary(looks: list[Look]) -> Person:
    """What several looks at one person say together."""
    points = np.stack([one.points for one in looks])
    middle = geometric_median(points)
    size = float(np.ptp(middle, axis=0).max())
    spread = np.linalg.norm(points - middle, axis=-1).mean(0) / max(size, 1e-6)
    whole = max((one.region for one in looks), key=_side)
    visible, present, world = (
        np.median([getattr(one, name) for one in looks], axis=0)
        for name in ("visible", "present", "world")
    )
    return Person(
        *(points, middle, spread, size, visible, present, world, mean_mask(looks, whole), whole),
        score=float(np.median([one.score for one in looks])),
    )


def geometric_median(points: np.ndarray) -> np.ndarray:
    """The place of the least mean distance to points (P, ..., 2), by Weiszfeld's steps."""
    middle = np.median(points, axis=0)
    nearest = 1e-4 * max(float(np.ptp(points)), 1e-6)
    for _ in range(_MEDIAN_STEPS):
        weight = 1 / np.maximum(np.linalg.norm(points - middle, axis=-1, keepdims=True), nearest)
        middle = (weight * points).sum(0) / weight.sum(0)
    return middle


def _side(region: Region) -> float:
    return region.side


def mean_mask(looks: list[Look], region: Region) -> np.ndarray:
    """The looks' masks, averaged on the grid of a region; a look tells nothing beyond its own."""
    total, count = np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32)
    for one in looks:
        turned = moved(region.transform(SIDE), one.region.transform(SIDE))
        total += cv2.warpAffine(one.mask.astype(np.float32), turned, (SIDE, SIDE))
        count += cv2.warpAffine(np.ones((SIDE, SIDE), np.float32), turned, (SIDE, SIDE))
    return total / np.maximum(count, 1)


def moved(to: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The affine map from one crop's px to another's, for OpenCV; both (2, 3) from the photo."""
    whole = np.eye(3)
    whole[:2] = start
    return about_pixel_centres(to @ np.linalg.inv(whole))


def full_mask(person: Person, width: int, height: int, scale: float = 1.0) -> np.ndarray:
    """The mean mask in px of a photo, `scale` times the searched one. -> (H, W) in 0..255 uint8."""
    region = replace(person.region, centre=person.region.centre * scale)
    region = region.changed(scale)
    whole = np.vstack((region.transform(SIDE), (0, 0, 1)))
    back = about_pixel_centres(np.linalg.inv(whole)[:2])
    plane = np.round(255 * person.mask).astype(np.uint8)
    return cv2.warpAffine(plane, back, (width, height))
