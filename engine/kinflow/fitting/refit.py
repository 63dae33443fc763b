"""Warm start after a moved keypoint: a few steps from the last solution, fast enough to drag."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..bodies.arrays import AnyBody
from ..core.posterior import ONE_PERSON, ROOT, TRANSL
from ..core.solver import SolverConfig
from ..priors.arrays import PosePrior, prior_of
from ..records import FitResult, Observation
from .backend import backend_for, minimise
from .config import MIN_KEYPOINTS, FitConfig
from .people import Means, gather
from .results import failed_result, results_of
from .starts import code_of, state_of
from .views import View, before_camera

if TYPE_CHECKING:
    from ..priors.prior import Prior

REFIT_ITERATIONS = 12


def refit(
    observation: Observation,
    last: FitResult,
    *,
    body: AnyBody,
    prior: Prior | PosePrior,
    device: str = "cpu",
    config: FitConfig | None = None,
    keep_shape: bool = True,
) -> FitResult:
    """Fits keypoints again from `last`: pose and place are the start, camera and floor stay.

    keep_shape: so does the shape, or dragging a wrist would change somebody's size. A latent code
    of another prior is encoded again from the pose.
    """
    began = time.perf_counter()
    config = replace(config or FitConfig(), hints=False)
    means = Means(body.arrays, prior_of(prior), backend_for(device), config)
    camera = observation.camera or last.camera
    if int(observation.usable.sum()) < MIN_KEYPOINTS:
        message = f"At least {MIN_KEYPOINTS} keypoints are needed."
        return failed_result(observation, camera, means, "too_few_keypoints", message)
    bare = replace(observation, mask=None, parts=None)
    people = gather([bare], [camera], means)
    scale = config.weights.keypoint_metres * people.focal() / max(float(last.transl[2]), 0.3)
    people = people.scaled(scale[:, None])
    state = state_of([last], code_of(last, means)[None], means)
    people, state = before_camera(people, state, View.of(last))
    unknowns = (ROOT, TRANSL) if keep_shape else ONE_PERSON
    people = replace(people, problem=replace(people.problem, unknowns=unknowns))
    steps = SolverConfig(REFIT_ITERATIONS, tolerance=0.05, first_damping=0.1)
    solution = minimise(people.problem, state, steps, None)
    owner = means.backend.asarray(np.zeros(1, np.int64))
    result = results_of(people, solution, owner, [View.of(last)])[0]
    return replace(result, timings={"refit_s": time.perf_counter() - began})
