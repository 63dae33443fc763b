"""Part maps and masks -> the distance fields of loss BA."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..bodies.parts import NUM_PARTS
from ..bodies.tables import skin_sample
from ..core.arrays import Array
from ..core.terms.parts import Fields, Parts
from ..records import Observation
from .people import Means

NUM_PIXELS = 160
GRID = 160
MIN_PIXELS = 80


def parts_term(
    people: Sequence[Observation],
    means: Means,
    px_per_metre: Array,
    seed: int,
    photo: np.ndarray | None = None,
) -> Parts | None:
    """Loss BA of everybody; None where nobody has a part map or mask.

    Part maps are used if everybody who has labels has them; a batch of both kinds is fitted to
    masks, and bodies may be hidden behind others of their photo. px_per_metre (N,): size of a metre
    at each person; photo (N,): which each is in, by default all in different ones.
    """
    labels = [p.parts for p in people]
    use_parts = any(x is not None for x in labels) and all(
        p.parts is not None or p.mask is None for p in people
    )
    planes = [p.parts if use_parts else _mask(p) for p in people]
    if all(plane is None for plane in planes):
        return None
    channels = NUM_PARTS if use_parts else 1
    random = np.random.default_rng(seed)
    rows = []
    for i, plane in enumerate(planes):
        others: list[np.ndarray] = []
        if photo is not None and not use_parts:
            beside = np.flatnonzero(photo == photo[i])
            others = [p for j in beside if j != i and (p := planes[j]) is not None]
        rows.append(_one(plane, channels, random, others))
    backend = means.backend
    skin = skin_sample(means.body, backend)
    columns: list[Any] = [backend.asarray(np.stack(c)) for c in zip(*rows, strict=True)]
    channel = skin.labels - 1 if use_parts else backend.xp.zeros_like(skin.labels)
    return Parts(skin, channel, means.config.weights.part, Fields(*[*columns, px_per_metre]))


def _mask(person: Observation) -> np.ndarray | None:
    if person.mask is not None:
        return person.mask
    return None if person.parts is None else person.parts > 0


def _one(
    plane: np.ndarray | None,
    channels: int,
    random: np.random.Generator,
    others: Sequence[np.ndarray],
) -> tuple[np.ndarray, ...]:
    """One person's `Fields` without the size of a metre; of weight 0 where there are no labels.

    others: masks of who may hide this person.
    """
    import cv2  # which Blender has not

    distance, present = np.zeros((channels, GRID, GRID), np.float32), np.zeros(channels, bool)
    pixels, channel = np.zeros((NUM_PIXELS, 2)), np.zeros(NUM_PIXELS, np.int64)
    if plane is None or np.count_nonzero(plane) < MIN_PIXELS:
        one = np.ones(())
        return distance, np.zeros(2), one, pixels, channel, pixels[:, 0], present, np.ones(2)
    ys, xs = np.nonzero(plane)
    low, high = np.array([xs.min(), ys.min()], float), np.array([xs.max(), ys.max()], float) + 1
    side = 1.6 * (high - low).max()
    origin, step = 0.5 * (low + high) - side / 2, side / (GRID - 1)
    coarse = _resampled(plane, origin, step)
    for other in others:
        coarse |= _resampled(other, origin, step)
    for c in range(channels):
        labelled = coarse > 0 if channels == 1 else coarse == c + 1
        present[c] = labelled.sum() >= 4
        if present[c]:
            rest = (~labelled).astype(np.uint8)
            distance[c] = cv2.distanceTransform(rest, cv2.DIST_L2, 5) * step
    picks = random.choice(len(xs), NUM_PIXELS, replace=len(xs) < NUM_PIXELS)
    if channels > 1:
        channel = plane[ys[picks], xs[picks]].astype(np.int64) - 1
    pixels = np.stack((xs[picks], ys[picks]), -1) + 0.5
    weight, size = present[channel].astype(float), np.array(plane.shape[::-1], float)
    return distance, origin, np.array(step), pixels, channel, weight, present, size


def _resampled(plane: np.ndarray, origin: np.ndarray, step: float) -> np.ndarray:
    """The labels at the centres of the grid's cells, 0 outside the photo. -> (GRID, GRID) uint8."""
    grid = (np.arange(GRID) * step)[:, None] + origin
    columns, lines = np.floor(grid[:, 0]).astype(int), np.floor(grid[:, 1]).astype(int)
    height, width = plane.shape
    inside = ((lines >= 0) & (lines < height))[:, None] & ((columns >= 0) & (columns < width))
    labels = plane[np.clip(lines, 0, height - 1)[:, None], np.clip(columns, 0, width - 1)]
    return labels.astype(np.uint8) * inside
