"""Mask and keypoints of a person -> the 14 body parts, by the shipped network.

Loss BA uses them where an observation has them: with `observe(parts=True)`, with a user's own part
network, and where the regressor is trained. By default BA compares silhouettes: this network is
shown no pixels, so its limbs are those of the keypoints again, and on renders a fit is as far off
with it as without (`bench photos`). `training.part_network` trains it.
"""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from ..bodies.keypoint_names import COCO17, NAMES
from ..records import Observation

NETWORK = Path(__file__).parent.parent / "assets" / "part-network.onnx"
CROP = 64
MARGIN = 1.15
DEVIATION = 1.5


@lru_cache(maxsize=1)
def _network():
    return cv2.dnn.readNetFromONNX(str(NETWORK))


def label_parts(person: Observation) -> Observation:
    """The person with `parts` set from its mask and keypoints; unchanged where there is no mask."""
    if person.mask is None or not person.mask.any():
        return person
    ys, xs = (np.flatnonzero(person.mask.any(axis)) for axis in (1, 0))
    ends = np.array([[xs[0], ys[0]], [xs[-1] + 1, ys[-1] + 1]], float)
    corner, side = crop_about(ends)
    scale = CROP / side
    network = _network()
    planes = (_shrink(person.mask, corner, side)[None], _heat(person, corner, scale))
    network.setInput(np.concatenate(planes)[None])
    logits = network.forward()[0]
    # from the crop's grid to the photo's pixels
    low, high = np.maximum(corner, 0).astype(int), np.ceil(corner + side).astype(int)
    height, width = person.mask.shape
    rows, columns = np.arange(low[1], min(high[1], height)), np.arange(low[0], min(high[0], width))
    y = ((rows + 0.5 - corner[1]) * scale - 0.5).astype(np.float32)
    x = ((columns + 0.5 - corner[0]) * scale - 0.5).astype(np.float32)
    map_x, map_y = np.meshgrid(x, y)
    edge = cv2.BORDER_REPLICATE
    large = [cv2.remap(p, map_x, map_y, cv2.INTER_LINEAR, borderMode=edge) for p in logits]
    parts = np.zeros(person.mask.shape, np.uint8)
    region = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    parts[region] = np.where(person.mask[region], np.argmax(large, 0), 0)
    return replace(person, parts=parts)


def _heat(person: Observation, corner: np.ndarray, scale: float) -> np.ndarray:
    """A blob about each of COCO's keypoints on the crop's grid. -> (17, CROP, CROP) float32."""
    names = NAMES[person.keypoint_set]
    index = [names.index(name) for name in COCO17]
    confidence = np.where(person.usable[index], np.clip(person.confidence[index], 0, 1), 0)
    local = (person.keypoints[index].astype(np.float64) - corner) * scale
    shown = (confidence > 0) & (local >= 0).all(1) & (local <= CROP).all(1)
    return heatmaps(np.where(shown[:, None], local, 0), np.where(shown, confidence, 0))


def heatmaps(points: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Gaussian bumps at keypoints, as high as they are sure.

    (..., K, 2) px of the crop, (..., K) -> (..., K, CROP, CROP) float32.
    """
    grid = np.arange(CROP, dtype=np.float32) + 0.5
    x = np.exp(-0.5 * ((grid - points[..., :1]) / DEVIATION) ** 2)
    y = np.exp(-0.5 * ((grid - points[..., 1:]) / DEVIATION) ** 2)
    return (confidence[..., None, None] * y[..., :, None] * x[..., None, :]).astype(np.float32)


def crop_about(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Square about points (N, 2) px with a margin: its corner and side."""
    low, high = points.min(0), points.max(0)
    side = MARGIN * float((high - low).max())
    return 0.5 * (low + high) - side / 2, side


def _shrink(mask: np.ndarray, corner: np.ndarray, side: float) -> np.ndarray:
    """Mask on the crop's grid, averaged over each cell. -> (CROP, CROP) float32."""
    height, width = mask.shape
    low, high = np.floor(corner).astype(int), np.ceil(corner + side).astype(int)
    x0, y0, x1, y1 = max(low[0], 0), max(low[1], 0), min(high[0], width), min(high[1], height)
    padded = np.zeros((high[1] - low[1], high[0] - low[0]), np.float32)
    padded[y0 - low[1] : y1 - low[1], x0 - low[0] : x1 - low[0]] = mask[y0:y1, x0:x1]
    return cv2.resize(padded, (CROP, CROP), interpolation=cv2.INTER_AREA)
