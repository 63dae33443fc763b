"""Who is who from frame to frame."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

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

    Each frame's people are assigned to the tracks with the least sum of distances: of the
    keypoints that both sightings show, in shares of the person's size. Nobody is assigned to a
    track that is `FAR`.
    """
    tracks: list[Track] = []
    for number, people in enumerate(frames):
        alive = [t for t in tracks if number - t.frames[-1] <= MAX_GAP]
        placed = set()
        for i, j in _assign([t.people[-1] for t in alive], people):
            alive[i].frames.append(number)
            alive[i].people.append(people[j])
            placed.add(j)
        tracks += [Track([number], [p]) for j, p in enumerate(people) if j not in placed]
    return sorted(tracks, key=len, reverse=True)


def _assign(before: Sequence[Observation], now: Sequence[Observation]) -> list[tuple[int, int]]:
    """Pairs (index before, index now) nearer than `FAR`."""
    distances = np.array([[separation(a, b) for b in now] for a in before])
    if not distances.size:
        return []
    near = distances < FAR
    # a pair that is far costs what losing one person and meeting another does
    rows, columns = linear_sum_assignment(np.where(near, distances, FAR))
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if near[i, j]]


def separation(a: Observation, b: Observation) -> float:
    """Mean distance of shared keypoints over the person's size; infinite where none is shared."""
    if a.keypoint_set != b.keypoint_set:
        return float("inf")
    both = a.usable & b.usable
    if not both.any():
        return float("inf")
    size = max(a.height_px(), b.height_px(), 1.0)
    return float(np.linalg.norm(a.keypoints[both] - b.keypoints[both], axis=-1).mean()) / size
