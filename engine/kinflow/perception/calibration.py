"""How far views disagree -> how far a keypoint is off, and how much to trust it.

Constants are fitted on rendered people whose truth is known.
"""

import numpy as np

FLOOR, SLOPE = 0.006, 1.0  # shares of the person's size
HALF = 0.03  # of the person's size: a keypoint that far off is trusted by half


def sigma_px(spread: np.ndarray, size: float) -> np.ndarray:
    """Scale of a keypoint's error in px.

    spread: mean distance of the views from their median, as a share of `size` (px).
    """
    return size * np.hypot(FLOOR, SLOPE * spread)


def confidence(sigma: np.ndarray, size: float) -> np.ndarray:
    """Trust in 0..1, falling with the scale of error."""
    return 1 / (1 + (sigma / (HALF * size)) ** 2)


def share_within(times: float) -> float:
    """Share of errors within so many sigmas, of the density exp(-r / sigma) / (2 pi sigma^2)."""
    return float(1 - (1 + times) * np.exp(-times))
