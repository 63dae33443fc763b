"""Where people may be: the person detector and the face detector over a photo and its tiles."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from .regions import Pyramid, Region, body_region
from .ssd import FACE, POSE, Boxes, Layout, decode_boxes, ssd_anchors, weighted_suppression
from .tflite import each, run_network

FACE_TO_HIPS, FACE_TO_END = 4.0, 6.5  # of the face's width: from the nose; about the whole body
STEP = 0.75  # from tile to tile, of their side
SAME_CENTRE, SAME_SIDE, SAME_TILT = 0.1, 1.25, 0.35  # regions that show the same
_ANCHORS = {layout: ssd_anchors(layout) for layout in (POSE, FACE)}


@dataclass(frozen=True)
class Source:
    """A detector, how sure it has to be, and the shares of the photo's longer side whose tiles it
    is shown; above 1: the photo with a rim, for people who fill it."""

    network: Path
    layout: Layout
    threshold: float
    shares: tuple[float, ...]


def tiles(size: np.ndarray, share: float) -> list[Region]:
    """Overlapping squares, `share` of the photo's longer side; one for 1 and more."""
    side = share * float(size.max())
    room = np.maximum(size - side, 0)
    steps = np.ceil(room / (STEP * side) - 1e-9).astype(int) + 1
    x, y = (
        np.linspace(0.5 * (s - r), 0.5 * (s + r), n)
        for s, r, n in zip(size, room, steps, strict=True)
    )
    return [Region(np.array([a, b]), side) for b in y for a in x]


def find_boxes(pyramid: Pyramid, region: Region, source: Source) -> Boxes:
    """Detections in an upright region, in px of the photo."""
    side = source.layout.side
    crop = pyramid.crop(region, side, cv2.BORDER_CONSTANT)
    raw, logits = run_network(source.network, crop.astype(np.float32) / 127.5 - 1)
    found = decode_boxes(raw, logits[:, 0], _ANCHORS[source.layout], source.threshold)
    found = weighted_suppression(found)
    corners = region.to_photo(found.box.reshape(-1, 2, 2) / side).reshape(-1, 4)
    return Boxes(corners, region.to_photo(found.points / side), found.score)


def propose(pyramid: Pyramid, sources: Sequence[Source]) -> list[Region]:
    """Regions in which somebody may be, surest first, those that show the same but once."""
    looks = [(t, s) for s in sources for share in s.shares for t in tiles(pyramid.size, share)]

    def one(which: tuple[Region, Source]) -> list[tuple[float, Region]]:
        found = find_boxes(pyramid, *which)
        return list(zip(found.score, regions_of(found), strict=True))

    scored = [pair for some in each(one, looks) for pair in some]
    kept: list[Region] = []
    for index in np.argsort([-score for score, _ in scored], kind="stable"):
        region = scored[index][1]
        if region.side > 1 and not any(same_region(region, other) for other in kept):
            kept.append(region)
    return kept


def regions_of(found: Boxes) -> list[Region]:
    """Of bodies (four points) or faces (six)."""
    if found.points.shape[1] == 4:
        return [body_region(p[0], p[1]) for p in found.points]
    return [face_region(*pair) for pair in zip(found.points, found.box, strict=True)]


def face_region(points: np.ndarray, box: np.ndarray) -> Region:
    """Where the body of a face is to be looked for.

    points (6, 2) px: eyes, tip of the nose, mouth, ears; box (4,) xyxy px of the face.
    """
    width = float(box[2] - box[0])
    down = points[3] - points[:2].mean(0)
    down /= max(float(np.hypot(*down)), 1e-9)
    hips = points[2] + FACE_TO_HIPS * width * down
    return body_region(hips, hips - FACE_TO_END * width * down)


def same_region(a: Region, b: Region) -> bool:
    """Whether two regions differ by no more than views of one do."""
    small, large = sorted((a.side, b.side))
    apart = float(np.hypot(*(a.centre - b.centre)))
    tilt = abs(np.angle(np.exp(1j * (a.angle - b.angle))))
    return apart < SAME_CENTRE * small and large < SAME_SIDE * small and tilt < SAME_TILT
