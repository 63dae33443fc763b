"""Smoothness of a motion: its accelerations, in the latent, of the root's turn and of the translation.

With x at times t-1, t, t+1 (frames apart g and h), a = 2 [ (x_{t+1} - x_t) / h - (x_t - x_{t-1}) / g ] / (g + h). The root's
velocity is the rotation vector from one frame to the next, log(R_{t+1} R_t'). Each acceleration is normal with its own
deviation (Weights); the residual is a / deviation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...rotations import axis_angle_to_matrix, matrix_to_axis_angle, skew


@dataclass(frozen=True)
class SmoothWeights:
    """Deviations of accelerations a frame squared: latent (sigmas), root (radians), translation sideways and in depth (m)."""

    latent: float = 0.25
    root: float = 0.03
    sideways: float = 0.015
    depth: float = 0.03


def coefficients(frames: Tensor) -> Tensor:
    """Of x_{t-1}, x_t, x_{t+1} in the acceleration. frames (T,) rising -> (T - 2, 3)."""
    g, h = frames[1:-1] - frames[:-2], frames[2:] - frames[1:-1]
    first, last = 2 / (g * (g + h)), 2 / (h * (g + h))
    return torch.stack((first, -first - last, last), -1)


def vector_acceleration(x: Tensor, frames: Tensor) -> Tensor:
    """(T, D) -> (T - 2, D)."""
    c = coefficients(frames)
    return c[:, :1] * x[:-2] + c[:, 1:2] * x[1:-1] + c[:, 2:] * x[2:]


def turn_acceleration(root: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
    """root (T, 3, 3) -> acceleration (T - 2, 3), and its slopes by left perturbations of the three (T - 2, 3, 3, 3): [which]."""
    between = root[1:] @ root[:-1].transpose(-1, -2)
    velocity = matrix_to_axis_angle(between)
    c = coefficients(frames)
    first, last = c[:, 0, None], c[:, 2, None]
    acceleration = last * velocity[1:] - first * velocity[:-1]
    # log(exp(w1) M exp(-w0)) = m + Jl^-1(m) w1 - Jr^-1(m) w0, and Jr^-1(m) = Jl^-1(-m)
    after, before = left_jacobian_inverse(velocity), left_jacobian_inverse(-velocity)
    slopes = torch.stack(
        (
            first[..., None] * before[:-1],
            -last[..., None] * before[1:] - first[..., None] * after[:-1],
            last[..., None] * after[1:],
        ),
        1,
    )
    return acceleration, slopes


def left_jacobian_inverse(vector: Tensor) -> Tensor:
    """Inverse left Jacobian of SO(3). (..., 3) -> (..., 3, 3)."""
    angle = vector.norm(dim=-1)[..., None, None].clamp_min(1e-8)
    half = 0.5 * angle
    small = angle < 1e-3
    factor = torch.where(
        small,
        1 / 12 + angle**2 / 720,
        (1 - half * torch.cos(half) / torch.sin(half.clamp(max=3.1))) / angle**2,
    )
    k = skew(vector)
    eye = torch.eye(3, dtype=vector.dtype, device=vector.device)
    return eye - 0.5 * k + factor * (k @ k)


def translation_deviation(weights: SmoothWeights, like: Tensor) -> Tensor:
    """(3,): x, y, z."""
    return torch.tensor(
        [weights.sideways, weights.sideways, weights.depth], dtype=like.dtype, device=like.device
    )


def energy(
    z: Tensor, root: Tensor, transl: Tensor, frames: Tensor, weights: SmoothWeights
) -> Tensor:
    """Half the squared residuals. z (T, D), root (T, 3, 3), transl (T, 3), frames (T,) -> ()."""
    if len(z) < 3:
        return z.new_zeros(())
    latent = vector_acceleration(z, frames) / weights.latent
    turn = turn_acceleration(root, frames)[0] / weights.root
    place = vector_acceleration(transl, frames) / translation_deviation(weights, transl)
    return 0.5 * (latent.square().sum() + turn.square().sum() + place.square().sum())


def perturbed(root: Tensor, turn: Tensor) -> Tensor:
    """Root rotations after left perturbations (T, 3)."""
    return axis_angle_to_matrix(turn) @ root
