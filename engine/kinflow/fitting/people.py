"""Observations -> a problem that the solver works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..bodies.arrays import BodyArrays
from ..bodies.keypoint_names import NAMES, partners
from ..bodies.tables import body_table, keypoint_table
from ..core.arrays import Array, Backend
from ..core.camera import Lens
from ..core.posterior import ONE_PERSON, Problem, Term
from ..core.terms.depth import Depth
from ..core.terms.keypoints import Keypoints
from ..core.terms.latent import Latent
from ..core.terms.shape import Shape
from ..priors.arrays import PosePrior
from ..records import Camera, Observation
from .config import FitConfig
from .population import Who, stature_term

HINT_NAMES = tuple(
    f"{side}_{joint}"
    for side in ("left", "right")
    for joint in ("shoulder", "elbow", "wrist", "knee", "ankle")
)


@dataclass(frozen=True)
class Means:
    """What everybody is fitted by: a body, a prior, and where arrays live."""

    body: BodyArrays
    prior: PosePrior
    backend: Backend
    config: FitConfig


@dataclass(frozen=True)
class People:
    """N people of one keypoint set, with their cameras, and a problem of one row each.

    sigma (N, C) px: scales of error that observations state for the problem's keypoints, NaN where
    they do not; roll (N,) radians: how each trunk leans on the photo.
    """

    observations: list[Observation]
    cameras: list[Camera]
    means: Means
    problem: Problem
    sigma: Array
    roll: Array

    @property
    def names(self) -> tuple[str, ...]:
        """Of the keypoint set."""
        return NAMES[self.observations[0].keypoint_set]

    def __len__(self) -> int:
        return len(self.observations)

    def with_term(self, term: Term) -> People:
        """The same people with a term added, or in the place of one of its kind."""
        others = self.without(type(term)).problem
        return replace(self, problem=replace(others, terms=(*others.terms, term)))

    def without(self, kind: type[Term]) -> People:
        """The same people without terms of a kind."""
        terms = tuple(t for t in self.problem.terms if not isinstance(t, kind))
        return replace(self, problem=replace(self.problem, terms=terms))

    def keypoints(self) -> Keypoints:
        """The term of the keypoints."""
        return next(t for t in self.problem.terms if isinstance(t, Keypoints))

    def focal(self) -> Array:
        """Mean focal length. (N,) px."""
        return self.means.backend.xp.mean(self.problem.lens.focal, axis=-1)

    def scaled(self, scale: Array) -> People:
        """The same with a Laplace scale (N, 1) px for the keypoints that state none."""
        xp, term = self.means.backend.xp, self.keypoints()
        stated = xp.isfinite(self.sigma)
        scales = xp.where(stated, self.sigma, scale * xp.ones_like(term.confidence))
        return self.with_term(replace(term, scale=scales))


def gather(
    observations: Sequence[Observation],
    cameras: Sequence[Camera],
    means: Means,
    who: Sequence[Who] | None = None,
) -> People:
    """People of one keypoint set; the keypoints' scale is left at 1 px, body parts are left out."""
    usable = np.stack([o.usable for o in observations])
    confidence = np.stack([o.confidence for o in observations])
    confidence = np.where(usable, np.clip(np.nan_to_num(confidence), 0, 1), 0)
    points = np.stack([o.keypoints for o in observations])
    points = np.where(usable[..., None], points, 0).astype(np.float64)
    sigma = np.stack([_sigma(o) for o in observations])
    which = np.flatnonzero((confidence > 0).any(0))
    backend, weights = means.backend, means.config.weights
    name = observations[0].keypoint_set
    table = keypoint_table(means.body, name, backend)
    # a scale of error that is stated says all that confidence could
    weight = np.where(np.isfinite(sigma) & (confidence > 0), 1.0, confidence)
    measured = [points[:, which], weight[:, which], np.ones((len(points), len(which)))]
    if any(o.either_side is not None and o.either_side.any() for o in observations):
        measured.append(_other_places(observations, points, confidence)[:, which])
    columns = (backend.asarray(a) for a in measured)
    keypoints = Keypoints(table, backend.asarray(which), weights.softness, *columns)
    stature = stature_term(means.body, who or [Who()] * len(observations), backend)
    latent = Latent(weights.latent, weights.volume)
    terms: list[Term] = [keypoints, latent, Shape(weights.betas), stature]
    hints = _hints(observations, confidence) if means.config.hints else None
    if hints is not None:
        index, hips, depth, weight = (backend.asarray(a) for a in hints)
        terms.append(Depth(table, index, hips, weights.hint_metres, depth, weight))
    lenses = np.array([[(c.fx, c.fy), (c.cx, c.cy)] for c in cameras], np.float64)
    lens = Lens(backend.asarray(lenses[:, 0]), backend.asarray(lenses[:, 1]))
    body, decoder = body_table(means.body, backend), means.prior.decoder(backend)
    problem = Problem(backend.xp, body, decoder, ONE_PERSON, lens, tuple(terms))
    roll = _trunk_roll(points, confidence, NAMES[name])
    numbers = (backend.asarray(a) for a in (sigma[:, which], roll))
    return People(list(observations), list(cameras), means, problem, *numbers)


def _other_places(
    observations: Sequence[Observation], points: np.ndarray, confidence: np.ndarray
) -> np.ndarray:
    """Where keypoints are if sides in doubt are the other way round. (N, K, 2) px."""
    swap = np.array(partners(NAMES[observations[0].keypoint_set]))
    doubt = [np.zeros(len(swap)) if o.either_side is None else o.either_side for o in observations]
    known = np.array(doubt, bool) & (confidence[:, swap] > 0)
    return np.where(known[..., None], points[:, swap], points)


def _sigma(person: Observation) -> np.ndarray:
    """Stated scales of error (K,) px, NaN where there is none above 0."""
    if person.sigma is None:
        return np.full(len(person.keypoints), np.nan)
    sigma = person.sigma.astype(np.float64)
    return np.where(np.isfinite(sigma) & (sigma > 0), sigma, np.nan)


def _hints(
    observations: Sequence[Observation], confidence: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """Depths behind the hips' centre that a detector guesses, for the limbs.

    -> index (H,), hips (2,), depth (N, H) m, weight (N, H); None where nobody has any.
    """
    if not any(o.world_landmarks is not None for o in observations):
        return None
    names = NAMES[observations[0].keypoint_set]
    index = np.array([names.index(n) for n in HINT_NAMES])
    hips = np.array([names.index("left_hip"), names.index("right_hip")])
    depth = np.zeros((len(observations), len(index)))
    weight = np.zeros_like(depth)
    for row, person in enumerate(observations):
        marks = person.world_landmarks
        if marks is not None and np.isfinite(marks).all():
            depth[row] = marks[index, 2] - marks[hips, 2].mean()
            weight[row] = confidence[row, index]
    return index, hips, depth, weight


def _trunk_roll(points: np.ndarray, confidence: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Lean of the trunk on the photo by shoulders and hips; 0 where they are not seen. -> (N,)."""
    ends = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
    index = [names.index(n) for n in ends]
    up = points[:, index[:2]].mean(1) - points[:, index[2:]].mean(1)
    known = (confidence[:, index] > 0.3).all(1) & (np.linalg.norm(up, axis=-1) > 1)
    return np.where(known, np.arctan2(up[:, 0], -up[:, 1]), 0.0)
