"""What networks give: person boxes, keypoints of a crop, body parts; in the photo's pixels."""

from collections.abc import Sequence

import cv2
import numpy as np

from ..bodies.keypoint_names import NAMES
from ..errors import DetectorError
from .networks import Network

MAX_PIXEL = 1e6


def crop_transform(box: np.ndarray, size: tuple[int, int], padding: float) -> np.ndarray:
    """Affine map (2, 3) from the photo to a crop of `size` (w, h) about a padded box xyxy."""
    centre = 0.5 * (box[:2] + box[2:])
    extent = np.maximum(box[2:] - box[:2], 1.0) * padding
    scale = min(size[0] / extent[0], size[1] / extent[1])
    shift = np.array(size) / 2 - scale * centre
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])


def find_boxes(network: Network, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (N, 4) xyxy px and scores (N,), best first.

    Head "rows": (1, N, 5 or 6) of x0, y0, x1, y1, score in px of the input, and maybe a class.
    """
    card = network.card
    whole = np.array([0, 0, rgb.shape[1], rgb.shape[0]], float)
    transform = crop_transform(whole, card.input, 1.0)
    rows = network(_warp(rgb, transform, card.input))[0][0]
    if rows.shape[1] not in (5, 6):
        hint = "Boxes need x0, y0, x1, y1, score and maybe a class."
        raise DetectorError(f"{card.model}: rows of {rows.shape[1]} numbers.", hint)
    rows = rows[(rows[:, 4] > card.score) & (np.abs(rows) < MAX_PIXEL).all(1)]
    if rows.shape[1] == 6:
        rows = rows[rows[:, 5] == 0]
    rows = rows[np.argsort(-rows[:, 4])]
    boxes = (rows[:, :4].reshape(-1, 2, 2) - transform[:, 2]) / transform[0, 0]
    return boxes.reshape(-1, 4), rows[:, 4]


def find_keypoints(
    network: Network, rgb: np.ndarray, box: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (K, 2) px of the photo and confidence (K,) of the person in a box."""
    card = network.card
    transform = crop_transform(box, card.input, card.padding)
    outputs = network(_warp(rgb, transform, card.input))
    count = len(NAMES[card.keypoint_set])
    if any(array.shape[1] != count for array in outputs):
        raise DetectorError(
            f"{card.model} gives {outputs[0].shape[1]} keypoints, {card.keypoint_set} has {count}.",
            "Check keypoint_set in its TOML.",
        )
    decode = decode_simcc if card.head == "simcc" else decode_heatmaps
    points, confidence = decode(outputs, card.input)
    return (points - transform[:, 2]) / transform[0, 0], np.clip(confidence, 0, 1)


def find_parts(network: Network, rgb: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Part labels (H, W) uint8 of the photo, from logits (1, C, h, w) on a crop about a box."""
    card = network.card
    transform = crop_transform(box, card.input, card.padding)
    planes = network(_warp(rgb, transform, card.input))[0]
    classes = planes[0].argmax(0)
    table = np.zeros(planes.shape[1], np.uint8)
    for source, part in card.labels.items():
        if not 0 <= source < len(table):
            why = f"{card.model} has {len(table)} classes, none of number {source}."
            raise DetectorError(why, "Check labels in its TOML.")
        table[source] = part
    small = np.ascontiguousarray(table[classes])
    # from photo pixels straight to the network's own grid
    scale = np.array([small.shape[1] / card.input[0], small.shape[0] / card.input[1]])
    size = (rgb.shape[1], rgb.shape[0])
    return _warp(small, transform * scale[:, None], size, cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)


def decode_simcc(
    outputs: Sequence[np.ndarray], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """SimCC (RTMPose): a keypoint's distributions along x (1, K, w') and y (1, K, h').

    -> crop px (K, 2), scores (K,).
    """
    both = (outputs[0][0], outputs[1][0])
    points = [a.argmax(-1) / a.shape[-1] * length for a, length in zip(both, size, strict=True)]
    return np.stack(points, -1), np.minimum(*(a.max(-1) for a in both)).astype(float)


def decode_heatmaps(
    outputs: Sequence[np.ndarray], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Heatmaps (ViTPose, HRNet) (1, K, h, w): the peak, a quarter towards its higher neighbour.

    -> crop px (K, 2), scores (K,).
    """
    maps = outputs[0][0]
    count, height, width = maps.shape
    flat = maps.reshape(count, -1)
    y, x = np.divmod(flat.argmax(-1), width)
    points = np.stack((x, y), -1).astype(float)
    for k in range(count):
        if 0 < x[k] < width - 1:
            points[k, 0] += 0.25 * np.sign(maps[k, y[k], x[k] + 1] - maps[k, y[k], x[k] - 1])
        if 0 < y[k] < height - 1:
            points[k, 1] += 0.25 * np.sign(maps[k, y[k] + 1, x[k]] - maps[k, y[k] - 1, x[k]])
    return (points + 0.5) * (size[0] / width, size[1] / height), flat.max(-1).astype(float)


def _warp(
    image: np.ndarray, transform: np.ndarray, size: tuple[int, int], flags: int = cv2.INTER_LINEAR
) -> np.ndarray:
    """An image under an affine map of corners: OpenCV counts pixel centres from 0, we from 0.5."""
    moved = transform.astype(np.float64).copy()
    moved[:, 2] += 0.5 * transform[:, :2].sum(1) - 0.5
    return cv2.warpAffine(image, moved, size, flags=flags, borderMode=cv2.BORDER_CONSTANT)
