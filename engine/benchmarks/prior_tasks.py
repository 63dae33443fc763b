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
from kinflow.core.arrays import per_person, pick
from kinflow.core.body import NUM_BETAS, Skeleton, SkinTable, pose_skeleton, skin
from kinflow.core.flow import Decoder
from kinflow.core.rotations import axis_angle_to_matrix
from kinflow.core.skeleton import JOINT_NAMES, METRIC_JOINTS, NUM_JOINTS
from kinflow.core.solver import SolverConfig, levenberg_marquardt
from kinflow.core.step import Linearisation, damped_step
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
        return _descend(prior, body, task, weight, start)
    answers = [solve(component, body, task, weight, start) for component in prior.components]
    offsets = [2 * weight * component.offset for component in prior.components]
    energies = torch.stack([e + o for (_, e), o in zip(answers, offsets, strict=True)])
    best = energies.argmin(0)
    poses = torch.stack([p for p, _ in answers])
    return poses[best, torch.arange(len(best))], energies.amin(0)


@dataclass(frozen=True)
class Code:
    """Latent codes (B, D)."""

    z: Tensor = per_person()


@dataclass(frozen=True)
class Completion:
    """Half of sum |r(z)|^2 / sigma^2 + w |z - m|^2, as `core.solver` takes it.

    target (B, 24, 3) m, view (B, 3, 3) and middle m (B, D); scale (24, 3): 1 / sigma of what is
    known.
    """

    decoder: Decoder
    body: Body
    weight: float
    scale: Tensor
    target: Tensor = per_person()
    view: Tensor = per_person()
    middle: Tensor = per_person()
    group: None = None
    xp = xp

    def pick(self, rows: Tensor) -> Completion:
        """The same for some of the people."""
        return pick(self, rows)

    def linearise(self, state: Code) -> Linearisation:
        """Residuals of the known coordinates, and their rows by the latent."""
        poses, trace = self.decoder.decode(xp, state.z)
        skeleton = posed(self.body, poses, self.view)
        place, known = skeleton.place, self.scale.flatten() > 0
        # joint j moves by w_a x (t_j - t_a) where a's subtree turns, for every a above it
        arm = (place[:, :, None] - place[:, None]) * self.body.table.subtree.T[..., None]
        turns = torch.linalg.cross(arm[:, :, None], torch.eye(3)[None, None, :, None])
        turns = turns[..., 1:, :] * self.scale[..., None, None]  # (B, 24, 3, 23, 3)
        rows = self.decoder.pull_back(xp, trace, skeleton.world, turns.flatten(1, 2)[:, known])
        residual = (place - place[:, :1] - self.target) * self.scale
        residual, apart = residual.flatten(1)[:, known], state.z - self.middle
        energy = 0.5 * residual.square().sum(1) + 0.5 * self.weight * apart.square().sum(1)
        none, weight = rows[..., :0], torch.full_like(apart[:, :1], self.weight)
        empty = apart[:, :0]
        gradient = self.weight * apart
        return Linearisation(energy, residual, rows, none, weight, gradient, empty, empty)

    def step(self, linear: Linearisation, state: Code, damping: Tensor) -> Code:
        """The codes after one damped step."""
        return Code(state.z + damped_step(xp, linear, damping, 0, None)[0])


def completion(
    prior: PosePrior, body: Body, task: Task, weight: float, middle: Tensor
) -> Completion:
    """The task of a prior. middle (B, D)."""
    scale, decoder = task.visible / SIGMA, prior.decoder(TORCH)
    return Completion(decoder, body, weight, scale, task.target, task.view, middle)


def _descend(
    prior: PosePrior, body: Body, task: Task, weight: float, start: Start
) -> tuple[Tensor, Tensor]:
    """-> poses (B, 23, 3, 3), energy (B,) without its half."""
    zero = torch.zeros(len(task.target), prior.dim)
    middle = zero if start.middle is None else start.middle[:, : prior.dim]
    model = completion(prior, body, task, weight, middle)
    first = Code(middle if start.z is None else start.z)
    solution = levenberg_marquardt(model, first, SolverConfig(ITERATIONS, tolerance=0.0))
    return model.decoder.decode(xp, solution.state.z)[0], 2 * solution.energy
