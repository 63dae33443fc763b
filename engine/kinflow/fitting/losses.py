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
