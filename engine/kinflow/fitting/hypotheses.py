"""Other minima: limbs flipped in depth, and which solutions are distinct."""

from dataclasses import replace

import numpy as np

from ..core.arrays import pick, to_numpy
from ..core.skeleton import METRIC_JOINTS
from ..core.solver import Progress, Solution, SolverConfig
from ..core.terms.depth import Depth
from ..core.terms.parts import Parts
from .backend import minimise
from .people import People
from .starts import Candidates

DISTINCT_METRES = 0.060
FLIP_DEPTH = 0.08
FLIP_SCALE = 0.01
MAX_HYPOTHESES = 6
LEAD_ITERATIONS = 12
_LIMBS = tuple(
    tuple(f"{side}_{joint}" for joint in joints)
    for joints in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
    for side in ("left", "right")
)


def flipped_starts(people: People, best: Solution, progress: Progress | None) -> Candidates | None:
    """Starts in which one limb of each person's best solution is reflected in depth.

    On a photo a bone that comes forward looks like one that goes back by as much. For every limb
    whose bones leave the image plane by more than FLIP_DEPTH, a few steps with strong depth hints
    at the reflected places lead into the other basin. None where no limb does. best: one row a
    person.
    """
    problem, names, backend = people.problem, people.names, people.means.backend
    term = people.keypoints()
    index = np.array([names.index(n) for limb in _LIMBS for n in limb])
    hips = np.array([names.index("left_hip"), names.index("right_hip")])
    depth = to_numpy(problem.posed(best.state).points(term.table).places)[..., 2]
    confidence = np.zeros((len(people), len(names)))
    confidence[:, to_numpy(term.which)] = to_numpy(term.confidence)
    relative = depth[:, index] - depth[:, hips].mean(1, keepdims=True)
    owners, targets = [], []
    for limb in range(len(_LIMBS)):
        a, b, c = (3 * limb + k for k in range(3))
        first, second = relative[:, b] - relative[:, a], relative[:, c] - relative[:, b]
        bent = np.maximum(np.abs(first), np.abs(second)) > FLIP_DEPTH
        chosen = np.flatnonzero(bent & (confidence[:, index[a : c + 1]].min(1) > 0))
        target = relative[chosen]
        target[:, b] = relative[chosen, a] - first[chosen]
        target[:, c] = target[:, b] - second[chosen]
        owners.append(chosen)
        targets.append(target)
    if not sum(map(len, owners)):
        return None
    owner, target = backend.asarray(np.concatenate(owners)), np.concatenate(targets)
    where, about, *wanted = (
        backend.asarray(a) for a in (index, hips, target, np.ones_like(target))
    )
    hint = Depth(term.table, where, about, FLIP_SCALE, *wanted)
    picked = problem.pick(owner)
    kept = tuple(t for t in picked.terms if not isinstance(t, (Depth, Parts)))
    hinted = replace(picked, terms=(*kept, hint))
    config = SolverConfig(max_iterations=LEAD_ITERATIONS, first_damping=1.0)
    led = minimise(hinted, pick(best.state, owner), config, progress)
    return Candidates(owner, led.state)


def distinct(joints: np.ndarray, energy: np.ndarray, owner: np.ndarray) -> list[list[int]]:
    """Rows of each person's distinct minima, lowest energy first.

    They are at least DISTINCT_METRES apart, pelvis-aligned. joints (S, 24, 3) m, energy (S,), owner
    (S,) from 0.
    """
    places = joints[:, list(METRIC_JOINTS)] - joints[:, :1]
    result: list[list[int]] = [[] for _ in range(int(owner.max()) + 1)]
    for row in np.argsort(energy, kind="stable").tolist():
        kept = result[owner[row]]
        apart = [np.linalg.norm(places[row] - places[k], axis=-1) for k in kept]
        far = all(a.mean() > DISTINCT_METRES for a in apart)
        limb_far = all(a.max() > 3 * DISTINCT_METRES for a in apart)
        room = len(kept) < MAX_HYPOTHESES and np.isfinite(energy[row])
        if not kept or (room and (far or limb_far)):
            kept.append(row)
    return result
