"""The usual way of fitting, to be timed beside: SMPLify-X's stages, written from its description.

VPoser latent, L-BFGS with strong Wolfe line search, Geman-McClure on squared pixels, `smplx`'s
forward pass in every evaluation, a camera stage for translation and global rotation, then four
stages of falling prior weights. (Pavlakos et al., CVPR 2019; weights as in its default
configuration for SMPL.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import array_api_compat.torch as xp
import numpy as np
import torch
from torch import Tensor

from kinflow import Observation, load_body
from kinflow.bodies.keypoints import keypoint_regressor
from kinflow.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle

from .baselines.vposer import VPoserPrior
from .bench_body import smplx_model

RHO = 100.0
POSE_WEIGHTS, SHAPE_WEIGHTS = (404.0, 404.0, 57.4, 4.78), (100.0, 50.0, 10.0, 5.0)
MAX_ITERATIONS, FTOL = 30, 2e-9
TORSO = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")


@dataclass(frozen=True)
class UsualResult:
    """joints (24, 3) m in the camera's frame, final loss, evaluations of the body."""

    joints: np.ndarray
    loss: float
    evaluations: int


class UsualFitter:
    """One body and one latent prior, for one photo at a time."""

    def __init__(self, vposer: VPoserPrior) -> None:
        self.body = load_body()
        self.vposer = vposer.decoder(self.body.backend)
        self.model = smplx_model(self.body, batch=1)
        self.regressor = keypoint_regressor(self.body, "coco17")
        self.torso = [list(self.regressor.names).index(name) for name in TORSO]

    def fit(self, person: Observation, starts: int = 1) -> UsualResult:
        """From `starts` rotations about the vertical; the lowest final loss wins."""
        results = [_Fit(self, person, 2 * math.pi * k / starts).run() for k in range(starts)]
        best = min(results, key=lambda r: r.loss)
        return UsualResult(best.joints, best.loss, sum(r.evaluations for r in results))


class _Fit:
    """One photo from one rotation about the vertical: its unknowns, losses and stages."""

    def __init__(self, fitter: UsualFitter, person: Observation, yaw: float) -> None:
        self.fitter, self.evaluations = fitter, 0
        camera, usable = person.camera, person.usable
        self.focal = torch.tensor([camera.fx, camera.fy], dtype=torch.float32)
        self.centre = torch.tensor([camera.cx, camera.cy], dtype=torch.float32)
        self.scale = 1000.0 / camera.height
        keypoints = np.where(usable[:, None], person.keypoints, 0).astype(np.float32)
        confidence = np.where(usable, person.confidence, 0).astype(np.float32)
        self.keypoints, self.confidence = map(torch.from_numpy, (keypoints, confidence))
        turns = torch.tensor([[math.pi, 0.0, 0.0], [0.0, yaw, 0.0]])
        half, turn = axis_angle_to_matrix(xp, turns)
        self.orient = matrix_to_axis_angle(xp, half @ turn)[None].requires_grad_(True)
        self.z = torch.zeros(1, fitter.vposer.dim, requires_grad=True)
        self.betas = torch.zeros(1, 10, requires_grad=True)
        self.first_depth = self._first_depth()
        self.transl = torch.tensor([[0.0, 0.0, self.first_depth]], requires_grad=True)

    def run(self) -> UsualResult:
        """The camera stage, then the others."""
        _minimise([self.transl, self.orient], self._camera_loss)
        loss = float("inf")
        unknowns = [self.z, self.orient, self.betas, self.transl]
        for weights in zip(POSE_WEIGHTS, SHAPE_WEIGHTS, strict=True):
            loss = _minimise(unknowns, partial(self._stage_loss, *weights))
        with torch.no_grad():
            joints, _ = self._forward()
        return UsualResult(joints[0].numpy(), loss, self.evaluations)

    def _forward(self) -> tuple[Tensor, Tensor]:
        """Joints (1, 24, 3) m and keypoints (17, 2) px."""
        self.evaluations += 1
        pose = matrix_to_axis_angle(xp, self.fitter.vposer.decode(xp, self.z)[0]).flatten(1)
        out = self.fitter.model(
            betas=self.betas, body_pose=pose, global_orient=self.orient, transl=self.transl
        )
        joints = out.joints[:, :24]
        points = self.fitter.regressor(joints, out.vertices)[0]
        return joints, points[:, :2] / points[:, 2:].clamp_min(0.1) * self.focal + self.centre

    def _camera_loss(self) -> Tensor:
        _, pixels = self._forward()
        torso = self.fitter.torso
        apart = ((pixels - self.keypoints)[torso] ** 2).sum(-1) * (self.confidence[torso] > 0)
        return apart.sum() + 1e2**2 * (self.transl[0, 2] - self.first_depth) ** 2

    def _stage_loss(self, pose_weight: float, shape_weight: float) -> Tensor:
        _, pixels = self._forward()
        squared = (pixels - self.keypoints) ** 2
        robust = RHO**2 * squared / (squared + RHO**2)
        data = self.scale**2 * ((self.confidence**2)[:, None] * robust).sum()
        prior = pose_weight**2 * (self.z**2).sum() + shape_weight**2 * (self.betas**2).sum()
        return data + prior

    def _first_depth(self) -> float:
        """m, as if the visible keypoints spanned 1.5 m."""
        visible = self.keypoints[self.confidence > 0]
        span = float((visible.amax(0) - visible.amin(0)).max())
        return float(self.focal.mean()) * 1.5 / max(span, 1.0)


def _minimise(parameters: list[Tensor], loss_of: Callable[[], Tensor]) -> float:
    """L-BFGS until the loss stands still. -> the loss."""
    optimiser = torch.optim.LBFGS(
        parameters, lr=1.0, max_iter=MAX_ITERATIONS, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = loss_of()
        value.backward()
        return value

    last, value = None, float("inf")
    for _ in range(MAX_ITERATIONS):
        value = float(optimiser.step(closure).detach())
        still = last is not None and abs(last - value) <= FTOL * max(abs(last), abs(value), 1.0)
        if not math.isfinite(value) or still:
            break
        last = value
    return value
