"""Effectors, floor and nearness as a problem of the solver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.arrays import Array, Namespace, mapped
from ..core.arrays import numpy_namespace as xp
from ..core.camera import Lens
from ..core.flow import Decoder
from ..core.posterior import ROOT, TRANSL, Block, Problem, State, Term
from ..core.rotations import axis_angle_to_matrix
from ..core.skeleton import JOINT_INDEX
from ..core.terms.effectors import Places, Sights, Strength, Turns
from ..core.terms.half_space import HalfSpace
from ..records import NumpyArray
from .effectors import Effector, Floor
from .rig import Rig, limb_joints
from .states import Pose

FLOOR_SIGMA = 0.002  # m
LEVER = 0.5  # m: a radian weighs as much as this length
FRONT = np.array([0.0, 0.0, 1.0])
_NO_LENS = Lens(np.ones((1, 2)), np.zeros((1, 2)))


@dataclass(frozen=True)
class Weights:
    """prior: of the prior's energy where no start is given, volume: the share of the flow's
    log-determinant in it (`terms.latent`). With a start, near: of 0.5 |z - z_start|^2, near_turn
    and near_place: of the root's turn (rad) and place (m), relax: of the prior far from the start.

    pin_force (nats a metre) and pin_sigma (m) of a pin, force and sigma of another effector.
    firm_force: of a pin that is where it should be when a pull starts, so that it can be held.
    """

    prior: float = 1.0
    volume: float = 0.5
    relax: float = 0.3
    near: float = 1.0
    near_turn: float = 10.0
    near_place: float = 100.0
    firm_force: float = 10000.0
    pin_force: float = 1000.0
    pin_sigma: float = 0.0005
    force: float = 500.0
    sigma: float = 0.003

    def strength(
        self, effectors: Sequence[Effector], firm: Sequence[Effector] = (), lever: float = 1.0
    ) -> Strength:
        """Of effectors, some of them firm; lever: metres a unit. -> one row."""
        force, sigma = np.zeros((1, len(effectors))), np.zeros((1, len(effectors)))
        for i, e in enumerate(effectors):
            strong = self.firm_force if e in firm else self.pin_force
            force[0, i] = strong if e.pinned else self.force
            sigma[0, i] = self.pin_sigma if e.pinned else self.sigma
        weight = np.array([e.weight for e in effectors])
        return Strength(weight * force * lever, sigma**2 * force / lever)


@dataclass(frozen=True, eq=False)
class Limits:
    """locked: limbs and joints that stay as the start has them; more: further terms."""

    locked: tuple[str, ...] = ()
    floor: Floor | None = None
    more: tuple[Term, ...] = ()


@dataclass(frozen=True)
class LockedDecoder:
    """A decoder of which some joints stay as they are: joints (L,) of the 23, pose (L, 3, 3)."""

    decoder: Decoder
    joints: Array
    pose: Array

    @property
    def dim(self) -> int:
        return self.decoder.dim

    def decode(self, xp: Namespace, z: Array) -> tuple[Array, Any]:
        """(B, D) -> rotations (B, 23, 3, 3), trace."""
        pose, trace = self.decoder.decode(xp, z)
        pose = pose.copy()
        pose[:, self.joints] = self.pose
        return pose, trace

    def volume(self, xp: Namespace, trace: Any) -> tuple[Array, Array]:
        """Of the whole decoder."""
        return self.decoder.volume(xp, trace)

    def pull_back(self, xp: Namespace, trace: Any, world: Array, rows: Array) -> Array:
        """world (B, 24, 3, 3), rows (B, M, 23, 3) by turns in the world -> (B, M, D)."""
        rows = rows.copy()
        rows[:, :, self.joints] = 0
        return self.decoder.pull_back(xp, trace, world, rows)


@dataclass(frozen=True, eq=False)
class Scene:
    """What stays alike in a pull: the rig, the decoder with what is locked, the unknowns beside
    the latent, and the terms that are always there: the floor, as each contact point may keep it.
    """

    rig: Rig
    decoder: Decoder
    unknowns: tuple[Block, ...]
    weights: Weights
    always: tuple[Term, ...] = ()

    def problem(self, terms: Sequence[Term], count: int = 1) -> Problem:
        """`count` starts with these terms; each has one row, or one a start."""
        lens = Lens(*(np.repeat(a, count, 0) for a in (_NO_LENS.focal, _NO_LENS.centre)))
        joined = tuple(_repeated(term, count) for term in (*terms, *self.always))
        return Problem(xp, self.rig.body, self.decoder, self.unknowns, lens, joined)

    def effector_terms(
        self, effectors: Sequence[Effector], firm: Sequence[Effector] = ()
    ) -> list[Term]:
        """What the effectors ask, one row."""
        terms: list[Term] = []
        strength = self.weights.strength
        if held := [e for e in effectors if e.position is not None]:
            place = np.stack([e.position for e in held])[None]
            terms.append(Places(self.rig.joints, _index(held), strength(held, firm), place))
        if held := [e for e in effectors if e.rotation is not None]:
            rotation = np.stack([e.rotation for e in held])[None]
            terms.append(Turns(_index(held), strength(held, firm, LEVER), rotation))
        if held := [e for e in effectors if e.look_at is not None]:
            point = np.stack([e.look_at for e in held])[None]
            front, pull = np.tile(FRONT, (len(held), 1)), strength(held, firm, LEVER)
            terms.append(Sights(self.rig.joints, _index(held), front, pull, point))
        return terms


def _repeated(term: Term, count: int) -> Term:
    def repeat(array: NumpyArray) -> NumpyArray:
        return array if len(array) == count else np.repeat(array, count, 0)

    return mapped(repeat, term)


def _index(effectors: Sequence[Effector]) -> NumpyArray:
    return np.array([e.index for e in effectors])


def scene_of(
    rig: Rig,
    decoder: Decoder,
    weights: Weights,
    start: Pose | None,
    limits: Limits,
) -> Scene:
    """Of a start, or of none."""
    locked = limb_joints(limits.locked) if start is not None else ()
    # pins are so stiff that damping by the rows would nail the root
    free = ((ROOT, weights.near_turn), (TRANSL, weights.near_place))
    blocks = tuple(replace(block, damping=10 * weight) for block, weight in free)
    unknowns = () if "pelvis" in locked else blocks
    joints = np.array(sorted(JOINT_INDEX[name] - 1 for name in locked if name != "pelvis"), int)
    if start is not None and len(joints):
        decoder = LockedDecoder(decoder, joints, axis_angle_to_matrix(xp, start.body_pose[joints]))
    floor = limits.floor
    if floor is None:
        return Scene(rig, decoder, unknowns, weights, limits.more)
    height = np.full((1, len(rig.contacts.total)), floor.height)
    if start is not None:  # who stands in the floor is not thrown out of it
        height = np.minimum(height, rig.contact_places(start) @ floor.up)
    above = HalfSpace(rig.contacts, FLOOR_SIGMA, floor.up[None], height)
    return Scene(rig, decoder, unknowns, weights, (above, *limits.more))


def state_of(z: NumpyArray, root: NumpyArray, transl: NumpyArray) -> State:
    """z (S, D), root (S, 3, 3), transl (S, 3); the shape is in the rig."""
    return State(z, root, np.zeros((len(z), 10)), transl)
