"""Energy and reweighted rows of a state, as `fitting.evaluate` in numpy; both in one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..problem import Problem
from ..residuals.keypoints import NEAR
from .flow import LeanFlow
from .parts import LeanParts
from .pose import ROTATIONS, WIDTH, Points, compress, pose_points, pose_skeleton, rows_of
from .tables import BodyTable, PointTable, body_table, point_table

HINT_SOFTNESS = 0.3


@dataclass(frozen=True)
class LeanState:
    """As `problem.State`, of numpy arrays."""

    z: np.ndarray
    root: np.ndarray
    betas: np.ndarray
    transl: np.ndarray

    def pick(self, rows: np.ndarray) -> LeanState:
        return LeanState(self.z[rows], self.root[rows], self.betas[rows], self.transl[rows])

    def where(self, choose: np.ndarray, other: LeanState) -> LeanState:
        return LeanState(
            np.where(choose[:, None], self.z, other.z),
            np.where(choose[:, None, None], self.root, other.root),
            np.where(choose[:, None], self.betas, other.betas),
            np.where(choose[:, None], self.transl, other.transl),
        )


@dataclass(frozen=True)
class LeanLinearisation:
    """energy (S,), residual (S, M), by_z (S, M, D), by_global (S, M, 16)."""

    energy: np.ndarray
    residual: np.ndarray
    by_z: np.ndarray
    by_global: np.ndarray

    def where(self, choose: np.ndarray, other: LeanLinearisation) -> LeanLinearisation:
        return LeanLinearisation(
            np.where(choose, self.energy, other.energy),
            np.where(choose[:, None], self.residual, other.residual),
            np.where(choose[:, None, None], self.by_z, other.by_z),
            np.where(choose[:, None, None], self.by_global, other.by_global),
        )

    def pick(self, rows: np.ndarray) -> LeanLinearisation:
        return LeanLinearisation(
            self.energy[rows], self.residual[rows], self.by_z[rows], self.by_global[rows]
        )


@dataclass(frozen=True)
class Hints:
    """index (H,) of hinted points, the hips, depth and weight (S, H), their Laplace scale."""

    index: np.ndarray
    hips: tuple[int, int]
    depth: np.ndarray
    weight: np.ndarray
    scale: float


class LeanProblem:
    """A `Problem` as numpy arrays."""

    def __init__(self, problem: Problem) -> None:
        self.body: BodyTable = body_table(problem.body)
        self.table: PointTable = point_table(problem.body, problem.points)
        self.flow = LeanFlow.of(problem.prior)
        self.weights = problem.weights
        self.keypoints, self.confidence = problem.keypoints.numpy(), problem.confidence.numpy()
        self.focal, self.centre, self.scale = (
            problem.focal.numpy(),
            problem.centre.numpy(),
            problem.scale.numpy(),
        )
        self.seen = np.flatnonzero((self.confidence > 0).any(0))
        self.hints = None
        if (
            problem.hint_index is not None
            and problem.hint_depth is not None
            and problem.hint_weight is not None
        ):
            index, depth, weight = (
                problem.hint_index.numpy(),
                problem.hint_depth.numpy(),
                problem.hint_weight.numpy(),
            )
            self.hints = Hints(index, problem.hip_index, depth, weight, problem.weights.hint_metres)
        self.parts = None if problem.parts is None else LeanParts(problem.body, problem.parts)

    def pick(self, rows: np.ndarray) -> LeanProblem:
        """The same problem for some of the starts."""
        other = LeanProblem.__new__(LeanProblem)
        other.__dict__.update(self.__dict__)
        for name in ("keypoints", "confidence", "focal", "centre", "scale"):
            setattr(other, name, getattr(self, name)[rows])
        if self.hints is not None:
            other.hints = Hints(
                self.hints.index,
                self.hints.hips,
                self.hints.depth[rows],
                self.hints.weight[rows],
                self.hints.scale,
            )
        if self.parts is not None:
            other.parts = self.parts.pick(rows)
        return other


def project(
    points: np.ndarray, focal: np.ndarray, centre: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """As `residuals.keypoints.project`: pixels (S, P, 2) and their slopes (S, P, 2, 3)."""
    depth = np.maximum(points[..., 2:], NEAR)
    scaled = points[..., :2] / depth
    slope = focal[:, None] / depth
    rows = np.zeros((*points.shape[:2], 2, 3), points.dtype)
    rows[..., 0, 0], rows[..., 1, 1] = slope[..., 0], slope[..., 1]
    rows[..., 2] = -slope * scaled * (points[..., 2:] > NEAR)
    return scaled * focal[:, None] + centre[:, None], rows


def robust(
    distance: np.ndarray, scale: np.ndarray | float, softness: float
) -> tuple[np.ndarray, np.ndarray]:
    """As `residuals.keypoints.robust_distance`."""
    root = np.sqrt(distance * distance + (softness * scale) ** 2)
    return root / scale, 1 / (scale * root)


def linearise(problem: LeanProblem, state: LeanState) -> LeanLinearisation:
    """Energy and weighted rows; more rows than unknowns are compressed."""
    joints, trace = problem.flow.decode(state.z)
    rotations = np.concatenate((state.root[:, None], joints), 1)
    skeleton = pose_skeleton(problem.body, rotations, state.betas)
    posed = pose_points(problem.table, skeleton)
    weights = problem.weights
    energy = 0.5 * weights.latent * (state.z**2).sum(-1) + 0.5 * weights.betas * (
        state.betas**2
    ).sum(-1)
    rows, residual, value = _keypoint_rows(problem, posed, state.transl)
    energy = energy + value
    if problem.parts is not None:
        more_rows, more_residual, value = problem.parts.rows(problem, skeleton, state.transl)
        rows, residual, energy = (
            np.concatenate((rows, more_rows), 1),
            np.concatenate((residual, more_residual), 1),
            energy + value,
        )
    if rows.shape[1] > WIDTH + 1:
        rows, residual = compress(rows, residual)
    by_z = problem.flow.pull_back(trace, rotations, skeleton.world, rows[..., :ROTATIONS])
    by_global = np.concatenate((rows[..., :3], rows[..., ROTATIONS:]), -1)
    return LeanLinearisation(energy, residual, by_z, by_global)


def _keypoint_rows(
    problem: LeanProblem, posed: Points, transl: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    points = posed.points + transl[:, None]
    pixels, slopes = project(points, problem.focal, problem.centre)
    seen = problem.seen
    confidence = problem.confidence[:, seen]
    apart = np.where((confidence > 0)[..., None], (pixels - problem.keypoints)[:, seen], 0).astype(
        points.dtype
    )
    softness = problem.weights.softness
    rho, weight = robust(np.sqrt((apart * apart).sum(-1)), problem.scale, softness)
    energy = (confidence * (rho - softness)).sum(-1)
    root = np.sqrt(confidence * weight)[..., None]
    residual = (apart * root).reshape(len(points), -1)
    slope = (slopes[:, seen] * root[..., None]).reshape(len(points), -1, 3)
    which = np.repeat(seen, 2)
    hints = problem.hints
    if hints is None:
        return rows_of(problem.body, posed, which, slope), residual, energy
    ends = np.concatenate((hints.index, hints.hips))
    depth = points[:, ends, 2]
    left = depth[:, :-2] - 0.5 * (depth[:, -2:].sum(1, keepdims=True)) - hints.depth
    rho, weight = robust(np.abs(left), hints.scale, HINT_SOFTNESS)
    weight = np.sqrt(hints.weight * weight)
    energy = energy + (hints.weight * (rho - HINT_SOFTNESS)).sum(-1)
    forward = np.zeros((len(points), len(ends), 3), points.dtype)
    forward[..., 2] = 1
    rows = rows_of(
        problem.body, posed, np.concatenate((which, ends)), np.concatenate((slope, forward), 1)
    )
    count = len(which)
    depth_rows = rows[:, count:-2] - 0.5 * rows[:, -2:].sum(1, keepdims=True)
    rows = np.concatenate((rows[:, :count], depth_rows * weight[..., None]), 1)
    return rows, np.concatenate((residual, left * weight), 1).astype(rows.dtype), energy
