"""The two losses of the paper as definitions. The solver minimises their iteratively reweighted forms."""

from __future__ import annotations

import torch
from torch import Tensor


def keypoint_alignment(projected: Tensor, keypoints: Tensor, confidence: Tensor) -> Tensor:
    """Loss KA, equation 1: mean unsquared L2 distance in px, weighted by confidence.

    projected (B, K, 2), keypoints (B, K, 2) px, confidence (B, K) -> (B,). No confident keypoint gives 0.
    """
    distance = torch.linalg.vector_norm(projected - keypoints, dim=-1)
    weight = confidence.clamp_min(0)
    distance = torch.where(weight > 0, distance, torch.zeros_like(distance))
    return (weight * distance).sum(-1) / weight.sum(-1).clamp_min(1e-9)


def part_alignment(
    vertices: Tensor,
    vertex_parts: Tensor,
    visible: Tensor,
    pixels: Tensor,
    pixel_parts: Tensor,
    margin: Tensor | float = 0.0,
) -> Tensor:
    """Loss BA, in px: semantic body-part alignment, part by part and in both directions.

    Mean over labelled pixels of the distance (less `margin`, at least 0) to the nearest visible projected vertex of the
    same part, plus the mean over visible vertices of the distance to the nearest pixel of their part. Parts that are on
    one side only cost nothing. The solver's robust form and its Jacobian are in `residuals.parts`.

    vertices (B, V, 2) px, vertex_parts (V,), visible (B, V) bool, pixels (B, P, 2) px, pixel_parts (B, P), 0 = none, margin px or (B, 1) px
    -> (B,).
    """
    apart = torch.cdist(pixels, vertices)
    match = (
        (pixel_parts[..., None] == vertex_parts) & visible[:, None] & (pixel_parts[..., None] > 0)
    )
    far = torch.full_like(apart, torch.inf)
    distance = torch.where(match, apart, far)

    def mean(nearest: Tensor) -> Tensor:
        known = torch.isfinite(nearest)
        return torch.where(known, nearest, torch.zeros_like(nearest)).sum(-1) / known.sum(
            -1
        ).clamp_min(1)

    return mean((distance.amin(-1) - margin).clamp_min(0)) + mean(distance.amin(-2))
