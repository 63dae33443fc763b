"""Which frames of a motion need keys, so that what lies between them stays near it (numpy only)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import radians

import numpy as np

# turns (T, B, 4), places (T, 3) m -> points (T, P, 3) m
Posing = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Tolerance:
    """How far a bone may be turned from the motion, radians, and a joint be from its place, m."""

    angle: float = radians(2)
    distance: float = 0.01


@dataclass(frozen=True)
class Track:
    """A motion: frames (T,) rising; turns (T, B, 4), quaternions of a sign that does not jump;
    places (T, 3) m of the root; what they pose."""

    frames: np.ndarray
    turns: np.ndarray
    places: np.ndarray
    posing: Posing

    def between(self, a: int, b: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows a + 1 to b - 1 as Blender makes them of keys at a and b: straight lines."""
        inside = self.frames[a + 1 : b]
        share = (inside - self.frames[a]) / (self.frames[b] - self.frames[a])
        turns = self.turns[a] + share[:, None, None] * (self.turns[b] - self.turns[a])
        turns /= np.linalg.norm(turns, axis=-1, keepdims=True)
        places = self.places[a] + share[:, None] * (self.places[b] - self.places[a])
        return turns, places


def needed(track: Track, tolerance: Tolerance) -> list[int]:
    """Rows to key, the first and the last among them: where a line between two keys leaves the
    motion, the row that is farthest off gets a key too (Douglas and Peucker). All bones have their
    keys in the same frames, so that every key is a whole pose.
    """
    count = len(track.frames)
    points = track.posing(track.turns, track.places)
    kept = {0, count - 1}
    open_spans = [(0, count - 1)]
    while open_spans:
        a, b = open_spans.pop()
        if b - a < 2:
            continue
        errors = _errors(track, points[a + 1 : b], (a, b), tolerance)
        worst = int(errors.argmax())
        if errors[worst] > 1:
            middle = a + 1 + worst
            kept.add(middle)
            open_spans += [(a, middle), (middle, b)]
    return sorted(kept)


def _errors(
    track: Track, points: np.ndarray, span: tuple[int, int], tolerance: Tolerance
) -> np.ndarray:
    """Of each row between two keys, in shares of what is tolerated. points: where they belong."""
    turns, places = track.between(*span)
    dots = np.abs((turns * track.turns[span[0] + 1 : span[1]]).sum(-1)).clip(0, 1)
    angles = 2 * np.arccos(dots).max(-1)
    apart = np.linalg.norm(track.posing(turns, places) - points, axis=-1).max(-1)
    return np.maximum(angles / tolerance.angle, apart / tolerance.distance)
