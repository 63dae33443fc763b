"""The usual way of fitting, to be timed beside: SMPLify-X's default stages, written from its description.

VPoser latent, L-BFGS with strong Wolfe line search, Geman-McClure on squared pixels, `smplx`'s forward pass in every
evaluation, a camera stage for translation and global rotation, then four stages of falling prior weights.
(Pavlakos et al., CVPR 2019; weights as in its default configuration for SMPL.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kinflow import Observation, load_body
from kinflow.bodies.keypoints import keypoint_regressor
from kinflow.rotations import axis_angle_to_matrix, matrix_to_axis_angle

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

    def __init__(self, vposer) -> None:
        self.body = load_body()
        self.vposer = vposer
        self.model = smplx_model(self.body, batch=1)
        self.regressor = keypoint_regressor(self.body, "coco17")
        self.names = list(self.regressor.names)

    def fit(self, person: Observation, starts: int = 1) -> UsualResult:
        """From `starts` rotations about the vertical; the lowest final loss wins."""
        results = [self._fit_once(person, 2 * math.pi * k / starts) for k in range(starts)]
        best = min(results, key=lambda r: r.loss)
        return UsualResult(best.joints, best.loss, sum(r.evaluations for r in results))

    def _fit_once(self, person: Observation, yaw: float) -> UsualResult:
        camera = person.camera
        focal = torch.tensor([camera.fx, camera.fy], dtype=torch.float32)
        centre = torch.tensor([camera.cx, camera.cy], dtype=torch.float32)
        keypoints = torch.from_numpy(
            np.where(person.usable[:, None], person.keypoints, 0).astype(np.float32)
        )
        confidence = torch.from_numpy(
            np.where(person.usable, person.confidence, 0).astype(np.float32)
        )
        half = axis_angle_to_matrix(torch.tensor([[math.pi, 0.0, 0.0]]))
        turn = axis_angle_to_matrix(torch.tensor([[0.0, yaw, 0.0]]))
        orient = matrix_to_axis_angle(half @ turn).requires_grad_(True)
        z = torch.zeros(1, self.vposer.dim, requires_grad=True)
        betas = torch.zeros(1, 10, requires_grad=True)
        transl = torch.tensor(
            [[0.0, 0.0, self._first_depth(keypoints, confidence, float(focal.mean()))]],
            requires_grad=True,
        )
        self.evaluations = 0

        def forward() -> tuple[Tensor, Tensor]:
            self.evaluations += 1
            pose = matrix_to_axis_angle(self.vposer.decode(z)).flatten(1)
            out = self.model(betas=betas, body_pose=pose, global_orient=orient, transl=transl)
            joints = out.joints[:, :24]
            points = self.regressor(joints, out.vertices)[0]
            return joints, points[:, :2] / points[:, 2:].clamp_min(0.1) * focal + centre

        torso = torch.tensor([self.names.index(n) for n in TORSO])
        depth = float(transl.detach()[0, 2])

        def camera_loss() -> Tensor:
            _, pixels = forward()
            apart = ((pixels - keypoints)[torso] ** 2).sum(-1) * (confidence[torso] > 0)
            return apart.sum() + 1e2**2 * (transl[0, 2] - depth) ** 2

        self._minimise([transl, orient], camera_loss)
        weight = 1000.0 / camera.height
        loss = float("inf")
        for pose_weight, shape_weight in zip(POSE_WEIGHTS, SHAPE_WEIGHTS, strict=True):

            def stage_loss(
                pose_weight: float = pose_weight, shape_weight: float = shape_weight
            ) -> Tensor:
                _, pixels = forward()
                squared = (pixels - keypoints) ** 2
                robust = RHO**2 * squared / (squared + RHO**2)
                data = weight**2 * ((confidence**2)[:, None] * robust).sum()
                return data + pose_weight**2 * (z**2).sum() + shape_weight**2 * (betas**2).sum()

            loss = self._minimise([z, orient, betas, transl], stage_loss)
        with torch.no_grad():
            joints, _ = forward()
        return UsualResult(joints[0].numpy(), loss, self.evaluations)

    @staticmethod
    def _first_depth(keypoints: Tensor, confidence: Tensor, focal: float) -> float:
        seen = keypoints[confidence > 0]
        return focal * 1.5 / max(float((seen.amax(0) - seen.amin(0)).max()), 1.0)

    @staticmethod
    def _minimise(parameters: list[Tensor], loss_of) -> float:
        optimiser = torch.optim.LBFGS(
            parameters, lr=1.0, max_iter=MAX_ITERATIONS, line_search_fn="strong_wolfe"
        )

        def closure() -> Tensor:
            optimiser.zero_grad()
            value = loss_of()
            value.backward()
            return value

        last = None
        for _ in range(MAX_ITERATIONS):
            value = float(optimiser.step(closure).detach())
            if not math.isfinite(value) or (
                last is not None and abs(last - value) / max(abs(last), abs(value), 1.0) <= FTOL
            ):
                break
            last = value
        return value
