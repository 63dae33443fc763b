"""Each pixel of a mask to the part of the nearest limb: what a part network has to beat."""

from __future__ import annotations

import numpy as np

from ..bodies.keypoint_names import COCO17
from ..bodies.parts import PART_NAMES

_ENDS = {
    "upper_arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
    "thigh": ("hip", "knee"),
    "shin": ("knee", "ankle"),
}


def limb_segments(
    points: np.ndarray, confidence: np.ndarray
) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """Parts with the ends of their limbs on the photo, of what is seen. -> [(part, (2,), (2,))]."""
    at = {name: points[i] for i, name in enumerate(COCO17) if confidence[i] > 0}
    segments = []
    for side in ("left", "right"):
        for part, (a, b) in _ENDS.items():
            if f"{side}_{a}" in at and f"{side}_{b}" in at:
                segments.append(
                    (PART_NAMES.index(f"{side}_{part}"), at[f"{side}_{a}"], at[f"{side}_{b}"])
                )
        for part, end, before, share in (
            ("hand", "wrist", "elbow", 0.35),
            ("foot", "ankle", "knee", 0.2),
        ):
            if f"{side}_{end}" in at and f"{side}_{before}" in at:
                tip = at[f"{side}_{end}"] + share * (at[f"{side}_{end}"] - at[f"{side}_{before}"])
                segments.append(
                    (PART_NAMES.index(f"{side}_{part}"), 0.5 * (at[f"{side}_{end}"] + tip), tip)
                )
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
