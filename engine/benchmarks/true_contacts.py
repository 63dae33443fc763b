"""Captured clips on our body, with feet that stand: the truth that sequences are measured against.

Retargeted clips float and slide by centimetres. So contacts are labelled first, from the slow and
low points of the soles, and then the root's way is solved: points in contact stay where they are
and at the floor's height, and everywhere else its accelerations are the captured ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# m a frame, m: of a sole's point that is taken to stand, round by round; at last of the labels
ROUNDS = ((0.02, 0.05), (0.014, 0.05), (0.01, 0.04), (0.007, 0.03), (0.005, 0.025), (0.005, 0.025))
DRIFTING = 2  # rounds before heights are believed
AROUND, AIR = 20, 0.12  # frames about, m: who is higher above the lowest there is in the air
SHORTEST = 4  # frames of a contact
# deviations: of a standing point's step and height, of the root's acceleration, and of its place, m
STEP, HEIGHT, ACCELERATION, PLACE = 0.0005, 0.003, 0.004, 0.3
SCALES = np.linspace(0.8, 1.2, 41)


@dataclass(frozen=True)
class Standing:
    """transl (T, 3) m, Y up, floor at 0; contact (T, P) bool of the soles' points."""

    transl: np.ndarray
    contact: np.ndarray


def stand(soles: np.ndarray, transl: np.ndarray, levels: bool) -> Standing:
    """soles (T, P, 3) m about the pelvis, transl (T, 3) as captured; levels: of somebody who
    climbs, the floor is where the clip is lowest, and what stands higher is no contact of it."""
    captured = _scale(soles, transl) * transl
    way = captured
    for number, (slow, low) in enumerate(ROUNDS):
        places = soles + way[:, None]
        height = places[..., 1] - _ground(places, levels, number < DRIFTING)[:, None]
        still = _long_enough(_speed(places) < slow)
        contact = _long_enough(still & (height < low))
        way = _solved(soles, captured, (contact, still, height < 0))
    places, (slow, low) = soles + way[:, None], ROUNDS[-1]
    height = np.abs(places[..., 1])
    return Standing(way, _long_enough((_speed(places) < slow) & (height < low)))


def _scale(soles: np.ndarray, transl: np.ndarray) -> float:
    """Of the captured way, so that each frame's slowest point is as slow as can be."""
    slowest = [np.median(_speed(soles + s * transl[:, None]).min(1)) for s in SCALES]
    return float(SCALES[int(np.argmin(slowest))])


def _speed(places: np.ndarray) -> np.ndarray:
    """(T, P, 3) -> (T, P) m a frame: of the slower of the steps before and after."""
    steps = np.linalg.norm(np.diff(places, axis=0), axis=-1)
    return np.minimum(np.concatenate((steps[:1], steps)), np.concatenate((steps, steps[-1:])))


def _ground(places: np.ndarray, levels: bool, drifting: bool) -> np.ndarray:
    """The floor's height in every frame: at 0 where the way is solved; before that, as captured
    heights drift, at the lowest point of whoever is not clearly in the air. -> (T,)."""
    lowest = places[..., 1].min(1)
    if not drifting:
        return np.zeros(len(lowest))
    if levels:
        return np.full(len(lowest), np.quantile(lowest, 0.05))
    padded = np.pad(lowest, AROUND, mode="edge")
    floor = np.lib.stride_tricks.sliding_window_view(padded, 2 * AROUND + 1).min(-1)
    return np.where(lowest - floor < AIR, lowest, floor)


def _long_enough(contact: np.ndarray) -> np.ndarray:
    """Contacts of SHORTEST frames at least."""
    kept = contact.copy()
    for column in range(contact.shape[1]):
        edges = np.flatnonzero(np.diff(np.r_[0, contact[:, column].astype(int), 0]))
        for begin, end in edges.reshape(-1, 2):
            kept[begin:end, column] &= end - begin >= SHORTEST
    return kept


def _solved(
    soles: np.ndarray, captured: np.ndarray, which: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> np.ndarray:
    """The root's way. which: points (T, P) at the floor, that stand still, and below the floor."""
    contact, still, below = which
    count = len(soles)
    normal, right = np.zeros((3, count, count)), np.zeros((3, count))
    steps = (still[1:] & still[:-1]) / STEP**2
    moved = np.diff(soles, axis=0)  # the root has to take back what a standing point moves
    weight, pull = steps.sum(1), -(steps[..., None] * moved).sum(1).T
    later, earlier = np.arange(1, count), np.arange(count - 1)
    for axis in range(3):
        table = normal[axis]
        table[later, later] += weight
        table[earlier, earlier] += weight
        table[later, earlier] -= weight
        table[earlier, later] -= weight
        right[axis, later] += pull[axis]
        right[axis, earlier] -= pull[axis]
    heights = (contact | below) / HEIGHT**2
    normal[1][np.arange(count), np.arange(count)] += heights.sum(1)
    right[1] -= (heights * soles[..., 1]).sum(1)
    change = np.diff(np.eye(count), 2, axis=0) / ACCELERATION
    normal += change.T @ change + np.eye(count) / PLACE**2
    wanted = (change.T @ change + np.eye(count) / PLACE**2) @ captured
    return np.stack([np.linalg.solve(normal[k], right[k] + wanted[:, k]) for k in range(3)], 1)
