"""Where the regressor's answers stand, and how they look to it beside what was observed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..bodies.jacobians import PointSet, PosedPoints, parent_world, pose_points, subtree
from ..bodies.keypoints import keypoint_points
from ..bodies.model import Body
from ..priors.prior import Prior
from .inputs import ANY_PART, KEYPOINT_SET, Inputs, part_pixels
from .network import Seen, State
from ..fitting.backend import uses_numpy
from ..fitting.residuals.keypoints import project
from ..fitting.residuals.parts import MARGIN_METRES, SCALE_METRES, SkinSample, sampled_points
from ..fitting.translation import perspective_translation

# what is believed before a Gauss-Newton step, besides z and betas of deviation 1
KEYPOINT_SHARE = 0.03  # a keypoint's deviation, of the crop's side
ROOT_RADIANS = 0.5
DEPTH_SHARE = 0.3
PLACING_SHARE = 0.1  # beyond this share of the crop a keypoint no longer tells where the body is
PIXEL_SHARE = 0.04  # a part's pixel, likewise
PIXELS_WORTH = 24.0  # of all pixels together: they lie close, and err together


@dataclass(frozen=True)
class Figure:
    """A body, a prior, the points that the regressor's keypoints are, and vertices spread over the skin."""

    body: Body
    prior: Prior
    keypoints: PointSet
    skin: SkinSample

    @staticmethod
    def of(body: Body, prior: Prior) -> Figure:
        return Figure(body, prior, keypoint_points(body, KEYPOINT_SET), sampled_points(body))

    def look(self, state: State, inputs: Inputs) -> Seen:
        """How a state looks beside what was observed: `regression.network.Look`. In numpy on the CPU."""
        if uses_numpy(self.prior, self.body.device):
            from ..fitting.lean.look import look as lean_look

            return lean_look(self, state, inputs)
        return look(self, state, inputs)


@dataclass(frozen=True)
class Placed:
    """z (B, D), rotations (B, 24, 3, 3) root first, betas (B, 10), transl (B, 3), joints (B, 24, 3) without transl,
    keypoints (B, 17, 2) px."""

    z: Tensor
    rotations: Tensor
    betas: Tensor
    transl: Tensor
    joints: Tensor
    keypoints: Tensor


def on_keypoints(points: Tensor, inputs: Inputs) -> Tensor:
    """Translation that puts keypoints (B, 17, 3) m on the observed ones. -> (B, 3)."""
    scale = PLACING_SHARE * inputs.crop[:, 2]
    return perspective_translation(
        points, inputs.keypoints, inputs.confidence, inputs.focal, inputs.centre, scale
    )


def place(figure: Figure, state: State, inputs: Inputs) -> Placed:
    """A state where it lies best on the observed keypoints; differentiable."""
    rotations = torch.cat((state.root[:, None], figure.prior.decode_with_trace(state.z)[0]), 1)
    posed = pose_points(figure.body, figure.keypoints, rotations, state.betas, jacobian=False)
    transl = on_keypoints(posed.points, inputs)
    pixels, _ = project(posed.points + transl[:, None], inputs.focal, inputs.centre)
    return Placed(state.z, rotations, state.betas, transl, posed.joints, pixels)


@torch.no_grad()
def look(figure: Figure, state: State, inputs: Inputs) -> Seen:
    """A state's keypoints, and the Gauss-Newton step from it towards the observed keypoints and part pixels.

    With residuals r in shares of the crop, their weights W, their Jacobian J by (z, root, betas, translation) and P the
    deviations of what is believed before,

        step = P^2 J^T (J P^2 J^T + W^-1)^-1 r,

    without the part for translation. The pull of the prior itself is left to who takes the step.
    """
    body_rotations, trace = figure.prior.decode_with_trace(state.z)
    rotations = torch.cat((state.root[:, None], body_rotations), 1)
    posed = pose_points(figure.body, figure.keypoints, rotations, state.betas)
    transl = on_keypoints(posed.points, inputs)
    pixels, of_keypoints = keypoint_rows(posed, transl, inputs)
    both = zip(
        of_keypoints, pixel_rows(figure, rotations, state.betas, transl, inputs), strict=True
    )
    turns, by_betas, by_transl, miss, weight = (torch.cat(pair, 1) for pair in both)
    rows = torch.cat(
        (
            figure.prior.pull_back(trace, turns[:, :, 1:]),
            ROOT_RADIANS * turns[:, :, 0],
            by_betas,
            DEPTH_SHARE * transl[:, 2:, None] * by_transl,
        ),
        -1,
    )
    spread = torch.diag_embed(1 / weight.clamp_min(1e-3))
    step = (rows.mT @ torch.linalg.solve(rows @ rows.mT + spread, miss[..., None]))[..., 0]
    dz, turn, d_betas, _ = step.split((state.z.shape[1], 3, state.betas.shape[1], 3), 1)
    return Seen(pixels, torch.cat((dz, ROOT_RADIANS * turn, d_betas), 1))


