"""Warm start after a moved keypoint: a few steps from the last solution, fast enough to follow the mouse."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import torch

from ..bodies.keypoints import keypoint_points, keypoint_regressor
from ..bodies.model import Body
from ..errors import InvalidInputError
from ..priors.prior import Prior
from ..records import FitResult, Observation
from ..rotations import axis_angle_to_matrix
from .backend import levenberg_marquardt
from .fit import MIN_KEYPOINTS, FitConfig
from .problem import Problem, State
from .results import build_result, failed_result
from .solver import SolverConfig

REFIT_ITERATIONS = 12


def refit(
    observation: Observation,
    last: FitResult,
    *,
    body: Body,
    prior: Prior,
    device: torch.device,
    config: FitConfig,
) -> FitResult:
    """Fits keypoints again from `last`; its camera, shape and latent are the start. Raises InvalidInputError."""
    started = time.perf_counter()
    body, prior = body.to(device), prior.to(device)
    camera = observation.camera or last.camera
    if int(observation.usable.sum()) < MIN_KEYPOINTS:
        return failed_result(
            body,
            prior,
            camera,
            observation,
            "too_few_keypoints",
            f"At least {MIN_KEYPOINTS} keypoints are needed.",
        )
    if len(last.z) != prior.dim:
        raise InvalidInputError(
            f"The last fit has {len(last.z)} latent numbers and the prior {prior.dim}.",
            "Fit once with this prior.",
        )
    regressor = keypoint_regressor(body, observation.keypoint_set)

    def tensor(array: np.ndarray | list[float]) -> torch.Tensor:
        return torch.from_numpy(np.array(array, np.float32)).to(device)[None]

    usable = observation.usable
    focal = tensor([camera.fx, camera.fy])
    depth = max(float(last.transl[2]), 0.3)
    scale = focal.mean(-1, keepdim=True) * config.weights.keypoint_metres / depth
    points = keypoint_points(body, observation.keypoint_set)
    names = regressor.names
    problem = Problem(
        body,
        prior,
        points,
        config.weights,
        tensor(np.where(usable[:, None], observation.keypoints, 0)),
        tensor(np.where(usable, np.clip(observation.confidence, 0, 1), 0)),
        focal,
        tensor([camera.cx, camera.cy]),
        scale,
        (names.index("left_hip"), names.index("right_hip")),
    )
    state = State(
        tensor(last.z),
        axis_angle_to_matrix(tensor(last.global_orient)),
        tensor(last.betas),
        tensor(last.transl),
    )
    solution = levenberg_marquardt(
        problem, state, SolverConfig(REFIT_ITERATIONS, tolerance=0.05, first_damping=0.1)
    )
    bare = replace(observation, mask=None, parts=None)
    result = build_result(problem, solution, [0], bare, camera, regressor, 0)
    return replace(result, timings={"refit_s": time.perf_counter() - started})
