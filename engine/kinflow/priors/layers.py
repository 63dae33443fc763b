"""The flows' layers as pure functions, each with its exact inverse and log-determinant.

`*_to_pose` runs from latent to pose, the direction in which weights are stored; `*_to_latent` inverts it and
returns log|det| of the inverse map a sample, (B,).
"""

from __future__ import annotations

import torch
from torch import Tensor

SCALE_BOUND = 2.0


def dense_to_pose(z: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x = W z + b. z (B, D), weight (D, D), bias (D,) -> (B, D)."""
    return torch.nn.functional.linear(z, weight, bias)


def dense_to_latent(x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Solves W z + b = x. Returns z (B, D) and -log|det W| (B,)."""
    lu, pivots, _ = torch.linalg.lu_factor_ex(weight)
    z = torch.linalg.lu_solve(lu, pivots, (x - bias).T).T
    return z, (-lu.diagonal().abs().log().sum()).expand(len(x))


def prelu_to_pose(h: Tensor, slope: Tensor) -> Tensor:
    """h where positive, slope * h elsewhere; slope > 0 keeps it invertible."""
    return torch.where(h > 0, h, slope * h)


def prelu_to_latent(h: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
    """Inverse of `prelu_to_pose` and its log-determinant (B,)."""
    negative = h < 0
    return torch.where(negative, h / slope, h), -slope.log() * negative.sum(-1)


def mlp(a: Tensor, weights: list[Tensor], biases: list[Tensor]) -> Tensor:
    """Tanh network, linear at the end. a (B, I) -> (B, O)."""
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        a = torch.nn.functional.linear(a, weight, bias).tanh()
    return torch.nn.functional.linear(a, weights[-1], biases[-1])


def bound_scale(raw: Tensor) -> Tensor:
    """Keeps log-scales within +-SCALE_BOUND, with slope 1 at zero."""
    return SCALE_BOUND * (raw / SCALE_BOUND).tanh()


def coupling_to_pose(h: Tensor, log_scale: Tensor, shift: Tensor, first_half: bool) -> Tensor:
    """b' = b exp(s(a)) + t(a); a is the half that stays (Dinh et al., Real NVP, 2017)."""
    a, b = split_halves(h, first_half)
    return join_halves(a, b * log_scale.exp() + shift, first_half)


def coupling_to_latent(
    h: Tensor, log_scale: Tensor, shift: Tensor, first_half: bool
) -> tuple[Tensor, Tensor]:
    """Inverse of `coupling_to_pose`, and its log-determinant (B,)."""
    a, b = split_halves(h, first_half)
    return join_halves(a, (b - shift) * (-log_scale).exp(), first_half), -log_scale.sum(-1)


def split_halves(h: Tensor, first_half: bool) -> tuple[Tensor, Tensor]:
    """(kept half a, changed half b)."""
    half = h.shape[-1] // 2
    return (h[:, :half], h[:, half:]) if first_half else (h[:, half:], h[:, :half])


def join_halves(a: Tensor, b: Tensor, first_half: bool) -> Tensor:
    """Undoes `split_halves`."""
    return torch.cat((a, b) if first_half else (b, a), -1)
