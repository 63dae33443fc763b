"""The frames of one person, and where they fall apart: cuts, and long gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ...errors import InvalidInputError
from ...records import Camera, Observation
from ..batches import usable
from ..population import Who
from .captured import FPS
from .tracking import FAR, separation

LONGEST_GAP = 45.0  # 30ths of a second without a sighting that a motion is led across


@dataclass(frozen=True)
class Clip:
    """One person in successive frames before one camera. times: rising, in 30ths of a second."""

    people: Sequence[Observation]
    camera: Camera
    times: np.ndarray
    who: Who

    def pick(self, rows: Sequence[int]) -> Clip:
        """Some of its frames."""
        people = [self.people[i] for i in rows]
        return Clip(people, self.camera, self.times[list(rows)], self.who)


def times_of(
    people: Sequence[Observation], frames: Sequence[float] | None, fps: float
) -> np.ndarray:
    """30ths of a second. Raises InvalidInputError where the numbers are not rising."""
    numbers = list(range(len(people))) if frames is None else [float(f) for f in frames]
    rising = all(a < b for a, b in pairwise(numbers)) and np.isfinite(numbers).all()
    if len(numbers) != len(people) or not rising:
        raise InvalidInputError(
            "A sequence needs one frame number an observation, rising.",
            "Give frames=[0, 1, 2, ...].",
        )
    if not (np.isfinite(fps) and fps > 0):
        raise InvalidInputError("fps has to be a number above 0.", "Give the clip's frame rate.")
    return np.array(numbers, np.float64) * (FPS / fps)


def spans(people: Sequence[Observation], times: np.ndarray) -> list[range]:
    """Runs of frames that are one motion, by their rows.

    They begin and end with a sighting; between two lie a cut, where somebody is suddenly elsewhere,
    or more than LONGEST_GAP without a sighting.
    """
    seen = [row for row, person in enumerate(people) if usable(person)]
    found: list[range] = []
    begin = 0
    for place, (a, b) in enumerate(pairwise(seen)):
        gap = times[b] - times[a]
        cut = gap <= 2 and separation(people[a], people[b]) > FAR
        if cut or gap > LONGEST_GAP:
            found.append(range(seen[begin], a + 1))
            begin = place + 1
    if seen:
        found.append(range(seen[begin], seen[-1] + 1))
    return found
