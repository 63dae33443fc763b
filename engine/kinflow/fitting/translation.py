"""Translation by closed-form weak-perspective least squares (equation 2 of the paper)."""

from __future__ import annotations

import torch
from torch import Tensor

MIN_SCALE = 1e-3
DEFAULT_DEPTH = 5.0


def weak_perspective_translation(
    joints: Tensor, keypoints: Tensor, confidence: Tensor, focal: Tensor, centre: Tensor, span: Tensor | None = None
) -> Tensor:
    """Translation that best puts a body's points onto keypoints under a scaled orthographic camera.

    With u = (keypoint - centre) / focal and X the points' x and y, minimises sum c |s X + d - u|^2 over scale s and
    shift d, in closed form: s = cov(X, u) / var(X), d = mean(u) - s mean(X), means weighted by confidence. Then
    depth T_z = 1 / s and T_xy = d T_z, less the mean depth of the points. Differentiable in all inputs.

    joints (B, K, 3) m; keypoints (B, K, 2) px; confidence (B, K); focal (B, 2); centre (B, 2) px -> (B, 3).
    Degenerate cases: with one keypoint, or all in one place, the scale is not known: the depth is then `span` (B,),
    DEFAULT_DEPTH metres where it is left out. With no confident keypoint the translation is (0, 0, depth).
    """
    weight = confidence.clamp_min(0)
    total = weight.sum(-1, keepdim=True)
    normal = weight / total.clamp_min(1e-9)
    target = (keypoints - centre[:, None]) / focal[:, None]
    target = torch.where(weight[..., None] > 0, target, torch.zeros_like(target))
    mean_point = (normal[..., None] * joints).sum(1)
    mean_target = (normal[..., None] * target).sum(1)
    flat = joints[..., :2] - mean_point[:, None, :2]
    offset = target - mean_target[:, None]
    variance = (normal[..., None] * flat * flat).sum((1, 2))
    covariance = (normal[..., None] * flat * offset).sum((1, 2))
    spread = (normal[..., None] * offset * offset).sum((1, 2))
    known = (variance > 1e-6) & (spread > 1e-10)
    # where the points face away from the keypoints' layout the regression slope may vanish; the ratio of spreads,
    # the symmetric estimate, is then the safe one
    slope = covariance / variance.clamp_min(1e-6)
    ratio = (spread.clamp_min(1e-12) / variance.clamp_min(1e-6)).sqrt()
    scale = torch.where(slope > 0.5 * ratio, slope, ratio).clamp_min(MIN_SCALE)
    depth = torch.where(known, 1 / scale, torch.full_like(scale, DEFAULT_DEPTH) if span is None else span)
    xy = mean_target * depth[:, None] - mean_point[:, :2]
    xy = torch.where(total > 0, xy, torch.zeros_like(xy))
    return torch.cat((xy, (depth - mean_point[:, 2])[:, None]), -1)
