"""Looking at a person again and again: the median of several views, and how far they disagree."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path

import cv2
import numpy as np

from .landmarks import LEGS, MIRRORED, SIDE, Look, look
from .regions import Pyramid, Region, about_pixel_centres
from .ssd import sigmoid
from .tflite import each

# scale of the region, tilt in radians, mirrored; after so many it is asked whether to go on
VIEWS = (
    *((0.85, 0.0, False), (1.15, 0.0, False), (1.0, -0.2, True), (1.0, 0.2, True)),
    *((1.0, -0.2, False), (1.0, 0.2, False), (1.4, 0.0, False)),
    *((0.85, 0.0, True), (1.15, 0.0, True), (1.4, 0.0, True)),
)
STAGES = (2, 4, 7)
SOME, CLEARLY = 0.2, 3.0  # of the views; of their mean distance to what most agree on
_MEDIAN_STEPS = 20


@dataclass(frozen=True)
class Person:
    """One person as several views see it, before calibration; P looks at 33 keypoints.

    looks: points (P, 33, 2) px; points (33, 2) px: their geometric median; spread (33,): median
    distance from it as a share of `size`, px, the larger side of the body's extent (also beyond the
    photo's rim); visible and present (33,) in 0..1, world (33, 3) m: medians; masks: the looks';
    score: median of whether anybody is there; either_side (33,): see `sides`.
    """

    looks: np.ndarray
    points: np.ndarray
    spread: np.ndarray
    size: float
    visible: np.ndarray
    present: np.ndarray
    world: np.ndarray
    masks: list[tuple[np.ndarray, Region]]
    score: float
    either_side: np.ndarray

    @property
    def unrest(self) -> np.ndarray:
        """Mean distance from the median as a share of the size (33,): the odd view counts too."""
        return np.linalg.norm(self.looks - self.points, axis=-1).mean(0) / max(self.size, 1e-6)

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

    looks: list[Look] = []
    for upto in (*STAGES, len(VIEWS)):
        looks += each(one, VIEWS[len(looks) : upto])
        person = summary(looks)
        if not worthwhile(person):
            break
    return person


def summary(looks: list[Look]) -> Person:
    """What several looks at one person say together."""
    points = np.stack([one.points for one in looks])
    order, either_side = sides(points)
    aligned = np.take_along_axis(points, order[..., None], axis=1)
    middle = geometric_median(aligned)
    size = float(np.ptp(middle, axis=0).max())
    spread = np.median(np.linalg.norm(points - middle, axis=-1), axis=0) / max(size, 1e-6)
    visible, present, world = (
        np.median([getattr(one, name)[o] for one, o in zip(looks, order, strict=True)], axis=0)
        for name in ("visible", "present", "world")
    )
    return Person(
        *(points, middle, spread, size, visible, present, world),
        masks=[(one.mask, one.region) for one in looks],
        score=float(np.median([one.score for one in looks])),
        either_side=either_side,
    )


def sides(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Looks (P, 33, 2) px that take left for right, in the whole body or the legs: in which order
    their keypoints agree with the others' (P, 33), and which keypoints views disagree about (33,).

    Views disagree where some say so and the two sides are clearly apart; else nothing is changed.
    """
    order = np.tile(np.arange(points.shape[1]), (len(points), 1))
    doubt = np.zeros(points.shape[1], bool)
    for group in (slice(None), LEGS):
        aligned = np.take_along_axis(points, order[..., None], axis=1)
        turned = order.copy()
        turned[:, group] = order[:, MIRRORED[group]]
        mirrored = np.take_along_axis(points, turned[..., None], axis=1)
        # the look that most agree with, read in either way, is the first guess of what is right
        same, other = (
            np.linalg.norm(a[:, None, group] - aligned[None, :, group], axis=-1).mean(-1)
            for a in (aligned, mirrored)
        )
        centre = aligned[np.minimum(same, other).sum(0).argmin()]
        for _ in range(3):
            near, far = (
                np.linalg.norm((a - centre)[:, group], axis=-1).mean(1) for a in (aligned, mirrored)
            )
            swapped = far < near
            centre = geometric_median(np.where(swapped[:, None, None], mirrored, aligned))
        swapped = swapped if swapped.mean() <= 0.5 else ~swapped
        apart = np.linalg.norm(centre - centre[MIRRORED], axis=-1)[group].mean()
        if swapped.mean() >= SOME and apart > CLEARLY * np.minimum(near, far).mean():
            order[swapped], doubt[group] = turned[swapped], True
    return order, doubt


def geometric_median(points: np.ndarray) -> np.ndarray:
    """The place of the least mean distance to points (P, ..., 2), by Weiszfeld's steps."""
    middle = np.median(points, axis=0)
    nearest = 1e-4 * max(float(np.ptp(points)), 1e-6)
    for _ in range(_MEDIAN_STEPS):
        weight = 1 / np.maximum(np.linalg.norm(points - middle, axis=-1, keepdims=True), nearest)
        middle = (weight * points).sum(0) / weight.sum(0)
    return middle


def mean_mask(masks: list[tuple[np.ndarray, Region]]) -> tuple[np.ndarray, Region]:
    """Masks (256, 256) of logits, each over its region, averaged in 0..1 over the largest region; a
    look tells nothing beyond its own."""
    whole = max((region for _, region in masks), key=attrgetter("side"))
    total, count = np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32)
    for mask, region in masks:
        turned = moved(whole.transform(SIDE), region.transform(SIDE))
        total += cv2.warpAffine(sigmoid(mask).astype(np.float32), turned, (SIDE, SIDE))
        count += cv2.warpAffine(np.ones((SIDE, SIDE), np.float32), turned, (SIDE, SIDE))
    return total / np.maximum(count, 1), whole


def moved(to: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The affine map from one crop's px to another's, for OpenCV; both (2, 3) from the photo."""
    whole = np.eye(3)
    whole[:2] = start
    return about_pixel_centres(to @ np.linalg.inv(whole))


def full_mask(person: Person, width: int, height: int, scale: float = 1.0) -> np.ndarray:
    """The mean mask in px of a photo, `scale` times the searched one. -> (H, W) in 0..255 uint8."""
    mask, region = mean_mask(person.masks)
    region = replace(region, centre=region.centre * scale).changed(scale)
    whole = np.vstack((region.transform(SIDE), (0, 0, 1)))
    back = about_pixel_centres(np.linalg.inv(whole)[:2])
    plane = np.round(255 * mask).astype(np.uint8)
    return cv2.warpAffine(plane, back, (width, height))
