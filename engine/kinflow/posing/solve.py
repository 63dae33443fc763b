"""Effectors -> one pose, from a start or from nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..bodies.arrays import BodyArrays
from ..core.arrays import numpy_namespace as xp
from ..core.flow import Decoder
from ..core.gaussian import Gaussian
from ..core.rotations import axis_angle_to_matrix, matrix_to_axis_angle, project_to_rotation
from ..core.solver import SolverConfig, levenberg_marquardt
from ..core.terms.latent import Latent
from ..errors import InvalidInputError
from ..priors.arrays import PosePrior, load_prior_arrays, prior_of
from ..records import NumpyArray
from ..threads import one_thread
from .effectors import Effector, Floor
from .home import Home, encoded
from .problem import Limits, Scene, Weights, scene_of, state_of
from .pull import Pull, body_of
from .results import Context, distinct
from .rig import BACKEND, limb_joints, rig_of
from .states import IKResult, Pose

COLD = SolverConfig(max_iterations=40, tolerance=1e-3, first_damping=1.0)
STRIDE, MOST_STRIDES = 0.05, 24  # m a step of the way from a start
MAX_HYPOTHESES = 5
MOST_SETTLING, SETTLED = 8, 1e-2  # steps more where the way ends; nats that a step gains
HERE = 0.001  # m: a pin this near to its place can be held firmly


def solve_ik(
    effectors: Sequence[Effector],
    start: Any = None,
    *,
    body: Any = None,
    prior: Any = None,
    locked: Sequence[str] = (),
    floor: Floor | None = None,
    weights: Weights | None = None,
) -> IKResult:
    """The most natural pose that does what effectors ask; other minima are its `hypotheses`.

    start: a `Pose`, `FitResult`, `IKResult` (anything with body_pose, global_orient, transl,
    betas): the pose nearest to it, on a way without flips. None: the most likely pose, wherever
    the effectors are. locked: limbs ("left_arm", "right_leg", "trunk", "head") and joints that keep
    the start's rotations to the digit; "pelvis" keeps the root. floor: where soles, hands, knees
    and seat end. Raises InvalidInputError.
    """
    effectors = tuple(effectors)
    if not effectors:
        raise InvalidInputError("There is no effector.", "Give one at least.")
    if start is None and locked:
        raise InvalidInputError("Nothing says how the locked joints are turned.", "Give a start.")
    limits = Limits(tuple(locked), floor)
    means = Means(body_of(body), prior_of(prior), weights or Weights(), limits)
    return solve_with(means, effectors, None if start is None else Pose.of(start))


def standing(body: Any = None, prior: Any = None, floor: Floor | None = None) -> Pose:
    """The middle of the prior, its soles on the floor."""
    arrays, level, shape = prior_of(prior), floor or Floor(), np.zeros(10)
    rotations = arrays.decoder(BACKEND).decode(xp, np.zeros((1, arrays.dim)))[0][0]
    pose = Pose(np.asarray(matrix_to_axis_angle(xp, rotations)), *_upright(level), shape)
    rig = rig_of(body_of(body), shape)
    height = (rig.contact_places(pose) @ level.up - level.height).min()
    return replace(pose, transl=pose.transl - height * level.up)


def _upright(floor: Floor) -> tuple[NumpyArray, NumpyArray]:
    """The root (3,) that turns Y to the floor's up, and the floor's place (3,)."""
    cross, cosine = np.cross([0.0, 1.0, 0.0], floor.up), float(floor.up[1])
    sine = float(np.linalg.norm(cross))
    axis = cross / sine if sine > 1e-9 else np.array([1.0, 0.0, 0.0])
    return axis * np.arctan2(sine, cosine), floor.height * floor.up


@dataclass(frozen=True, eq=False)
class Means:
    """What a solve is made with."""

    body: BodyArrays
    prior: PosePrior
    weights: Weights
    limits: Limits = field(default_factory=Limits)

    def scene(self, decoder: Decoder, start: Pose | None) -> Scene:
        """With the flow, or the Gaussian in its place."""
        rig = rig_of(self.body, np.zeros(10) if start is None else start.betas)
        return scene_of(rig, decoder, self.weights, start, self.limits)

    def home(self, start: Pose) -> Home:
        """What draws the pose back to a start."""
        posed = rig_of(self.body, start.betas).posed(start)
        return Home(self.weights, encoded(self.prior, start), posed.place[0] + start.transl)

    @property
    def gaussian(self) -> Gaussian:
        """A prior's, or that of the shipped one; a Gaussian is its own."""
        decoder = self.prior.decoder(BACKEND)
        own = decoder if isinstance(decoder, Gaussian) else getattr(self.prior, "gaussian", None)
        return BACKEND.record(own if isinstance(own, Gaussian) else load_prior_arrays().gaussian)


