"""How likely each point of a body touches the floor in each frame of a motion.

A hidden Markov chain a point: it touches or not. While it touches, its height and its step to the
next frame are normal about 0, with the deviations that they are known to; else both are spread as
wide as those of a limb that moves. Forward and backward passes give what all frames tell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STRIDE = 0.04  # m a frame along each axis: how a limb moves that does not touch
LIFT = 0.25  # m: how high it is
LASTS = 0.92  # of touching, from frame to frame at 30 a second
SOLES_BEGIN, OTHERS_BEGIN = 0.08, 0.004  # to touch, from frame to frame
SOLES_TOUCH, OTHERS_TOUCH = 0.5, 0.05  # in the first frame


@dataclass(frozen=True)
class Noise:
    """Deviations in m that a touching point's step along each axis and height are known to."""

    step: float
    height: float


@dataclass(frozen=True)
class Touching:
    """touch (T, C): how likely each point touches; hold (T, C): in the next frame too, 0 in the
    last."""

    touch: np.ndarray
    hold: np.ndarray

    def pinned(self, pins: np.ndarray) -> Touching:
        """With contacts (T, C) bool that are stated."""
        both = np.concatenate((pins[:-1] & pins[1:], pins[-1:] & False))
        return Touching(np.where(pins, 1.0, self.touch), np.where(both, 1.0, self.hold))


def touching(
    places: np.ndarray, heights: np.ndarray, times: np.ndarray, soles: np.ndarray, noise: Noise
) -> Touching:
    """places (T, C, 3) m, heights (T, C) m above the floor, times (T,) in 30ths of a second,
    soles (C,) bool: which points are of feet."""
    count = len(times)
    gaps = np.diff(times)[:, None]
    on, off = _normal(heights, noise.height), _normal(heights, LIFT)
    steps = np.linalg.norm(np.diff(places, axis=0), axis=-1) / np.maximum(gaps, 1)
    still, moving = _normal(steps, noise.step, 3), _normal(steps, STRIDE, 3)
    begins = np.where(soles, SOLES_BEGIN, OTHERS_BEGIN)
    lasts = LASTS**gaps * np.ones_like(steps)
    begins = 1 - (1 - begins) ** gaps
    # log-factors of (before, after): neither, begins, ends, lasts
    links = np.stack(
        (
            np.log(1 - begins) + moving,
            np.log(begins) + moving,
            np.log(1 - lasts) + moving,
            np.log(lasts) + still,
        ),
        -1,
    ).reshape((*steps.shape, 2, 2))
    own = np.stack((off, on), -1)
    forward, backward = np.zeros_like(own), np.zeros_like(own)
    share = np.where(soles, SOLES_TOUCH, OTHERS_TOUCH)
    forward[0] = own[0] + np.log(np.stack((1 - share, share), -1))
    for t in range(1, count):
        forward[t] = own[t] + np.logaddexp.reduce(forward[t - 1][:, :, None] + links[t - 1], 1)
    for t in range(count - 2, -1, -1):
        ahead = links[t] + (own[t + 1] + backward[t + 1])[:, None]
        backward[t] = np.logaddexp.reduce(ahead, 2)
    both = forward + backward
    total = np.logaddexp.reduce(both, 2)
    touch = np.exp(both[..., 1] - total)
    hold = np.zeros_like(touch)
    lasting = forward[:-1, :, 1] + links[:, :, 1, 1] + own[1:, :, 1] + backward[1:, :, 1]
    hold[:-1] = np.exp(lasting - total[:-1])
    return Touching(touch, hold)


def _normal(distance: np.ndarray, deviation: float, axes: int = 1) -> np.ndarray:
    """Log-density of a normal in so many axes, but for what all have in common."""
    return -0.5 * (distance / deviation) ** 2 - axes * np.log(deviation)
