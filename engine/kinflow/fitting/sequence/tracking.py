"""Who is who from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ...records import Observation

MAX_GAP = 15  # frames without a sighting before a track ends
FAR = 0.5  # of the person's size: a greater mean distance is another person


@dataclass
class Track:
    """One person: frame numbers in order, and what was seen in each."""

    frames: list[int] = field(default_factory=list)
    people: list[Observation] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.frames)


def track(frames: Sequence[Sequence[Observation]]) -> list[Track]:
    """People of every frame -> one track a person, the longest first.

    Nearest pairs first, by the mean distance of the keypoints that both frames show, in shares of the person's size.
    """
    tracks: list[Track] = []
    for number, people in enumerate(frames):
        alive = [t for t in tracks if number - t.frames[-1] <= MAX_GAP]
        pairs = sorted(
            (separation(t.people[-1], p), i, j)
            for i, t in enumerate(alive)
            for j, p in enumerate(people)
        )
        taken: set[int] = set()
        placed: set[int] = set()
        for distance, i, j in pairs:
            if distance < FAR and i not in taken and j not in placed:
                alive[i].frames.append(number)
                alive[i].people.append(people[j])
                taken.add(i)
                placed.add(j)
        tracks += [Track([number], [p]) for j, p in enumerate(people) if j not in placed]
    return sorted(tracks, key=len, reverse=True)


def separation(a: Observation, b: Observation) -> float:
    """Mean distance of shared keypoints over the size of the person; infinite where nothing is shared."""
    if a.keypoint_set != b.keypoint_set:
        return float("inf")
    both = a.usable & b.usable
    if not both.any():
        return float("inf")
    size = max(a.height_px(), b.height_px(), 1.0)
    return float(np.linalg.norm(a.keypoints[both] - b.keypoints[both], axis=-1).mean()) / size