def solve_with(means: Means, effectors: tuple[Effector, ...], start: Pose | None) -> IKResult:
    """`solve_ik`, of any prior."""
    started = time.perf_counter()
    with one_thread():
        found = _cold(effectors, means, start)
        if start is not None:
            found = distinct(found, [walked(effectors, means, start)])
    best, others = found[0], found[1 : 1 + MAX_HYPOTHESES]
    return replace(best, hypotheses=tuple(others), seconds=time.perf_counter() - started)


def walked(effectors: tuple[Effector, ...], means: Means, start: Pose) -> IKResult:
    """The minimum on the way from the start: the effectors go there in strides."""
    home = means.home(start)
    still = [i for i, e in enumerate(effectors) if e.pinned and home.apart(e) < HERE]
    going = [i for i in range(len(effectors)) if i not in still]
    pins, moved = ([effectors[i] for i in rows] for rows in (still, going))
    limits = means.limits
    options: dict[str, Any] = {"body": means.body, "prior": means.prior}
    options |= {"locked": limits.locked, "floor": limits.floor, "more": limits.more}
    pull = Pull(start, pins, weights=means.weights, **options)
    strides = int(np.clip(np.ceil(home.gone(moved) / STRIDE), 1, MOST_STRIDES))
    for share in np.linspace(0, 1, strides + 1)[1:-1]:
        pull.move([_on_the_way(e, home.joints[e.index], share) for e in moved])
    result = pull.move(moved)
    for _ in range(MOST_SETTLING):
        before, result = result, pull.move(moved)
        if before.energy - result.energy < SETTLED:
            break
    order = np.argsort([*still, *going])
    return replace(result, reached=result.reached[order], turned=result.turned[order])


def _on_the_way(effector: Effector, place: NumpyArray, share: float) -> Effector:
    if effector.position is None:
        return effector
    return replace(effector, position=place + share * (effector.position - place))


def _cold(effectors: tuple[Effector, ...], means: Means, start: Pose | None) -> list[IKResult]:
    """Distinct minima from the middle of the prior and from the Gaussian's answers."""
    prior, weights = means.prior, means.weights
    scene = means.scene(prior.decoder(BACKEND), start)
    asked = scene.effector_terms(effectors)
    roots, transl = _placed(effectors, scene, start)
    count, linear = len(roots), means.scene(means.gaussian, start)
    begin = state_of(np.zeros((count, linear.decoder.dim)), roots, transl)
    home = () if start is None else means.home(start).terms(effectors)
    problem = linear.problem((*asked, Latent(weights.prior), *home[1:3]), count)
    guess = levenberg_marquardt(problem, begin, COLD).state
    codes = prior.encode(problem.decoder.decode(xp, guess.z)[0]).astype(np.float64)
    begin = state_of(
        np.concatenate((codes, np.zeros((count, prior.dim)))),
        np.concatenate((guess.root, roots)),
        np.concatenate((guess.transl, transl)),
    )
    problem = scene.problem(
        (*asked, *(home or (Latent(weights.prior, weights.volume),))), 2 * count
    )
    found = levenberg_marquardt(problem, begin, COLD)
    posed = problem.posed(found.state)
    context = Context(prior, start or Pose(np.zeros((23, 3))), limb_joints(means.limits.locked))
    rows = range(2 * count)
    return distinct([context.result(posed, found.energy, effectors, row) for row in rows])


def _placed(
    effectors: tuple[Effector, ...], scene: Scene, start: Pose | None
) -> tuple[NumpyArray, NumpyArray]:
    """Roots (S, 3, 3) and places (S, 3) from which the prior's middle lies well."""
    if start is not None:
        return axis_angle_to_matrix(xp, start.global_orient)[None], start.transl[None]
    middle = state_of(np.zeros((1, scene.decoder.dim)), np.eye(3)[None], np.zeros((1, 3)))
    joints = scene.problem(scene.effector_terms(effectors)).posed(middle).joints()[0]
    held = [e for e in effectors if e.position is not None]
    wanted = np.array([e.position for e in held]).reshape(-1, 3)
    places = joints[[e.index for e in held]]
    pelvis = [e.rotation for e in effectors if not e.index and e.rotation is not None]
    roots = np.stack(pelvis[:1] or _roots(places, wanted))
    if not held:
        return roots, np.zeros((len(roots), 3))
    turned = (roots @ (places - joints[0]).T).swapaxes(1, 2) + joints[0]
    return roots, (wanted - turned).mean(1)


def _roots(places: NumpyArray, wanted: NumpyArray) -> list[NumpyArray]:
    """Four sides, and what turns three places or more onto the wanted ones best (Kabsch)."""
    sides = np.arange(4)[:, None] * np.array([0.0, np.pi / 2, 0.0])
    roots = list(axis_angle_to_matrix(xp, sides))
    if len(places) < 3:
        return roots
    spread = (wanted - wanted.mean(0)).T @ (places - places.mean(0))
    return [np.asarray(project_to_rotation(xp, spread)), *roots]
