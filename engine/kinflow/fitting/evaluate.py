"""Energy of a state, and its linearisation: reweighted residual rows by every unknown."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..bodies.jacobians import PosedPoints, pose_points
from .problem import Problem, State
from .residuals.keypoints import project, robust_distance

NUM_BETAS = 10
NUM_GLOBAL = 3 + NUM_BETAS + 3  # root rotation, betas, translation


@dataclass(frozen=True)
class Linearisation:
    """energy (S,), rows times sqrt(weight): residual (S, M), by_z (S, M, D), by_global (S, M, 16)."""

    energy: Tensor
    residual: Tensor
    by_z: Tensor
    by_global: Tensor


def _rotations(problem: Problem, state: State) -> tuple[Tensor, tuple]:
    joints, trace = problem.prior.decode_with_trace(state.z)
    return torch.cat((state.root[:, None], joints), 1), trace


def prior_energy(problem: Problem, state: State) -> Tensor:
    """Latent and shape terms, 0.5 |z|^2 and 0.5 |betas|^2 by their weights. -> (S,)."""
    weights = problem.weights
    return 0.5 * weights.latent * (state.z**2).sum(-1) + 0.5 * weights.betas * (state.betas**2).sum(
        -1
    )


def _keypoint_terms(problem: Problem, points: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    pixels, by_point = project(points, problem.focal, problem.centre)
    seen = problem.confidence > 0
    residual = torch.where(seen[..., None], pixels - problem.keypoints, torch.zeros_like(pixels))
    rho, weight = robust_distance(
        torch.linalg.vector_norm(residual, dim=-1), problem.scale, problem.weights.softness
    )
    floor = problem.weights.softness
    return (
        residual,
        by_point,
        problem.confidence * weight,
        (problem.confidence * (rho - floor)).sum(-1),
    )


def _hint_terms(problem: Problem, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Depth of hinted points behind the hips' centre, robust. -> residual (S, H), weight (S, H), energy (S,)."""
    assert (
        problem.hint_index is not None
        and problem.hint_depth is not None
        and problem.hint_weight is not None
    )
    left, right = problem.hip_index
    reference = 0.5 * (points[:, left, 2] + points[:, right, 2])
    residual = points[:, problem.hint_index, 2] - reference[:, None] - problem.hint_depth
    scale = residual.new_full((1, 1), problem.weights.hint_metres)
    rho, weight = robust_distance(residual.abs(), scale, 0.3)
    return residual, problem.hint_weight * weight, (problem.hint_weight * (rho - 0.3)).sum(-1)


def energy(problem: Problem, state: State) -> Tensor:
    """Negative log-posterior up to a constant. -> (S,)."""
    rotations, _ = _rotations(problem, state)
    posed = pose_points(problem.body, problem.points, rotations, state.betas, jacobian=False)
    points = posed.points + state.transl[:, None]
    total = _keypoint_terms(problem, points)[-1] + prior_energy(problem, state)
    if problem.hint_index is not None:
        total = total + _hint_terms(problem, points)[-1]
    if problem.parts is not None:
        total = total + problem.parts.energy(problem, state, rotations, posed)
    return total


def linearise(problem: Problem, state: State) -> Linearisation:
    """Energy and reweighted rows at a state."""
    rotations, trace = _rotations(problem, state)
    posed = pose_points(problem.body, problem.points, rotations, state.betas)
    assert posed.d_rotation is not None and posed.d_betas is not None
    points = posed.points + state.transl[:, None]
    residual, by_point, weight, total = _keypoint_terms(problem, points)
    root_weight = weight.sqrt()
    batch = len(points)

    def flat(rows: Tensor) -> Tensor:
        return rows.reshape(batch, -1, *rows.shape[3:])

    weighted = by_point * root_weight[..., None, None]
    all_residual = [flat(residual * root_weight[..., None])]
    by_rotation = [flat(torch.einsum("bpux,bpxaz->bpuaz", weighted, posed.d_rotation))]
    by_betas = [flat(weighted @ posed.d_betas)]
    by_transl = [flat(weighted)]
    total = total + prior_energy(problem, state)
    if problem.hint_index is not None:
        hint, hint_weight, hint_energy = _hint_terms(problem, points)
        left, right = problem.hip_index
        root_hint = hint_weight.sqrt()

        def relative(table: Tensor) -> Tensor:
            depth = table[:, :, 2]
            assert problem.hint_index is not None
            return depth[:, problem.hint_index] - 0.5 * (depth[:, left] + depth[:, right])[:, None]

        all_residual.append(hint * root_hint)
        by_rotation.append(relative(posed.d_rotation) * root_hint[..., None, None])
        by_betas.append(relative(posed.d_betas) * root_hint[..., None])
        by_transl.append(torch.zeros(batch, hint.shape[1], 3, dtype=hint.dtype, device=hint.device))
        total = total + hint_energy
    if problem.parts is not None:
        extra = problem.parts.linearise(problem, state, rotations, posed)
        for target, value in zip(
            (all_residual, by_rotation, by_betas, by_transl), extra[1:], strict=True
        ):
            target.append(value)
        total = total + extra[0]
    rotation_rows = torch.cat(by_rotation, 1)
    by_z = problem.prior.pull_back(trace, rotation_rows[:, :, 1:])
    by_global = torch.cat(
        (rotation_rows[:, :, 0], torch.cat(by_betas, 1), torch.cat(by_transl, 1)), -1
    )
    return Linearisation(total, torch.cat(all_residual, 1), by_z, by_global)


def posed_joints(problem: Problem, state: State) -> tuple[Tensor, PosedPoints]:
    """Joints in the camera frame (S, 24, 3) and the posed points."""
    rotations, _ = _rotations(problem, state)
    posed = pose_points(problem.body, problem.points, rotations, state.betas, jacobian=False)
    return posed.joints + state.transl[:, None], posed
