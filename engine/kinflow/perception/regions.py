"""Rotated squares of a photo: what a network looks at, and the way back to the photo's pixels."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

BODY_MARGIN = 1.25


@dataclass(frozen=True)
class Region:
    """A square of `side` px about `centre` (2,) px, turned by `angle` radians (clockwise on the
    photo, as y points down)."""

    centre: np.ndarray
    side: float
    angle: float = 0.0

    def changed(self, scale: float = 1.0, turn: float = 0.0) -> "Region":
        """The same centre, another size and tilt."""
        return Region(self.centre, self.side * scale, self.angle + turn)

    def to_photo(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2) in shares of the square, (0, 0) its first corner -> px of the photo."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        turn = np.array([[cos, sin], [-sin, cos]])
        return self.centre + self.side * (points - 0.5) @ turn

    def transform(self, size: int) -> np.ndarray:
        """Affine map (2, 3) from px of the photo to px of a crop of `size` px."""
        scale = size / self.side
        cos, sin = scale * math.cos(self.angle), scale * math.sin(self.angle)
        linear = np.array([[cos, sin], [-sin, cos]])
        return np.concatenate((linear, (size / 2 - linear @ self.centre)[:, None]), axis=1)


def body_region(hips: np.ndarray, end: np.ndarray) -> Region:
    """MediaPipe's square about a body: `hips` (2,) px its middle, `end` (2,) px on the circle about
    the whole body, above the head. (AlignmentPointsRectsCalculator, RectTransformationCalculator)
    """
    along = end - hips
    angle = math.pi / 2 - math.atan2(-along[1], along[0])
    angle = math.remainder(angle, 2 * math.pi)
    return Region(np.asarray(hips, float), 2 * BODY_MARGIN * float(np.hypot(*along)), angle)


def about_pixel_centres(transform: np.ndarray) -> np.ndarray:
    """An affine map of corners as OpenCV wants it: it counts pixel centres from 0, we from 0.5."""
    moved = transform.astype(np.float64).copy()
    moved[:, 2] += 0.5 * transform[:, :2].sum(1) - 0.5
    return moved


class Pyramid:
    """A photo and its halves, so that small crops of a large photo are cut from few pixels."""

    def __init__(self, rgb: np.ndarray) -> None:
        self._levels = [np.ascontiguousarray(rgb)]
        while min(self._levels[-1].shape[:2]) >= 512:
            height, width = self._levels[-1].shape[:2]
            size = (width // 2, height // 2)
            self._levels.append(cv2.resize(self._levels[-1], size, interpolation=cv2.INTER_AREA))

    @property
    def size(self) -> np.ndarray:
        """Width and height of the photo (2,)."""
        return np.array(self._levels[0].shape[1::-1])

    def crop(self, region: Region, size: int, border: int = cv2.BORDER_REPLICATE) -> np.ndarray:
        """The square of a region as (size, size, 3) uint8."""
        level = max(0, min(len(self._levels) - 1, int(math.log2(max(region.side / size, 1)))))
        image = self._levels[level]
        shrink = np.array(image.shape[1::-1]) / self.size
        transform = region.transform(size)
        transform[:, :2] /= shrink
        moved = about_pixel_centres(transform)
        return cv2.warpAffine(image, moved, (size, size), flags=cv2.INTER_LINEAR, borderMode=border)
