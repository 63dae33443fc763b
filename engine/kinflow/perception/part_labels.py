"""Mask and keypoints of a person -> the 14 body parts, by the shipped network (trained by `training.part_network`)."""

from __future__ import annotations

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
    names = NAMES[person.keypoint_set]
    index = [names.index(name) for name in COCO17]
    points = person.keypoints[index].astype(np.float64)
    confidence = np.where(person.usable[index], np.clip(person.confidence[index], 0, 1), 0)
    corner, side = _square(person.mask)
    scale = CROP / side
    # area-averaged mask on the crop's grid
    matrix = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    mask = _shrink(person.mask, corner, side)
    local = points * scale + matrix[:, 2]
    seen = (confidence > 0) & (local >= 0).all(1) & (local <= CROP).all(1)
    grid = np.arange(CROP, dtype=np.float32) + 0.5
    x = np.exp(-0.5 * ((grid - local[:, :1]) / DEVIATION) ** 2)
    y = np.exp(-0.5 * ((grid - local[:, 1:]) / DEVIATION) ** 2)
    heat = (np.where(seen, confidence, 0)[:, None, None] * y[:, :, None] * x[:, None, :]).astype(
        np.float32
    )
    net = _network()
    net.setInput(np.concatenate((mask[None], heat))[None])
    logits = net.forward()[0]
    low, high = np.maximum(corner, 0).astype(int), np.ceil(corner + side).astype(int)
    height, width = person.mask.shape
    rows, columns = np.arange(low[1], min(high[1], height)), np.arange(low[0], min(high[0], width))
    map_x = np.tile(((columns + 0.5 - corner[0]) * scale - 0.5).astype(np.float32), (len(rows), 1))
    map_y = np.tile(
        ((rows + 0.5 - corner[1]) * scale - 0.5).astype(np.float32)[:, None], (1, len(columns))
    )
    planes = np.stack(
        [
            cv2.remap(
                np.ascontiguousarray(p),
                map_x,
                map_y,
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            for p in logits
        ]
    )
    parts = np.zeros(person.mask.shape, np.uint8)
    inside = person.mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    parts[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = np.where(
        inside, planes.argmax(0), 0
    )
    return replace(person, parts=parts)


def _square(mask: np.ndarray) -> tuple[np.ndarray, float]:
    columns, lines = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    low = np.array([columns[0], lines[0]], float)
    high = np.array([columns[-1] + 1, lines[-1] + 1], float)
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
