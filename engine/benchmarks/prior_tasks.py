"""What a prior is asked to do: complete hidden limbs, denoise, inverse kinematics, lift from 2D.

Every task is min_z sum |r(z)|^2 / sigma^2 + w |z - m|^2 with the same solver and budget for every
prior; m = 0 gives the most likely answer, m ~ N(0, I) a draw from its neighbourhood (randomise,
then optimise), of which the best of ten is reported. The weight w is picked a prior and task on
validation poses.
"""

from __future__ import annotations

from dataclasses import dataclass

import array_api_compat.torch as xp
import torch
from torch import Tensor

from kinflow.bodies.model import Body, torch_backend
from kinflow.bodies.tables import skin_table
from kinflow.core.body import NUM_BETAS, Skeleton, SkinTable, pose_skeleton, skin
from kinflow.core.rotations import axis_angle_to_matrix
from kinflow.core.skeleton import JOINT_NAMES, METRIC_JOINTS, NUM_JOINTS
from kinflow.priors.arrays import PosePrior

from .baselines.linear import Mixture

SIGMA = 0.01
ITERATIONS = 15
WEIGHTS = (0.003, 0.03, 0.1, 0.3, 1.0, 3.0)
DENOISE_WEIGHTS = (3.0, 10.0, 30.0, 100.0)  # four times the noise that SIGMA stands for
STARTS = 4
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
TASKS = (*HIDDEN_LIMBS, "denoise", "ik", "uplift")
TORCH = torch_backend()
AnyPrior = PosePrior | Mixture


@dataclass(frozen=True)
class Task:
    """What of a pose is known.

    target (B, 24, 3) m with the pelvis at 0; visible (24, 3): 1 for the coordinates that are known;
    view (B, 3, 3) turns the body.
    """

    target: Tensor
    visible: Tensor
    view: Tensor


@dataclass(frozen=True)
class Start:
    """Where a solution begins and what it is drawn to: m of the energy and z, (B, D) or 0."""

    middle: Tensor | None = None
    z: Tensor | None = None


def make_task(name: str, body: Body, poses: Tensor, seed: int = 0) -> Task:
    """The task of that name for captured poses (B, 23, 3, 3)."""
    generator = torch.Generator().manual_seed(seed)
    view = torch.eye(3).expand(len(poses), 3, 3)
    visible = torch.zeros(NUM_JOINTS, 3)
    visible[list(METRIC_JOINTS)] = 1.0
    if name == "uplift":
        yaw = 2 * torch.pi * torch.rand(len(poses), generator=generator)
        zero = torch.zeros_like(yaw)
        view = axis_angle_to_matrix(xp, torch.stack((zero, yaw, zero), -1))
        visible[:, 2] = 0.0
    for joint in HIDDEN_LIMBS.get(name, ()):
        visible[JOINT_NAMES.index(joint)] = 0.0
    target = joints_of(body, poses, view)
    if name == "denoise":
        target = target + 0.04 * torch.randn(target.shape, generator=generator)
        target = target - target[:, :1]
    return Task(target, visible, view)


def posed(body: Body, poses: Tensor, view: Tensor | None = None) -> Skeleton:
    """The mean shape. poses (B, 23, 3, 3), view (B, 3, 3) or none."""
    root = torch.eye(3).expand(len(poses), 3, 3) if view is None else view
    rotations = torch.cat((root[:, None], poses), 1)
    return pose_skeleton(xp, body.table, rotations, torch.zeros(len(poses), NUM_BETAS))


def joints_of(body: Body, poses: Tensor, view: Tensor | None = None) -> Tensor:
    """Joints with the pelvis at 0. (B, 23, 3, 3) -> (B, 24, 3) m."""
    place = posed(body, poses, view).place
    return place - place[:, :1]


def vertices_of(body: Body, poses: Tensor, index: Tensor) -> Tensor:
    """Some vertices with the pelvis at 0, unturned. -> (B, n, 3) m."""
    whole, skeleton = skin_table(body.arrays, body.backend), posed(body, poses)
    dirs = whole.dirs.unflatten(-1, (-1, 3))[:, index].flatten(1)
    some = SkinTable(dirs, whole.lbs_weights[index])
    return skin(xp, some, skeleton) - skeleton.place[:, :1]


def most_likely(prior: AnyPrior, body: Body, task: Task, weight: float, seed: int = 5) -> Tensor:
    """The answer of the lowest energy from STARTS starts: the mean and samples.

    A mixture starts in each component.
    """
    if isinstance(prior, Mixture):
        return solve(prior, body, task, weight)[0]
    generator = torch.Generator().manual_seed(seed)
    batch = len(task.target)
    poses, energies = [], []
    for number in range(STARTS):
        z = 0.7 * torch.randn(batch, prior.dim, generator=generator) if number else None
        pose, energy = solve(prior, body, task, weight, Start(z=z))
        poses.append(pose)
        energies.append(torch.nan_to_num(energy, nan=torch.inf))
    best = torch.stack(energies).argmin(0)
    return torch.stack(poses)[best, torch.arange(batch)]


