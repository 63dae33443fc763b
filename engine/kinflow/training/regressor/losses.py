"""What the regressor is trained by, in the crop's units: people of any size weigh alike."""

from dataclasses import dataclass

import array_api_compat.torch as xp
import torch
from torch import Tensor

from ...core.body import pose_skeleton
from ...core.camera import Lens, project
from ...core.points import pose_points
from ...core.terms.keypoints import keypoint_alignment
from ...core.terms.parts import MARGIN_METRES, SCALE_METRES
from ...core.terms.robust import geman_mcclure
from ...guessing.figure import Figure, Placed, place
from ...guessing.inputs import Inputs
from .examples import Truth
from .unlabelled import Unlabelled


def predict(
    figure: Figure, net: torch.nn.Module, inputs: Inputs, placed_by: Inputs | None = None
) -> Placed:
    """The network's people, placed on the keypoints; differentiable.

    placed_by: the same people with the keypoints to place them on, where `inputs` hold fewer.
    """
    return place(figure, net(inputs, figure.look), placed_by or inputs)


@dataclass(frozen=True)
class SupervisedWeights:
    """Of the terms of `supervised`."""

    pose: float = 1.0
    root: float = 1.0
    joints: float = 5.0
    betas: float = 0.05
    keypoints: float = 5.0
    latent: float = 0.002
    on_the_way: float = 0.25
    """Of a state before the last, beside 1 for that."""


def supervised(
    figure: Figure, placed: Placed, truth: Truth, inputs: Inputs, weights: SupervisedWeights
) -> Tensor:
    """Loss FS. -> ().

    Rotations (squared Frobenius distance), joints about the pelvis (m), shape, keypoints (shares of
    the crop), and the prior.
    """
    turned = (placed.rotations - truth.rotations).square().sum((-1, -2))
    root, pose = turned[:, 0].mean(), turned[:, 1:].mean()
    apart = placed.joints - pose_skeleton(xp, figure.body.table, truth.rotations, truth.betas).place
    joints = (apart - apart[:, :1]).norm(dim=-1).mean()
    betas = (placed.betas - truth.betas).square().mean()
    keypoints, latent = alignment(placed, inputs).mean(), placed.z.square().sum(-1).mean()
    loss = weights.pose * pose + weights.root * root + weights.joints * joints
    loss = loss + weights.betas * betas + weights.keypoints * keypoints
    return loss + weights.latent * latent


def supervised_descent(
    figure: Figure, net: torch.nn.Module, truth: Truth, inputs: Inputs, weights: SupervisedWeights
) -> Tensor:
    """Loss FS of all states that a network goes through, the last one weighing most. -> ()."""
    states = net.states(inputs, figure.look)  # type: ignore[operator]
    shares = [weights.on_the_way] * (len(states) - 1) + [1.0]
    people = [place(figure, state, inputs) for state in states]
    losses = torch.stack([supervised(figure, p, truth, inputs, weights) for p in people])
    return (losses * losses.new_tensor(shares)).sum() / sum(shares)


def alignment(placed: Placed, inputs: Inputs) -> Tensor:
    """Loss KA (equation 1) in shares of the crop. -> (B,)."""
    pixels = keypoint_alignment(xp, placed.keypoints, inputs.keypoints, inputs.confidence)
    return pixels / inputs.crop[:, 2]


def overlap(figure: Figure, placed: Placed, photos: Unlabelled) -> Tensor:
    """Loss BA in shares of the crop, in the solver's robust form. -> (B,).

    s [ mean_p g([d_p - margin]_+ / s) + mean_v g(d_v / s) ] with g = x^2 / (1 + x^2); d_p from a
    pixel to the nearest facing vertex of its part, d_v from such a vertex to the nearest pixel of
    its part. Robust, because what an occluder takes from a part must not pull the vertices behind
    it (the plain mean distance does, and lowers the mIoU).
    """
    inputs, labels, skin = photos.inputs, photos.labels, figure.skin
    skeleton = pose_skeleton(xp, figure.body.table, placed.rotations, placed.betas)
    space = pose_points(xp, skin.table, skeleton).places + placed.transl[:, None]
    vertices, _ = project(xp, space, Lens(inputs.focal, inputs.centre))
    with torch.no_grad():
        facing = skin.facing(xp, skeleton.world, space)
        metre = inputs.focal[:, :1] / placed.transl[:, 2:].clamp_min(0.3)
    match = (labels[..., None] == skin.labels) & facing[:, None]
    apart = torch.where(match, torch.cdist(photos.pixels, vertices), torch.inf)
    scale, margin = SCALE_METRES * metre, MARGIN_METRES * metre

    def term(nearest: Tensor, slack: Tensor | float) -> Tensor:
        known = torch.isfinite(nearest)
        rho, _ = geman_mcclure((torch.where(known, nearest, 0) - slack).clamp_min(0), scale)
        return (known * rho).sum(-1) / known.sum(-1).clamp_min(1)

    both = term(apart.amin(-1), margin) + term(apart.amin(-2), 0.0)
    return both * scale[:, 0] / inputs.crop[:, 2]
