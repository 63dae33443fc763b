"""Who is fitted at once: people of one keypoint set, those of a photo never apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..records import Camera, Observation, Parameters
from .config import MIN_KEYPOINTS
from .population import Who
from .scene_terms import photos_of


@dataclass(frozen=True)
class Batch:
    """People, their cameras, what is known of them, and starts that a caller brings."""

    people: list[Observation]
    cameras: list[Camera]
    who: list[Who]
    starts: Sequence[Parameters | None] | None = None

    def __len__(self) -> int:
        return len(self.people)

    def pick(self, rows: Sequence[int]) -> Batch:
        """Some of them."""
        return Batch(
            [self.people[i] for i in rows],
            [self.cameras[i] for i in rows],
            [self.who[i] for i in rows],
            None if self.starts is None else [self.starts[i] for i in rows],
        )


def usable(person: Observation) -> bool:
    """Whether there is enough to fit."""
    return int(person.usable.sum()) >= MIN_KEYPOINTS


def split(everyone: Batch, size: int) -> list[list[int]]:
    """Rows of who can be fitted, in batches of `size` people, or of one photo where it has more."""
    photo = photos_of(everyone.people, everyone.cameras)
    groups: dict[tuple[str, int], list[int]] = {}
    for index, person in enumerate(everyone.people):
        if usable(person):
            groups.setdefault((person.keypoint_set, int(photo[index])), []).append(index)
    batches: list[list[int]] = []
    sets: list[str] = []
    for (name, _), rows in sorted(groups.items(), key=_by_set):
        if batches and sets[-1] == name and len(batches[-1]) + len(rows) <= size:
            batches[-1] += rows
        else:
            batches.append(rows)
            sets.append(name)
    return batches


def _by_set(group: tuple[tuple[str, int], list[int]]) -> str:
    return group[0][0]
