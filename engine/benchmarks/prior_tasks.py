"""What a prior is asked to do: complete hidden limbs, denoise, solve inverse kinematics, lift from 2D.

Every task is min_z sum |r(z)|^2 / sigma^2 + w |z - m|^2 with the same solver and budget for every prior; m = 0 gives
the most likely answer, m ~ N(0, I) a draw from its neighbourhood (randomise, then optimise), of which the best of ten is
reported. The weight w is picked a prior and task on validation poses.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kinflow.bodies.jacobians import PointSet, pose_points
from kinflow.bodies.kinematics import global_transforms, shaped_joints, skin
from kinflow.bodies.model import Body
from kinflow.core.skeleton import JOINT_NAMES, METRIC_JOINTS, NUM_JOINTS

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
    "both arms": _sided(("left", "right"), (*_ARM[1:],)),
    "torso": {
        "spine1",
        "spine2",
        "spine3",
        "neck",
        "left_collar",
        "right_collar",
        "left_shoulder",
        "right_shoulder",
    },
}
TASKS = (*HIDDEN_LIMBS, "denoise", "ik", "uplift")


@dataclass(frozen=True)
class Task:
    """target (B, 24, 3) m with the pelvis at 0, rows (24, 3): which coordinates are seen; view (B, 3, 3) turns the body."""

    target: Tensor
    seen: Tensor
    view: Tensor


def make_task(name: str, body: Body, poses: Tensor, seed: int = 0) -> Task:
    """The task of that name for captured poses (B, 23, 3, 3)."""
    generator = torch.Generator().manual_seed(seed)
    view = torch.eye(3).expand(len(poses), 3, 3)
    seen = torch.zeros(NUM_JOINTS, 3)
    seen[list(METRIC_JOINTS)] = 1.0
    if name == "uplift":
        yaw = 2 * torch.pi * torch.rand(len(poses), generator=generator)
        zero = torch.zeros_like(yaw)
        from kinflow.rotations import axis_angle_to_matrix

        view = axis_angle_to_matrix(torch.stack((zero, yaw, zero), -1))
        seen[:, 2] = 0.0
    for joint in HIDDEN_LIMBS.get(name, ()):
        seen[JOINT_NAMES.index(joint)] = 0.0
    target = joints_of(body, poses, view)
    if name == "denoise":
        target = target + 0.04 * torch.randn(target.shape, generator=generator)
        target = target - target[:, :1]
    return Task(target, seen, view)


def joints_of(body: Body, poses: Tensor, view: Tensor | None = None) -> Tensor:
    """Joints with the pelvis at 0. (B, 23, 3, 3) -> (B, 24, 3)."""
    view = torch.eye(3).expand(len(poses), 1, 3, 3) if view is None else view[:, None]
    rest = shaped_joints(body, torch.zeros(len(poses), body.num_betas))
    place = global_transforms(torch.cat((view, poses), 1), rest)[1]
    return place - place[:, :1]


def vertices_of(body: Body, poses: Tensor, index: Tensor) -> Tensor:
    """Some vertices with the pelvis at 0, unturned. -> (B, n, 3)."""
    rotations = torch.cat((torch.eye(3).expand(len(poses), 1, 3, 3), poses), 1)
    betas = torch.zeros(len(poses), body.num_betas)
    rest = shaped_joints(body, betas)
    world, place = global_transforms(rotations, rest)
    return skin(body, rotations, betas, world, place, rest, index) - place[:, :1]


def most_likely(prior, body: Body, task: Task, weight: float, seed: int = 5) -> Tensor:
    """The answer of the lowest energy from STARTS starts: the mean and samples; a mixture starts in each component."""
    if isinstance(prior, Mixture):
        return solve(prior, body, task, weight)[0]
    generator = torch.Generator().manual_seed(seed)
    batch = len(task.target)
    zero = torch.zeros(batch, prior.dim)
    poses, energies = [], []
    for number in range(STARTS):
        start = zero if number == 0 else 0.7 * torch.randn(batch, prior.dim, generator=generator)
        pose, energy = solve(prior, body, task, weight, zero, start)
        poses.append(pose)
        energies.append(torch.nan_to_num(energy, nan=torch.inf))
    best = torch.stack(energies).argmin(0)
    return torch.stack(poses)[best, torch.arange(batch)]


def solve(
    prior,
    body: Body,
    task: Task,
    weight: float,
    middle: Tensor | None = None,
    start: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Levenberg-Marquardt from `start`, by default the prior's middle (zeros). -> poses (B, 23, 3, 3), energy (B,)."""
    if isinstance(prior, Mixture):
        answers = [solve(component, body, task, weight, middle) for component in prior.components]
        energies = torch.stack(
            [e + weight * c.offset * 2 for (_, e), c in zip(answers, prior.components, strict=True)]
        )
        best = energies.argmin(0)
        poses = torch.stack([p for p, _ in answers])
        return poses[best, torch.arange(len(best))], energies.amin(0)
    batch = len(task.target)
    middle = torch.zeros(batch, prior.dim) if middle is None else middle[:, : prior.dim]
    points = PointSet.of(
        body, torch.eye(NUM_JOINTS), torch.zeros(0, dtype=torch.long), torch.zeros(NUM_JOINTS, 0)
    )
    betas = torch.zeros(batch, body.num_betas)
    scale = task.seen / SIGMA

    def evaluate(z: Tensor, jacobian: bool):
        joints, trace = prior.decode_with_trace(z)
        posed = pose_points(
            body, points, torch.cat((task.view[:, None], joints), 1), betas, jacobian
        )
        residual = (posed.points - posed.points[:, :1] - task.target) * scale
        energy = (residual**2).sum((1, 2)) + weight * ((z - middle) ** 2).sum(-1)
        if not jacobian:
            return energy
        d = (posed.d_rotation - posed.d_rotation[:, :1])[:, :, :, 1:] * scale[..., None, None]
        used = scale.flatten() > 0
        rows = prior.pull_back(trace, d.flatten(1, 2)[:, used])
        return joints, energy, residual.flatten(1)[:, used], rows

    z = middle.clone() if start is None else start
    damping = torch.full((batch,), 1.0)
    for _ in range(ITERATIONS):
        joints, energy, residual, rows = evaluate(z, True)
        gradient = (rows.transpose(1, 2) @ residual[..., None])[..., 0] + weight * (z - middle)
        diagonal = (weight + damping)[:, None]
        # (J'J + d I)^-1 g by Woodbury through the rows
        inner = rows @ rows.transpose(1, 2)
        inner.diagonal(dim1=-2, dim2=-1).add_(diagonal)
        factor = torch.linalg.cholesky_ex(inner)[0]
        through = torch.cholesky_solve(rows @ gradient[..., None], factor)
        step = (gradient - (rows.transpose(1, 2) @ through)[..., 0]) / diagonal
        trial = z - step
        better = evaluate(trial, False) < energy
        z = torch.where(better[:, None], trial, z)
        damping = torch.where(better, damping * 0.3, damping * 6).clamp(1e-4, 1e8)
    joints, energy, *_ = evaluate(z, True)
    return joints, energy
