from __future__ import annotations

from dataclasses import replace

import numpy as np

from kinflow import Observation
from kinflow.fitting.sequence.tracking import separation, track


def _person(x: float, **changed) -> Observation:
    points = np.stack((np.linspace(0, 20, 17) + x, np.linspace(0, 100, 17)), 1)
    return replace(Observation(points, np.ones(17)), **changed)


def _places(tracks) -> list[list[float]]:
    return [[round(float(p.keypoints[0, 0])) for p in one.people] for one in tracks]


def test_the_sum_of_distances_decides_and_not_the_nearest_pair():
    # nearest first would give 20 to the first and leave 0 to the second, who stood at 45
    tracks = track([[_person(23), _person(45)], [_person(4), _person(24)]])
    assert _places(tracks) == [[23, 4], [45, 24]]


def test_who_leaves_as_another_comes_does_not_shift_everybody():
    tracks = track([[_person(0), _person(40)], [_person(40), _person(80)]])
    assert sorted(_places(tracks)) == [[0], [40, 40], [80]]


def test_people_without_a_keypoint_in_common_are_two():
    low, high = np.zeros(17), np.ones(17)
    low[:8], high[:8] = 1, 0
    first, second = _person(0, confidence=low), _person(0, confidence=high)
    assert separation(first, second) == float("inf")
    assert [len(t) for t in track([[first], [second]])] == [1, 1]
    assert [len(t) for t in track([[], [first], []])] == [1]


def test_who_is_hidden_as_two_cross_comes_out_on_the_other_side():
    frames = [[_person(12.0 * t), _person(200 - 12.0 * t)] for t in range(18)]
    for t in range(7, 11):  # one stands before the other
        frames[t] = frames[t][:1]
    tracks = track(frames)
    assert [len(one) for one in tracks] == [18, 14]
    assert _places(tracks)[1] == [200 - 12 * t for t in range(18) if not 7 <= t < 11]
    assert tracks[1].gaps == {11: 6}
    whole, people = tracks[1].whole()
    assert whole == list(range(18)) and not people[8].usable.any()
