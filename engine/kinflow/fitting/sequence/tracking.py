"""Who is who from frame to frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from ...records import Observation

MAX_GAP = 15  # frames without a sighting before a track ends
FAR = 0.5  # of the person's size: a greater mean distance is another person
RECENT = 6  # sightings that tell which way somebody goes


@dataclass
class Track:
    """One person: frame numbers in order, and what was seen in each (without masks)."""

    frames: list[int] = field(default_factory=list)
    people: list[Observation] = field(default_factory=list)
    places: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.frames)

    def add(self, frame: int, person: Observation, place: int) -> None:
        """place: which of the frame's people this is."""
        self.frames.append(frame)
        self.people.append(replace(person, mask=None, parts=None))
        self.places.append(place)

    def whole(self) -> tuple[list[int], list[Observation]]:
        """Every frame from the first to the last, with nothing to see where there was no sighting:
        what a fit fills."""
        known = dict(zip(self.frames, self.people, strict=True))
        last, frames = self.people[0], list(range(self.frames[0], self.frames[-1] + 1))
        people = []
        for frame in frames:
            last = known.get(frame, last)
            hidden = replace(last, confidence=np.zeros_like(last.confidence))
            people.append(known.get(frame, hidden))
        return frames, people

    @property
    def gaps(self) -> dict[int, int]:
        """Frames behind a gap, and the last one before it."""
        pairs = zip(self.frames[:-1], self.frames[1:], strict=True)
        return {after: before for before, after in pairs if after > before + 1}

    def expected(self, frame: int) -> Observation:
        """The last sighting, moved on as the person goes: who is hidden for a moment by another
        comes out on the other side."""
        last, frames = self.people[-1], self.frames[-RECENT:]
        if frames[-1] == frames[0]:
            return last
        centres = np.stack([_centre(person) for person in self.people[-RECENT:]])
        velocity = (centres[-1] - centres[0]) / (frames[-1] - frames[0])
        moved = last.keypoints + np.float32(velocity * (frame - frames[-1]))
        return replace(last, keypoints=moved)


def track(frames: Iterable[Sequence[Observation]]) -> list[Track]:
    """People of every frame -> one track a person, the longest first.

    Each frame's people are assigned to the tracks with the least sum of distances: of the
    keypoints that both sightings show, in shares of the person's size, from where they were last
    and from where they should be by now. Nobody is assigned to a track that is `FAR`.
    """
    alive: list[Track] = []
    ended: list[Track] = []
    for number, people in enumerate(frames):
        ended += [t for t in alive if number - t.frames[-1] > MAX_GAP]
        alive = [t for t in alive if number - t.frames[-1] <= MAX_GAP]
        placed = set()
        for i, j in _assign(alive, people, number):
            alive[i].add(number, people[j], j)
            placed.add(j)
        for j, person in enumerate(people):
            if j not in placed:
                alive.append(Track())
                alive[-1].add(number, person, j)
    return sorted((*ended, *alive), key=lambda one: (-len(one), one.frames[0], one.places[0]))


def _assign(
    tracks: Sequence[Track], now: Sequence[Observation], frame: int
) -> list[tuple[int, int]]:
    """Pairs (index of a track, index now) nearer than `FAR`."""
    if not tracks or not now:
        return []
    last = [(t.people[-1], t.expected(frame)) for t in tracks]
    distances = np.array([[min(separation(a, b) for a in both) for b in now] for both in last])
    near = distances < FAR
    # a pair that is far costs what losing one person and meeting another does
    rows, columns = linear_sum_assignment(np.where(near, distances, FAR))
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if near[i, j]]


def _centre(person: Observation) -> np.ndarray:
    usable = person.usable
    points = person.keypoints[usable] if usable.any() else person.keypoints
    return np.asarray(np.median(points, axis=0), np.float64)


def separation(a: Observation, b: Observation) -> float:
    """Mean distance of shared keypoints over the person's size; infinite where none is shared."""
    if a.keypoint_set != b.keypoint_set:
        return float("inf")
    both = a.usable & b.usable
    if not both.any():
        return float("inf")
    size = max(a.height_px(), b.height_px(), 1.0)
    return float(np.linalg.norm(a.keypoints[both] - b.keypoints[both], axis=-1).mean()) / size
