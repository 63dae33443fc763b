"""How far views disagree -> how far a keypoint is off, and how much to trust it.

An error of r px has the density exp(-r / sigma) / (2 pi sigma^2) in the photo's plane: Laplace's of
the distance, as loss KA has it. Sigma is

    size * GAIN * (spread + FLOOR)^OWN * exp(UNSEEN * (1 - visible)),

spread: how far the views of the keypoint disagree, as a share of the person's size. FLOOR is the
one under which the body joints of 80 renders of validation performers are likeliest, with weights
of maximum likelihood on 80 of training performers (`benchmarks.fit_calibration`: 3.52 nats a
joint); the constants here are the weights on all 160. The mean distance of the views in the
median's place ranks errors less well (0.64, not 0.71). The median spread over the body as another
factor adds 0.05 nats on renders, none on photos, and ranks errors less well on both.
"""

import numpy as np

GAIN, OWN, UNSEEN = 1.37, 1.10, 0.27
FLOOR = 0.008  # of the person's size
NEAR = 0.05  # of the person's size: as near as that is right


def sigma_px(spread: np.ndarray, visible: np.ndarray, size: float) -> np.ndarray:
    """Scale of each keypoint's error, (K,) px.

    spread (K,): median distance of the views from their median, as a share of `size`, px; visible
    (K,) in 0..1: how sure the network is that nothing hides the keypoint.
    """
    features = np.stack(logarithms(spread, visible), -1)
    weights = np.array([np.log(GAIN), OWN, UNSEEN])
    return np.asarray(size * np.exp(features @ weights))


def logarithms(
    spread: np.ndarray, visible: np.ndarray, floor: float = FLOOR
) -> tuple[np.ndarray, ...]:
    """What log(sigma / size) is a linear function of, each (..., K)."""
    return np.ones_like(spread), np.log(spread + floor), 1 - visible


def confidence(sigma: np.ndarray, size: float) -> np.ndarray:
    """How probable it is that a keypoint lies within NEAR of its place, in 0..1."""
    return np.asarray(share_within(NEAR * size / sigma))


def share_within(times: np.ndarray | float) -> np.ndarray | float:
    """Share of errors within so many sigmas: 1 - (1 + t) exp(-t)."""
    return 1 - (1 + times) * np.exp(-np.asarray(times))
