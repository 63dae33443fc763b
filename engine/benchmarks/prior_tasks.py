"""What a prior is asked to do: complete hidden limbs, denoise, inverse kinematics, lift from 2D.

Every task is min_z 0.5 sum |r(z)|^2 / sigma^2 + w (0.5 |z - m|^2 + v log|det dx/dz|) with the same
solver, starts and budget for every prior; m = 0 gives the most likely answer, m ~ N(0, I) a draw
from its neighbourhood (randomise, then optimise), of which the best of ten is reported. The weight
w, and the flows' share of the volume v, are picked a prior and task on validation poses; where a
map is affine, or has no volume, v tells nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from kinflow.bodies.arrays import BodyArrays
from kinflow.bodies.tables import body_table, skin_table
from kinflow.core.arrays import Array, numpy_backend, per_person, pick
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.body import NUM_BETAS, BodyTable, Skeleton, SkinTable, pose_skeleton, skin
from kinflow.core.flow import Decoder
from kinflow.core.rotations import axis_angle_to_matrix
from kinflow.core.skeleton import JOINT_NAMES, METRIC_JOINTS, NUM_JOINTS
from kinflow.core.solver import SolverConfig, levenberg_marquardt
from kinflow.core.step import Linearisation, damped_step
from kinflow.priors.arrays import PosePrior

from .baselines.linear import AffinePrior, Mixture

SIGMA = 0.01
CONFIG = SolverConfig(max_iterations=20, tolerance=1e-2)
WEIGHTS = (3e-7, 3e-6, 3e-5, 0.0003, 0.003, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
DENOISE_WEIGHTS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)  # four times the noise that SIGMA stands for
VOLUMES = (0.0, 0.5, 1.0)
RANDOM_STARTS = 3
NUMPY = numpy_backend()
_ARM, _LEG = ("shoulder", "elbow", "wrist"), ("knee", "ankle", "foot")


def _sided(sides: tuple[str, ...], names: tuple[str, ...]) -> set[str]:
    return {f"{side}_{name}" for side in sides for name in names}


HIDDEN_LIMBS = {
    "left leg": _sided(("left",), _LEG),
    "both legs": _sided(("left", "right"), _LEG),
    "both arms": _sided(("left", "right"), _ARM[1:]),
    "torso": {"spine1", "spine2", "spine3", "neck"}
    | _sided(("left", "right"), ("collar", "shoulder")),
}
TASKS = (*HIDDEN_LIMBS, "denoise", "uplift", "ik")
AnyPrior = PosePrior | Mixture


class Strength(NamedTuple):
    """w and v: of the prior, and of the volume in it."""

    weight: float
    volume: float = 0.0


@dataclass(frozen=True)
class Task:
    """What of poses is known.

    target (B, 24, 3) m with the pelvis at 0; known (M,): which of the 72 coordinates; view (B, 3,
    3) turns the body.
    """

    known: np.ndarray
    target: np.ndarray = per_person()
    view: np.ndarray = per_person()


def make_task(name: str, body: BodyArrays, poses: np.ndarray, seed: int = 0) -> Task:
    """The task of that name for captured poses (B, 23, 3, 3)."""
    random = np.random.default_rng(seed)
    turn = np.zeros((len(poses), 3), np.float32)
    visible = np.zeros((NUM_JOINTS, 3), bool)
    visible[list(METRIC_JOINTS[1:])] = True
    if name == "uplift":
        turn[:, 1] = 2 * np.pi * random.random(len(poses))
        visible[:, 2] = False
    for joint in HIDDEN_LIMBS.get(name, ()):
        visible[JOINT_NAMES.index(joint)] = False
    view = axis_angle_to_matrix(xp, turn)
    target = joints_of(body, poses, view)
    if name == "denoise":
        target = target + 0.04 * random.standard_normal(target.shape, np.float32)
        target = target - target[:, :1]
    return Task(np.flatnonzero(visible), target, view)


def posed(table: BodyTable, poses: Array, view: Array) -> Skeleton:
    """The mean shape. poses (B, 23, 3, 3), view (B, 3, 3)."""
    rotations = np.concatenate((view[:, None], poses), 1)
    return pose_skeleton(xp, table, rotations, np.zeros((len(poses), NUM_BETAS), poses.dtype))


def joints_of(body: BodyArrays, poses: np.ndarray, view: np.ndarray | None = None) -> np.ndarray:
    """Joints with the pelvis at 0. (B, 23, 3, 3) -> (B, 24, 3) m."""
    poses = poses.astype(np.float32)
    view = (
        np.broadcast_to(np.eye(3, dtype=np.float32), (len(poses), 3, 3)) if view is None else view
    )
    place = posed(body_table(body, NUMPY), poses, view).place
    return place - place[:, :1]


def vertices_of(body: BodyArrays, poses: np.ndarray, every: int = 13) -> np.ndarray:
    """Some vertices with the pelvis at 0, unturned. -> (B, n, 3) m."""
    whole = skin_table(body, NUMPY)
    dirs = whole.dirs.reshape(len(whole.dirs), -1, 3)[:, ::every].reshape(len(whole.dirs), -1)
    some = SkinTable(np.ascontiguousarray(dirs), whole.lbs_weights[::every])
    view = np.broadcast_to(np.eye(3, dtype=np.float32), (len(poses), 3, 3))
    skeleton = posed(body_table(body, NUMPY), poses.astype(np.float32), view)
    return skin(xp, some, skeleton) - skeleton.place[:, :1]


@dataclass(frozen=True)
class Places:
    """A prior's latent codes (B, D) against known coordinates of joints, for `core.solver`.

    middle (B, D): what codes are drawn to.
    """

    decoder: Decoder
    table: BodyTable
    strength: Strength
    task: Task = per_person()
    middle: np.ndarray = per_person()
    xp = xp
    group = None

    def pick(self, rows: Array) -> Places:
        """For some of the people."""
        return replace(pick(self, rows), task=pick(self.task, rows))

    def energy(self, z: Array) -> Array:
        """-> (B,) nats."""
        return self.linearise(z).energy

    def linearise(self, z: Array) -> Linearisation:
        """Energy, residuals of the known coordinates, and their rows by z."""
        pose, trace = self.decoder.decode(xp, z)
        skeleton = posed(self.table, pose, self.task.view)
        place, known = skeleton.place, self.task.known
        residual = (place - place[:, :1] - self.task.target).reshape(len(z), -1)[:, known] / SIGMA
        # joint j moves by w_a x (t_j - t_a) where a's subtree turns, for every a above it
        joint, axis = np.divmod(known, 3)
        arm = (place[:, joint, None] - place[:, None, 1:]) * self.table.subtree.T[joint, 1:, None]
        turns = np.cross(arm, np.eye(3, dtype=z.dtype)[axis][None, :, None]) / SIGMA
        rows = self.decoder.pull_back(xp, trace, skeleton.world, turns.astype(z.dtype))
        weight, share = self.strength
        offset, ones = z - self.middle, np.ones((len(z), 1), z.dtype)
        unlikely = 0.5 * (offset**2).sum(1)
        if share:
            volume, by_latent = self.decoder.volume(xp, trace)
            unlikely, offset = unlikely + share * volume, offset + share * by_latent
        energy = 0.5 * (residual**2).sum(1) + weight * unlikely
        none = np.zeros((*residual.shape, 1), z.dtype)
        return Linearisation(
            energy, residual, rows, none, weight * ones, weight * offset, ones, 0 * ones
        )

    def step(self, linear: Linearisation, z: Array, damping: Array) -> Array:
        """One damped step of the codes."""
        return z + damped_step(xp, linear, damping, 0, None)[0]


@dataclass(frozen=True)
class Solver:
    """A prior at tasks on a body. linear: the Gaussian whose answer is a start of the others."""

    prior: AnyPrior
    body: BodyArrays
    linear: PosePrior

    def most_likely(self, task: Task, strength: Strength, random_starts: int = 0) -> np.ndarray:
        """The answers of the lowest energy from the mean, the linear start, and random codes.

        Affine priors start from their mean alone. -> poses (B, 23, 3, 3).
        """
        count = len(task.target)
        zero = np.zeros((count, self.dim), np.float32)
        if isinstance(self.prior, (Mixture, AffinePrior)):
            return self.solve(task, strength, zero)[0]
        starts = [zero, self.linear_start(task, strength)]
        random = np.random.default_rng(5)
        for _ in range(random_starts):
            starts.append(0.7 * random.standard_normal(zero.shape, np.float32))
        answers = [self.solve(task, strength, zero, start) for start in starts]
        energies = np.stack([np.nan_to_num(e, nan=np.inf) for _, e in answers])
        return np.stack([p for p, _ in answers])[energies.argmin(0), np.arange(count)]

    def linear_start(self, task: Task, strength: Strength) -> np.ndarray:
        """The Gaussian's own answer in this prior's code. -> (B, D)."""
        zero = np.zeros((len(task.target), self.linear.dim), np.float32)
        poses, _ = Solver(self.linear, self.body, self.linear).solve(task, strength, zero)
        assert not isinstance(self.prior, Mixture)
        return self.prior.encode(poses).astype(np.float32)

    @property
    def dim(self) -> int:
        prior = self.prior.components[0] if isinstance(self.prior, Mixture) else self.prior
        return prior.dim

    def solve(
        self, task: Task, strength: Strength, middle: np.ndarray, start: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """About a middle (B, D), from it or a start. -> poses (B, 23, 3, 3), energies (B,).

        Of a mixture the answer of the component whose energy is lowest.
        """
        if not isinstance(self.prior, Mixture):
            decoder = self.prior.decoder(NUMPY)
            model = Places(decoder, body_table(self.body, NUMPY), strength, task, middle)
            found = levenberg_marquardt(model, middle if start is None else start, CONFIG)
            return decoder.decode(xp, found.state)[0], found.energy
        parts = [replace(self, prior=c) for c in self.prior.components]
        answers = [p.solve(task, strength, middle, start) for p in parts]
        offsets = [strength.weight * component.offset for component in self.prior.components]
        energies = np.stack([e + o for (_, e), o in zip(answers, offsets, strict=True)])
        best = energies.argmin(0)
        return np.stack([p for p, _ in answers])[best, np.arange(len(best))], energies.min(0)
