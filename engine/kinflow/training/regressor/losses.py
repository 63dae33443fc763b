"""What the regressor is trained by. Everything in the crop's own units, so that people of any size weigh alike."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...bodies.jacobians import PointSet, pose_points
from ...bodies.keypoints import keypoint_points
from ...bodies.model import Body
from ...fitting.losses import keypoint_alignment
from ...fitting.residuals.keypoints import project
from ...fitting.residuals.parts import MARGIN_METRES, SCALE_METRES, geman_mcclure, sampled_points
from ...fitting.translation import weak_perspective_translation
from ...flows.prior import Prior
from ...regression.inputs import KEYPOINT_SET, Inputs
from .examples import Truth


@dataclass(frozen=True)
class Model:
    """A body and a prior with the point sets that the losses pose: keypoints, and vertices spread over the skin with
    their normals (n, 3) and part labels from 1 (n,)."""

    body: Body
    prior: Prior
    keypoints: PointSet
    skin: PointSet
    normals: Tensor
    labels: Tensor

    @staticmethod
    def of(body: Body, prior: Prior) -> Model:
        sample = sampled_points(body)
        return Model(body, prior, keypoint_points(body, KEYPOINT_SET), sample.points, sample.normals, sample.labels + 1)


@dataclass(frozen=True)
class Predicted:
    """rotations (B, 24, 3, 3) root first, betas (B, 10), transl (B, 3), z (B, D), joints (B, 24, 3) pelvis at the root's place
    without transl, keypoints (B, 17, 2) px."""

    z: Tensor
    rotations: Tensor
    betas: Tensor
    transl: Tensor
    joints: Tensor
    keypoints: Tensor


def predict(model: Model, net: torch.nn.Module, inputs: Inputs, placed_by: Inputs | None = None) -> Predicted:
    """The network's people, placed by equation 2 (on the keypoints of `placed_by`, where the network sees fewer);
    differentiable."""
    z, root, betas = net(inputs)
    inputs = placed_by or inputs
    rotations = torch.cat((root[:, None], model.prior.decode_with_trace(z)[0]), 1)
    posed = pose_points(model.body, model.keypoints, rotations, betas, jacobian=False)
    transl = weak_perspective_translation(posed.points, inputs.keypoints, inputs.confidence, inputs.focal, inputs.centre)
    pixels, _ = project(posed.points + transl[:, None], inputs.focal, inputs.centre)
    return Predicted(z, rotations, betas, transl, posed.joints, pixels)


@dataclass(frozen=True)
class SupervisedWeights:
    """Of the terms of `supervised`."""

    pose: float = 1.0
    root: float = 1.0
    joints: float = 5.0
    betas: float = 0.05
    keypoints: float = 5.0
    latent: float = 0.002


def supervised(model: Model, got: Predicted, truth: Truth, inputs: Inputs, weights: SupervisedWeights) -> Tensor:
    """Loss FS: rotations (squared Frobenius distance), joints (m), shape, keypoints (shares of the crop), and the prior. -> ()."""
    pose = (got.rotations[:, 1:] - truth.rotations[:, 1:]).square().sum((-1, -2)).mean()
    root = (got.rotations[:, 0] - truth.rotations[:, 0]).square().sum((-1, -2)).mean()
    with torch.no_grad():
        wanted = pose_points(model.body, model.keypoints, truth.rotations, truth.betas, jacobian=False).joints
    joints = ((got.joints - got.joints[:, :1]) - (wanted - wanted[:, :1])).norm(dim=-1).mean()
    betas = (got.betas - truth.betas).square().mean()
    return (
        weights.pose * pose + weights.root * root + weights.joints * joints + weights.betas * betas
        + weights.keypoints * alignment(got, inputs).mean() + weights.latent * got.z.square().sum(-1).mean()
    )  # fmt: skip


def alignment(got: Predicted, inputs: Inputs) -> Tensor:
    """Loss KA (equation 1) in shares of the crop. -> (B,)."""
    return keypoint_alignment(got.keypoints, inputs.keypoints, inputs.confidence) / inputs.crop[:, 2]


def overlap(model: Model, got: Predicted, inputs: Inputs, pixels: Tensor, labels: Tensor) -> Tensor:
    """Loss BA in shares of the crop, in the solver's robust form: what an occluder takes from a part must not pull the
    vertices behind it (the plain mean distance does, and lowers the mIoU). pixels (B, P, 2) px of the photo with part
    labels (B, P), 0 = none. -> (B,).

    s [ mean_p g([d_p - margin]_+ / s) + mean_v g(d_v / s) ] with g = x^2 / (1 + x^2); d_p from a pixel to the nearest
    facing vertex of its part, d_v from such a vertex to the nearest pixel of its part.
    """
    posed = pose_points(model.body, model.skin, got.rotations, got.betas, jacobian=False)
    space = posed.points + got.transl[:, None]
    vertices, _ = project(space, inputs.focal, inputs.centre)
    with torch.no_grad():
        normals = torch.einsum("nj,bjxy,ny->bnx", model.skin.lbs_weights, posed.world, model.normals)
        there = (labels[:, :, None] == model.labels).any(1)
        facing = ((normals * space).sum(-1) < 0) & there
        metre = inputs.focal[:, :1] / got.transl[:, 2:].clamp_min(0.3)
    match = (labels[..., None] == model.labels) & facing[:, None] & (labels[..., None] > 0)
    apart = torch.where(match, torch.cdist(pixels, vertices), torch.inf)
    scale, margin = SCALE_METRES * metre, MARGIN_METRES * metre

    def term(nearest: Tensor, slack: Tensor | float) -> Tensor:
        known = torch.isfinite(nearest)
        rho, _ = geman_mcclure((torch.where(known, nearest, 0) - slack).clamp_min(0), scale)
        return (known * rho).sum(-1) / known.sum(-1).clamp_min(1)

    return (term(apart.amin(-1), margin) + term(apart.amin(-2), 0.0)) * scale[:, 0] / inputs.crop[:, 2]
