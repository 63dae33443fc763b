"""Single-shot detectors: anchors, decoding, weighted non-maximum suppression.

As MediaPipe lays and reads them (SsdAnchorsCalculator, TensorsToDetectionsCalculator,
NonMaxSuppressionCalculator, all Apache-2.0).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_CLIP = 100.0  # of a score before the sigmoid


@dataclass(frozen=True)
class Layout:
    """Of a detector: its input's side (px), and for each layer of anchors the stride (px) and how
    many anchors a cell has."""

    side: int
    strides: tuple[int, ...]
    per_cell: tuple[int, ...]


POSE = Layout(224, (8, 16, 32), (2, 2, 6))
FACE = Layout(192, (4,), (1,))


@dataclass(frozen=True)
class Boxes:
    """Detections, N of them: box (N, 4) xyxy, points (N, P, 2), both in px; score (N,) in 0..1."""

    box: np.ndarray
    points: np.ndarray
    score: np.ndarray

    def pick(self, rows: np.ndarray) -> "Boxes":
        """Some of them."""
        return Boxes(self.box[rows], self.points[rows], self.score[rows])


def ssd_anchors(layout: Layout) -> np.ndarray:
    """Centres of the anchors in px of the input, row by row, layer after layer. -> (A, 2)."""
    layers = []
    for stride, count in zip(layout.strides, layout.per_cell, strict=True):
        cells = layout.side // stride
        y, x = np.mgrid[:cells, :cells]
        centres = (np.stack((x, y), -1).reshape(-1, 2) + 0.5) * stride
        layers.append(np.repeat(centres, count, axis=0))
    return np.concatenate(layers)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without overflow."""
    return 1 / (1 + np.exp(-np.clip(np.asarray(x, np.float64), -_CLIP, _CLIP)))


def decode_boxes(
    raw: np.ndarray, logits: np.ndarray, anchors: np.ndarray, threshold: float
) -> Boxes:
    """Boxes of the anchors that score at least `threshold`, in px of the input.

    raw (A, 4 + 2 P): centre, size and points as offsets from the anchor; logits (A,).
    """
    score = sigmoid(logits.astype(np.float64))
    rows = np.flatnonzero(score >= threshold)
    centre = raw[rows, :2] + anchors[rows]
    half = 0.5 * raw[rows, 2:4]
    points = raw[rows, 4:].reshape(len(rows), raw.shape[1] // 2 - 2, 2) + anchors[rows, None]
    return Boxes(np.concatenate((centre - half, centre + half), 1), points, score[rows])


def overlap(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of a box (4,) with others (N, 4), xyxy. -> (N,)."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(1)
    areas = np.clip(others[:, 2:] - others[:, :2], 0, None).prod(1)
    area = np.clip(box[2:] - box[:2], 0, None).prod()
    return shared / np.maximum(area + areas - shared, 1e-9)


def weighted_suppression(found: Boxes, threshold: float = 0.3) -> Boxes:
    """Of boxes that overlap by more than `threshold` one, their mean by score; best first."""
    left = np.argsort(-found.score, kind="stable")
    kept: list[Boxes] = []
    while len(left):
        best = left[0]
        same = overlap(found.box[best], found.box[left]) > threshold
        same[0] = True  # a box without area overlaps with nothing
        group = left[same]
        weight = found.score[group] / found.score[group].sum()
        box, points = (np.tensordot(weight, a[group], 1) for a in (found.box, found.points))
        kept.append(Boxes(box[None], points[None], found.score[best : best + 1]))
        left = left[~same]
    return join(kept) if kept else found


def join(several: Sequence[Boxes]) -> Boxes:
    """All of them as one. Raises ValueError for none."""
    return Boxes(*(np.concatenate([getattr(b, n) for b in several]) for n in _FIELDS))


_FIELDS = ("box", "points", "score")