Rows = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
"""By local left perturbations of all joints (B, M, 24, 3), by betas (B, M, 10), by translation (B, M, 3); residuals and weights (B, M)."""


def keypoint_rows(posed: PosedPoints, transl: Tensor, inputs: Inputs) -> tuple[Tensor, Rows]:
    """The keypoints (B, 17, 2) px, and two rows for each: weights confidence / sigma^2, by Geman and McClure three sigma wide."""
    assert posed.d_rotation is not None and posed.d_betas is not None
    pixels, d_pixels = project(posed.points + transl[:, None], inputs.focal, inputs.centre)
    side = inputs.crop[:, 2, None, None]
    miss, d_pixels = (inputs.keypoints - pixels) / side, d_pixels / side[..., None]
    weight = (
        inputs.confidence
        / (KEYPOINT_SHARE * (1 + (miss / (3 * KEYPOINT_SHARE)).square().sum(-1))).square()
    )
    turns = torch.einsum("bkpx,bkxaj->bkpaj", d_pixels, posed.d_rotation).flatten(1, 2)
    by_betas = torch.einsum("bkpx,bkxj->bkpj", d_pixels, posed.d_betas).flatten(1, 2)
    return pixels, (
        turns,
        by_betas,
        d_pixels.flatten(1, 2),
        miss.flatten(1),
        weight.repeat_interleave(2, 1),
    )


def pixel_rows(
    figure: Figure, rotations: Tensor, betas: Tensor, transl: Tensor, inputs: Inputs
) -> Rows:
    """A row for each sampled pixel of the part map (of the mask, where there is none), along the line to the nearest facing
    vertex of its part: loss BA with its matches held fixed.

    Vertices are taken for rigid points that hang on their joints by their skinning weights: d p / d w_a = -W_a [p - t_a]_x with
    the names of `bodies.jacobians`; what shape does to them is left to the keypoints.
    """
    skin = figure.skin
    pixels, labels = part_pixels(inputs)
    posed = pose_points(figure.body, skin.points, rotations, betas, jacobian=False)
    space = posed.points + transl[:, None]
    vertices, d_pixels = project(space, inputs.focal, inputs.centre)
    normals = torch.einsum("nj,bjxy,ny->bnx", skin.points.lbs_weights, posed.world, skin.normals)
    match = ((labels[..., None] == skin.labels + 1) | (labels[..., None] == ANY_PART)) & (
        (normals * space).sum(-1) < 0
    )[:, None]
    nearest, chosen = torch.where(match, torch.cdist(pixels, vertices), torch.inf).min(-1)
    known = torch.isfinite(nearest)
    pick = lambda table: table.gather(
        1, chosen.view(*chosen.shape, *[1] * (table.ndim - 2)).expand(-1, -1, *table.shape[2:])
    )  # noqa: E731
    side, metre = inputs.crop[:, 2, None], inputs.focal[:, :1] / transl[:, 2:].clamp_min(0.3)
    left = torch.where(known, nearest - MARGIN_METRES * metre, 0).clamp_min(0)
    weight = known * (left > 0) / (1 + (left / (SCALE_METRES * metre)).square()).square()
    weight = weight * (PIXELS_WORTH / pixels.shape[1] / PIXEL_SHARE**2)
    along = (pixels - pick(vertices)) / nearest.clamp_min(1e-6)[..., None] * known[..., None]
    row = (along[:, :, None] @ pick(d_pixels))[:, :, 0] / side[
        ..., None
    ]  # (B, P, 3): by the vertex
    mass = (skin.points.lbs_weights @ subtree(row.device, row.dtype).T)[chosen]
    arm = pick(posed.points)[:, :, None] - posed.joints[:, None]
    turns = mass[..., None] * torch.linalg.cross(arm, row[:, :, None].expand_as(arm))
    return (
        torch.einsum("bpax,baxy->bpay", turns, parent_world(posed.world)),
        row.new_zeros(*left.shape, betas.shape[1]),
        row,
        left / side,
        weight,
    )
