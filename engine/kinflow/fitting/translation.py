"""Where a posed body stands: closed-form weak-perspective least squares (equation 2 of the paper), and that set right for perspective."""

from __future__ import annotations

import torch
from torch import Tensor

from .residuals.keypoints import project

MIN_SCALE = 1e-3
DEFAULT_DEPTH = 5.0


def weak_perspective_translation(
    joints: Tensor,
    keypoints: Tensor,
    confidence: Tensor,
    focal: Tensor,
    centre: Tensor,
    span: Tensor | None = None,
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
    depth = torch.where(
        known, 1 / scale, torch.full_like(scale, DEFAULT_DEPTH) if span is None else span
    )
    xy = mean_target * depth[:, None] - mean_point[:, :2]
    xy = torch.where(total > 0, xy, torch.zeros_like(xy))
    return torch.cat((xy, (depth - mean_point[:, 2])[:, None]), -1)


def perspective_translation(
    points: Tensor,
    keypoints: Tensor,
    confidence: Tensor,
    focal: Tensor,
    centre: Tensor,
    scale: Tensor,
    steps: int = 2,
) -> Tensor:
    """Equation 2, then Gauss-Newton steps of the translation alone under full perspective; differentiable.

    Near a wide lens equation 2 misplaces even the true body by some per cent of its size, and a network that is
    trained through it learns to bend bodies until they make up for that. Weights are confidence times Geman and
    McClure's with `scale` (B,) px, which lets go of single wrong keypoints. Shapes as above; -> (B, 3).
    """
    transl = weak_perspective_translation(points, keypoints, confidence, focal, centre)
    known = (confidence > 0)[..., None]
    for _ in range(steps):
        pixels, slopes = project(points + transl[:, None], focal, centre)
        miss = (
            torch.where(known, keypoints - pixels, torch.zeros_like(pixels)) / scale[:, None, None]
        )
        slopes = slopes / scale[:, None, None, None]
        weight = confidence.clamp_min(0) / (1 + miss.square().sum(-1)).square()
        rows = slopes * weight[..., None, None]
        normal = torch.einsum("bkux,bkuy->bxy", rows, slopes)
        # a little stiffness along every axis: one keypoint alone does not tell the depth
        stiff = 1e-3 * normal.diagonal(dim1=1, dim2=2).amax(1).clamp_min(1e-9)
        normal = normal + stiff[:, None, None] * torch.eye(
            3, dtype=normal.dtype, device=normal.device
        )
        step = torch.linalg.solve(normal, torch.einsum("bkux,bku->bx", rows, miss)[..., None])[
            ..., 0
        ]
        limit = 0.3 * transl[:, 2:].abs()
        transl = transl + step.clamp(-limit, limit)
    return transl
