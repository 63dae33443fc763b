"""Keypoints under full perspective."""

from __future__ import annotations

import torch
from torch import Tensor

NEAR = 0.1


def project(points: Tensor, focal: Tensor, centre: Tensor) -> tuple[Tensor, Tensor]:
    """Pinhole projection. points (B, P, 3) m, focal (B, 2), centre (B, 2) px -> pixels (B, P, 2), d px / d point
    (B, P, 2, 3).

    Points nearer than NEAR metres or behind the camera are projected from depth NEAR, with the same slope, so that
    they pull the body forward instead of flipping the image.
    """
    depth = points[..., 2:].clamp_min(NEAR)
    inverse = 1 / depth
    scaled = points[..., :2] * inverse
    pixels = scaled * focal[:, None] + centre[:, None]
    zero = torch.zeros_like(inverse[..., 0])
    fx, fy = focal[:, None, 0] * inverse[..., 0], focal[:, None, 1] * inverse[..., 0]
    front = (points[..., 2] > NEAR).to(points)
    rows = torch.stack(
        (fx, zero, -fx * scaled[..., 0] * front, zero, fy, -fy * scaled[..., 1] * front), -1
    )
    return pixels, rows.unflatten(-1, (2, 3))


def robust_distance(distance: Tensor, scale: Tensor, softness: float) -> tuple[Tensor, Tensor]:
    """Smoothed unsquared L2 and its reweighting factor.

    rho = sqrt(d^2 + (softness * scale)^2) / scale; the quadratic of weight w = 1 / (scale * sqrt(...)) touches it at d
    (iteratively reweighted least squares). distance (B, K), scale (B, 1) -> rho (B, K), w (B, K).
    """
    root = (distance * distance + (softness * scale) ** 2).sqrt()
    return root / scale, 1 / (scale * root)
