"""Each pixel of a mask to the part of the nearest limb: what a part network has to beat."""

import itertools

import numpy as np

from ..bodies.keypoint_names import COCO17
from ..bodies.parts import PART_NAMES

# part: two joints, and where between them (0, 1) or beyond it begins and ends
_ENDS = {
    **{"upper_arm": ("shoulder", "elbow", 0.0, 1.0), "forearm": ("elbow", "wrist", 0.0, 1.0)},
    **{"thigh": ("hip", "knee", 0.0, 1.0), "shin": ("knee", "ankle", 0.0, 1.0)},
    **{"hand": ("elbow", "wrist", 1.175, 1.35), "foot": ("knee", "ankle", 1.1, 1.2)},
}


def limb_segments(
    points: np.ndarray, confidence: np.ndarray
) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """Parts with the ends of their limbs on the photo, of what is seen. -> [(part, (2,), (2,))]."""
    at = {name: points[i] for i, name in enumerate(COCO17) if confidence[i] > 0}
    segments = []
    for side, (part, (a, b, begin, end)) in itertools.product(("left", "right"), _ENDS.items()):
        if f"{side}_{a}" in at and f"{side}_{b}" in at:
            start, along = at[f"{side}_{a}"], at[f"{side}_{b}"] - at[f"{side}_{a}"]
            label = PART_NAMES.index(f"{side}_{part}")
            segments.append((label, start + begin * along, start + end * along))
    torso = PART_NAMES.index("torso")
    for a in ("left_shoulder", "right_shoulder"):
        segments += [
            (torso, at[a], at[b]) for b in ("left_hip", "right_hip") if a in at and b in at
        ]
    head = [at[n] for n in COCO17[:5] if n in at]
    segments += [(PART_NAMES.index("head"), p, p) for p in head]
    return segments


def nearest_limb(mask: np.ndarray, points: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Labels (H, W) uint8, 0 outside the mask or without limbs.

    mask (H, W) bool, points (17, 2) px of COCO-17, confidence (17,).
    """
    labels = np.zeros(mask.shape, np.uint8)
    segments = limb_segments(points, confidence)
    if not segments:
        return labels
    lines, columns = np.nonzero(mask)
    pixels = np.stack((columns, lines), -1) + 0.5
    nearest = np.full(len(pixels), np.inf)
    chosen = np.zeros(len(pixels), np.uint8)
    for part, a, b in segments:
        along = b - a
        share = np.clip(((pixels - a) @ along) / max(float(along @ along), 1e-9), 0, 1)
        distance = np.linalg.norm(pixels - a - share[:, None] * along, axis=1)
        better = distance < nearest
        nearest[better], chosen[better] = distance[better], part
    labels[lines, columns] = chosen
    return labels