def solve(
    prior: AnyPrior, body: Body, task: Task, weight: float, start: Start | None = None
) -> tuple[Tensor, Tensor]:
    """Levenberg-Marquardt from `start`, by default the prior's middle (zeros).

    Of a mixture the answer of the component whose energy is lowest. -> poses (B, 23, 3, 3), energy
    (B,).
    """
    start = start or Start()
    if not isinstance(prior, Mixture):
        return _descend(_Energy(prior, body, task, weight, start.middle), start.z)
    answers = [solve(component, body, task, weight, start) for component in prior.components]
    offsets = [2 * weight * component.offset for component in prior.components]
    energies = torch.stack([e + o for (_, e), o in zip(answers, offsets, strict=True)])
    best = energies.argmin(0)
    poses = torch.stack([p for p, _ in answers])
    return poses[best, torch.arange(len(best))], energies.amin(0)


class _Energy:
    """sum |r(z)|^2 / sigma^2 + w |z - m|^2 of one prior's latent codes (B, D)."""

    def __init__(
        self, prior: PosePrior, body: Body, task: Task, weight: float, middle: Tensor | None
    ) -> None:
        self.decoder, self.body, self.task, self.weight = prior.decoder(TORCH), body, task, weight
        zero = torch.zeros(len(task.target), prior.dim)
        self.middle = zero if middle is None else middle[:, : prior.dim]
        self.scale = task.visible / SIGMA

    def _residual(self, skeleton: Skeleton) -> Tensor:
        joints = skeleton.place - skeleton.place[:, :1]
        return (joints - self.task.target) * self.scale

    def value(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """-> energy (B,), poses (B, 23, 3, 3)."""
        poses, _ = self.decoder.decode(xp, z)
        residual = self._residual(posed(self.body, poses, self.task.view))
        prior = ((z - self.middle) ** 2).sum(-1)
        return (residual**2).sum((1, 2)) + self.weight * prior, poses

    def rows(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Residuals (B, M) of the known coordinates and their rows by z (B, M, D)."""
        poses, trace = self.decoder.decode(xp, z)
        skeleton = posed(self.body, poses, self.task.view)
        place = skeleton.place
        # joint j moves by w_a x (t_j - t_a) where a's subtree turns, for every a above it
        arm = (place[:, :, None] - place[:, None]) * self.body.table.subtree.T[..., None]
        turns = torch.linalg.cross(arm[:, :, None], torch.eye(3)[None, None, :, None])
        turns = turns[..., 1:, :] * self.scale[..., None, None]  # (B, 24, 3, 23, 3)
        known = self.scale.flatten() > 0
        by_turns = turns.flatten(1, 2)[:, known]
        rows = self.decoder.pull_back(xp, trace, skeleton.world, by_turns)
        return self._residual(skeleton).flatten(1)[:, known], rows


def _descend(energy: _Energy, start: Tensor | None) -> tuple[Tensor, Tensor]:
    """ITERATIONS of Levenberg-Marquardt with a damping for each person. -> poses, energy."""
    z = energy.middle.clone() if start is None else start
    damping = torch.full((len(z),), 1.0)
    value, _ = energy.value(z)
    for _ in range(ITERATIONS):
        residual, rows = energy.rows(z)
        gradient = (rows.mT @ residual[..., None])[..., 0] + energy.weight * (z - energy.middle)
        trial = z - _damped_step(rows, gradient, (energy.weight + damping)[:, None])
        trial_value, _ = energy.value(trial)
        better = trial_value < value
        z = torch.where(better[:, None], trial, z)
        value = torch.where(better, trial_value, value)
        damping = torch.where(better, damping * 0.3, damping * 6).clamp(1e-4, 1e8)
    value, poses = energy.value(z)
    return poses, value


def _damped_step(rows: Tensor, gradient: Tensor, diagonal: Tensor) -> Tensor:
    """(J'J + d I)^-1 g by Woodbury through the rows (B, M, D), diagonal (B, 1). -> (B, D)."""
    inner = rows @ rows.mT
    inner.diagonal(dim1=-2, dim2=-1).add_(diagonal)
    factor = torch.linalg.cholesky_ex(inner)[0]
    through = torch.cholesky_solve(rows @ gradient[..., None], factor)
    return (gradient - (rows.mT @ through)[..., 0]) / diagonal
