"""Other readings of a photo: which leg is the left one, and whether a front is a back."""

import math
from dataclasses import replace

import numpy as np

from ..core.arrays import concat, pick, to_numpy
from ..core.rotations import axis_angle_to_matrix
from ..core.solver import Progress, Solution, SolverConfig
from ..core.terms.depth import Depth
from ..core.terms.keypoints import Keypoints
from ..core.terms.parts import Parts
from .backend import minimise
from .people import People
from .starts import Candidates

LEAD_ITERATIONS = 12


def other_readings(people: People, best: Solution, progress: Progress | None) -> Candidates | None:
    """Starts for people whose sides are in doubt: a few steps towards either reading of them, since
    the best may be in the one or the other.

    Where a shoulder is in doubt all of the body is, and it starts turned about. None where nothing
    is in doubt. best: one row a person.
    """
    xp, backend, term = people.means.backend.xp, people.means.backend, people.keypoints()
    if term.other is None:
        return None
    moved = to_numpy(term.other) != to_numpy(term.keypoints)
    owner = np.flatnonzero(moved.any((1, 2)))
    if not len(owner):
        return None
    shoulder = people.names.index("left_shoulder")
    turns = np.zeros((len(owner), 3))
    turns[:, 1] = [math.pi * bool(_doubted(people, row)[shoulder]) for row in owner]
    rows = backend.asarray(owner)
    picked, start = people.problem.pick(rows), pick(best.state, rows)
    about = axis_angle_to_matrix(xp, backend.asarray(turns))
    start = replace(start, root=start.root @ about)
    config = SolverConfig(max_iterations=LEAD_ITERATIONS, first_damping=1.0)
    leads = []
    for turned in (False, True):
        kept = (t for t in picked.terms if not isinstance(t, (Depth, Parts)))
        terms = tuple(_one_way(t, turned) if isinstance(t, Keypoints) else t for t in kept)
        led = minimise(replace(picked, terms=terms), start, config, progress)
        leads.append(Candidates(rows, led.state))
    return concat(xp, *leads)


def _doubted(people: People, row: int) -> np.ndarray:
    """Which keypoints (K,) of a person may be on the other side."""
    doubt = people.observations[row].either_side
    return np.zeros(len(people.names), bool) if doubt is None else doubt


def _one_way(term: Keypoints, turned: bool) -> Keypoints:
    """The term for one reading alone: the places as they are, or the other sides'."""
    assert term.other is not None
    return replace(term, keypoints=term.other if turned else term.keypoints, other=None)
