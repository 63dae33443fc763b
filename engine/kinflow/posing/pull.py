"""A pull: the same body, pins and start, solved again and again while something is dragged."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..bodies.arrays import BodyArrays
from ..bodies.files import load_body_arrays
from ..core.posterior import PosedState, Term
from ..core.solver import SolverConfig, levenberg_marquardt
from ..priors.arrays import prior_of
from ..records import NumpyArray
from ..threads import one_thread
from .effectors import Effector, Floor
from .home import Home, encoded, nearness
from .problem import FRONT, Limits, Weights, scene_of
from .results import Context, most_turned
from .rig import BACKEND, limb_joints, rig_of
from .states import IKResult, Pose

WARM = SolverConfig(max_iterations=2, tolerance=1e-2, first_damping=3.0, patience=1)
SLOW = SolverConfig(max_iterations=6, tolerance=1e-2, first_damping=10.0)
SLIP, MOST_SLIP = 0.0005, 0.0009  # m: a firm pin is looked after from here, and never further off
TURN_A_METRE, LEAST_TURN = math.radians(1000), math.radians(3)
FIRST_HOLD, LEAST_HOLD, MOST_TRIES = 30.0, 1.0, 5


class Pull:
    """A drag from a start (`Pose`, `FitResult`, `IKResult`): pins hold all the while.

    Every `move` is solved from the last one and turns no joint by more than 10 degrees for every
    centimetre that its effectors have moved (and 3), so that no pose flips in mid-drag. Places and
    rotations are in the start's frame. body: None for the default body, a file, arrays or a `Body`;
    prior: as `prior_of` takes it. locked: limbs and joints that stay to the digit; more: terms
    beside.

    Raises InvalidInputError.
    """

    def __init__(
        self,
        start: Any,
        pins: Sequence[Effector] = (),
        *,
        body: Any = None,
        prior: Any = None,
        locked: Sequence[str] = (),
        floor: Floor | None = None,
        weights: Weights | None = None,
        more: Sequence[Term] = (),
    ) -> None:
        pose, arrays = Pose.of(start), prior_of(prior)
        self._pins, self._weights = tuple(pins), weights or Weights()
        self._context = Context(arrays, pose, limb_joints(locked))
        limits = Limits(tuple(locked), floor, tuple(more))
        rig, decoder = rig_of(body_of(body), pose.betas), arrays.decoder(BACKEND)
        self._scene = scene_of(rig, decoder, self._weights, pose, limits)
        state = encoded(arrays, pose)
        self._posed = self._scene.problem(nearness(self._weights, state)).posed(state)
        self._home = Home(self._weights, state, self.joints)
        self._firm = [e for e in self._pins if e.pinned and _off(self._posed, e) < SLIP]
        self._last: dict[str, Effector] = {}
        self._hold = 0.0

    @property
    def home(self) -> Home:
        """The start."""
        return self._home

    @property
    def joints(self) -> NumpyArray:
        """Where the joints are now. (24, 3) m."""
        return np.asarray(self._posed.joints()[0])

    def move(self, effectors: Sequence[Effector] = ()) -> IKResult:
        """The pose with the effectors where they are now; `reached` counts the pins first."""
        started = time.perf_counter()
        everything = (*self._pins, *effectors)
        with one_thread():
            self._posed, energy = self._solved(everything, self._allowed(everything))
            result = self._context.result(self._posed, energy, everything)
        return replace(result, seconds=time.perf_counter() - started)

    def _solved(
        self, effectors: Sequence[Effector], allowed: float
    ) -> tuple[PosedState, NumpyArray]:
        """The minimum near the last one; where a joint would turn further than is allowed, or a
        firm pin slip, the whole body is held back."""
        if not effectors:
            return self._posed, np.zeros(1)
        terms = [*self._scene.effector_terms(effectors, self._firm), *self._home.terms(effectors)]
        last, hold = self._posed, self._hold if self._hold > LEAST_HOLD else 0.0
        for _ in range(MOST_TRIES):
            held = nearness(self._weights, last.state, hold) if hold else ()
            problem = replace(self._scene.problem((*terms, *held)), known=last)
            found = levenberg_marquardt(problem, last.state, WARM)
            posed = problem.posed(found.state)
            refused = np.array_equal(found.state.z, last.state.z)  # it takes more damping
            if refused or self._slips(posed, SLIP):
                found = levenberg_marquardt(problem, found.state, SLOW)
                posed = problem.posed(found.state)
            turn = most_turned(last.skeleton.rotations, posed.skeleton.rotations)
            if turn <= allowed and not self._slips(posed, MOST_SLIP):
                break
            hold = max(FIRST_HOLD, hold * 6)
        else:
            posed = last
        self._hold = 0.3 * hold
        return posed, found.energy

    def _slips(self, posed: PosedState, most: float) -> bool:
        """Whether a firm pin is further off than it may be."""
        return any(_off(posed, pin) > most for pin in self._firm)

    def _allowed(self, effectors: Sequence[Effector]) -> float:
        """How far joints may turn, radians, by how far effectors have gone since the last time."""
        allowed = 0.0
        joints, world = self._posed.joints()[0], self._posed.skeleton.world[0]
        for e in effectors:
            place, turn = joints[e.index], world[e.index]
            last = self._last.get(e.joint)
            if e.position is not None:
                before = place if last is None or last.position is None else last.position
                gone = float(np.linalg.norm(e.position - before))
                allowed = max(allowed, TURN_A_METRE * gone)
            if e.rotation is not None:
                before = turn if last is None or last.rotation is None else last.rotation
                allowed = max(allowed, 2 * most_turned(before, e.rotation))
            if e.look_at is not None:
                to = e.look_at - place
                old = turn @ FRONT if last is None or last.look_at is None else last.look_at - place
                allowed = max(allowed, 2 * _angle(old, to))
        self._last = {e.joint: e for e in effectors}
        return LEAST_TURN + allowed


def body_of(body: Any) -> BodyArrays:
    """A body's arrays: None is the default body; a file's path; a `Body`'s; or themselves."""
    if body is None or not hasattr(body, "arrays"):
        return load_body_arrays(body)
    arrays: BodyArrays = body.arrays
    return arrays


def _off(posed: PosedState, pin: Effector) -> float:
    """How far a pin is from its place, m; 0 where it has none."""
    if pin.position is None:
        return 0.0
    return float(np.linalg.norm(posed.joints()[0, pin.index] - pin.position))


def _angle(one: NumpyArray, other: NumpyArray) -> float:
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.arccos(np.clip(float(one @ other) / max(lengths, 1e-9), -1, 1)))
