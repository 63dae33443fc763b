"""Where the solver starts: the mean latent under four global rotations, and what callers bring."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..core.arrays import Array, Namespace, numpy_namespace, per_person, zeros_like
from ..core.body import NUM_BETAS
from ..core.camera import Targets, weak_perspective_translation
from ..core.posterior import Problem, State
from ..core.rotations import axis_angle_to_matrix
from ..core.terms.keypoints import Keypoints
from ..records import Parameters, PriorId
from .people import Means, People

NUM_YAWS = 4


@dataclass(frozen=True)
class Candidates:
    """Starts of many people: whose each is (S,), and where."""

    owner: Array = per_person()
    state: State = per_person()


def upright_rotations(xp: Namespace, roll: Array, yaws: int = NUM_YAWS) -> Array:
    """Root rotations of a body that stands upright on the photo, turned about its own axis.

    roll (N,) radians: how the trunk leans on the photo (0: head up). -> (N, yaws, 3, 3).
    """
    zero = xp.zeros_like(roll)
    lean = axis_angle_to_matrix(xp, xp.stack((zero, zero, roll), axis=-1))
    turns = []
    for i in range(yaws):
        yaw = xp.full_like(roll, 2 * math.pi * i / yaws)
        turns.append(axis_angle_to_matrix(xp, xp.stack((zero, yaw, zero), axis=-1)))
    half = axis_angle_to_matrix(xp, xp.stack((xp.full_like(roll, math.pi), zero, zero), axis=-1))
    return xp.stack([lean @ half @ turn for turn in turns], axis=1)


def placed(problem: Problem, state: State) -> State:
    """The state with the translation of equation 2."""
    xp = problem.xp
    term = next(t for t in problem.terms if isinstance(t, Keypoints))
    places = problem.posed(state).points(term.table).places[:, term.which]
    targets = Targets(term.keypoints, term.confidence)
    transl = weak_perspective_translation(xp, places, targets, problem.lens)
    return replace(state, transl=transl)


def rotated(people: People, rows: Array) -> Candidates:
    """Four starts for each of the people in `rows`."""
    xp, problem = people.means.backend.xp, people.problem
    owner = xp.repeat(rows, NUM_YAWS)
    root = upright_rotations(xp, people.roll[rows]).reshape((-1, 3, 3))
    count = len(owner)
    state = State(
        zeros_like(xp, (count, problem.decoder.dim), root),
        root,
        zeros_like(xp, (count, NUM_BETAS), root),
        zeros_like(xp, (count, 3), root),
    )
    return Candidates(owner, placed(problem.pick(owner), state))


def brought(people: People, starts: Sequence[Parameters | None]) -> Candidates | None:
    """The starts that a caller brings; None where there is none."""
    rows = [i for i, start in enumerate(starts) if start is not None]
    if not rows:
        return None
    chosen = [s for s in starts if s is not None]
    codes = np.stack([code_of(start, people.means) for start in chosen])
    state = state_of(chosen, codes, people.means)
    return Candidates(people.means.backend.asarray(np.array(rows)), state)


def state_of(starts: Sequence[Parameters], codes: np.ndarray, means: Means) -> State:
    """Starts as one state, with latent codes (S, D)."""

    def stack(name: str) -> np.ndarray:
        return np.stack([np.asarray(getattr(s, name), np.float64) for s in starts])

    root = axis_angle_to_matrix(numpy_namespace, stack("global_orient"))
    return means.backend.record(State(codes, root, stack("betas"), stack("transl")))


def code_of(start: Parameters, means: Means) -> np.ndarray:
    """The start's latent (D,) under this prior; another's is encoded again from the pose."""
    mark = getattr(start, "prior", PriorId("", ""))
    if mark == means.prior.id and len(start.z) == means.prior.dim:
        return np.asarray(start.z, np.float64)
    pose = axis_angle_to_matrix(numpy_namespace, np.asarray(start.body_pose, np.float64)[None])
    return np.asarray(means.prior.encode(pose)[0], np.float64)
