"""Which views show one person, and whether what several views show is a person at all."""

import numpy as np

from .landmarks import MIRRORED, Look
from .views import Person

NEAR = 0.1  # of the smaller body's size: keypoints as near as this agree
SAME_PERSON = 0.5  # of the keypoints
PRESENT, PERHAPS = 0.5, 0.2  # of the network's own score that anybody is there
STEADY = 0.05  # of the size: a keypoint that views agree on
MIN_STEADY = 8  # keypoints
FAIR, MIN_FAIR = 0.08, 4  # a face alone is found in lamps: some of the body has to agree as well
BODY = slice(11, 29)  # of BlazePose's 33: shoulders to ankles
SMALLEST = 0.03  # of the photo's longer side


def inside(points: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Which points (N, 2) px lie in a photo of `size` (2,). -> (N,) bool."""
    return (points >= 0).all(1) & (points < size).all(1)


def agreement(a: np.ndarray, b: np.ndarray, known: np.ndarray) -> float:
    """Share of the `known` (33,) keypoints of two bodies (33, 2) px that lie near each other; left
    and right may be swapped, as backs are taken for fronts."""
    if not known.any():
        return 0.0
    size = max(1.0, min(float(np.ptp(p, axis=0).max()) for p in (a, b)))
    apart = [np.linalg.norm(a - other, axis=1)[known] for other in (b, b[MIRRORED])]
    return max(float((d < NEAR * size).mean()) for d in apart)


def add_look(looks: list[Look], new: Look, size: np.ndarray) -> None:
    """Adds a look in which somebody is, unless an earlier one shows the same."""
    known = inside(new.points, size)
    if new.score < PRESENT or known.sum() < MIN_STEADY:
        return
    if not any(agreement(new.points, o.points, known) > SAME_PERSON for o in looks):
        looks.append(new)


def is_person(person: Person, size: np.ndarray) -> bool:
    """Whether the views see somebody, and enough of the body in the same places."""
    return _steady(person, size, STEADY, MIN_STEADY) and person.score >= PRESENT


def may_be_person(person: Person, size: np.ndarray) -> bool:
    """The same of the first few views, with some leeway."""
    return _steady(person, size, 1.5 * STEADY, MIN_STEADY - 2) and person.score >= PERHAPS


def _steady(person: Person, size: np.ndarray, most: float, fewest: int) -> bool:
    there = inside(person.points, size)
    steady, fair = (there & (person.unrest < limit) for limit in (most, FAIR))
    large = person.size > SMALLEST * float(size.max())
    return bool(large and steady.sum() >= fewest and fair[BODY].sum() >= MIN_FAIR)


def is_among(people: list[Person], new: Look, size: np.ndarray) -> bool:
    """Whether a look shows somebody who is there already."""
    known = inside(new.points, size)
    return any(
        agreement(new.points, p.points, known & (p.unrest < STEADY)) > SAME_PERSON for p in people
    )


def add_person(people: list[Person], new: Person, size: np.ndarray) -> None:
    """Adds a person who is not there yet; of two views of one person the steadier stays."""
    for index, other in enumerate(people):
        known = inside(new.points, size) & (new.unrest < STEADY) & (other.unrest < STEADY)
        if agreement(new.points, other.points, known) > SAME_PERSON:
            if new.unrest.mean() < other.unrest.mean():
                people[index] = new
            return
    people.append(new)


def best_first(people: list[Person]) -> list[Person]:
    """The larger and steadier, the earlier."""
    return sorted(people, key=quality, reverse=True)


def quality(person: Person) -> float:
    """Size times the share of steady keypoints."""
    return person.size * float((person.unrest < STEADY).mean())
