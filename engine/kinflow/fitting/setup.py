"""Observations -> the tensors that a solver works on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..bodies.keypoints import keypoint_points, keypoint_regressor
from ..bodies.model import Body
from ..priors.prior import Prior
from ..records import Camera, Observation
from .problem import Problem, Weights


def base_problem(
    people: Sequence[Observation],
    cameras: Sequence[Camera],
    body: Body,
    prior: Prior,
    weights: Weights,
    hints: bool,
) -> Problem:
    """People of one keypoint set, one row each, without part fields; the keypoints' scale is left at 1 px."""
    keypoints, confidence, focal, centre = _tensors(people, cameras, body)
    names = keypoint_regressor(body, people[0].keypoint_set).names
    hips = (names.index("left_hip"), names.index("right_hip"))
    points = keypoint_points(body, people[0].keypoint_set)
    scale = torch.ones(len(people), 1).to(keypoints)
    if not hints or not any(p.world_landmarks is not None for p in people):
        return Problem(
            body, prior, points, weights, keypoints, confidence, focal, centre, scale, hips
        )
    return Problem(
        body,
        prior,
        points,
        weights,
        keypoints,
        confidence,
        focal,
        centre,
        scale,
        hips,
        *_hints(people, names, confidence),
    )


def assumed_camera(person: Observation) -> Camera:
    """A normal lens on a photo of the size that the observation tells."""
    for plane in (person.mask, person.parts):
        if plane is not None:
            return Camera.guess(plane.shape[1], plane.shape[0])
    points = person.keypoints[person.usable]
    if not len(points):
        return Camera.guess(1000, 1000)
    width, height = np.maximum(1, np.ceil(points.max(0) * 1.1)).astype(int)
    return Camera.guess(int(width), int(height))


def _tensors(
    people: Sequence[Observation], cameras: Sequence[Camera], body: Body
) -> tuple[Tensor, ...]:
    def stack(rows: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(rows).astype(np.float32)).to(body.device)

    confidence = stack([np.where(p.usable, np.clip(p.confidence, 0, 1), 0) for p in people])
    keypoints = stack([np.where(p.usable[:, None], p.keypoints, 0) for p in people])
    focal = stack([np.array([c.fx, c.fy]) for c in cameras])
    centre = stack([np.array([c.cx, c.cy]) for c in cameras])
    return keypoints, confidence, focal, centre


HINT_NAMES = tuple(
    f"{s}_{j}" for s in ("left", "right") for j in ("shoulder", "elbow", "wrist", "knee", "ankle")
)


def _hints(
    people: Sequence[Observation], names: tuple[str, ...], confidence: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Depths behind the hips' centre that a detector guesses, for the limbs. -> index (H,), depth, weight (N, H)."""
    index = torch.tensor([names.index(n) for n in HINT_NAMES], device=confidence.device)
    hips = [names.index("left_hip"), names.index("right_hip")]
    depth = torch.zeros(len(people), len(index), device=confidence.device)
    weight = torch.zeros_like(depth)
    for row, person in enumerate(people):
        if person.world_landmarks is not None and np.isfinite(person.world_landmarks).all():
            marks = torch.from_numpy(np.array(person.world_landmarks)).to(depth)
            depth[row] = marks[index, 2] - marks[hips, 2].mean()
            weight[row] = confidence[row, index]
    return index, depth, weight
