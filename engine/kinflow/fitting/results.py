"""Solver states -> FitResult."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..bodies.tables import body_table, keypoint_table, skin_table
from ..core.arrays import mapped, numpy_backend, to_numpy
from ..core.arrays import numpy_namespace as xp
from ..core.body import NUM_BETAS, pose_skeleton, skin
from ..core.points import pose_points
from ..core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ..core.solver import Solution
from ..priors.arrays import PosePrior, PriorArrays
from ..records import Camera, FitResult, Hypothesis, Observation
from .hypotheses import distinct
from .overlap import overlaps
from .people import Means, People
from .views import View

LARGEST_BETA = 8.0  # sigmas: beyond it a shape is no body's

_HOST = numpy_backend()


@dataclass(frozen=True)
class _Person:
    """Whose result it is."""

    observation: Observation
    camera: Camera
    means: Means
    view: View = field(default_factory=View)


def failed_result(
    person: Observation, camera: Camera, means: Means, status: str, message: str
) -> FitResult:
    """The mean pose, marked as no fit; finite numbers, so that nothing downstream trips over it."""
    z = np.zeros((1, means.prior.dim), np.float32)
    pose, _ = means.prior.decoder(_HOST).decode(xp, z)
    root, transl = np.array([np.pi, 0, 0], np.float32), np.array([0, 0, 3], np.float32)
    axis_angle = np.asarray(matrix_to_axis_angle(xp, pose[0]), np.float32)
    shape, nowhere, nan = np.zeros(NUM_BETAS, np.float32), np.zeros((24, 3)), float("nan")
    mean = Hypothesis(root, axis_angle, shape, transl, z[0], nowhere, nan, nan, nan)
    return _record(_Person(person, camera, means), mean, status, message)


def _record(person: _Person, best: Hypothesis, status: str, message: str) -> FitResult:
    """The numbers that are handed out, and the mesh that is posed from them, so that they agree."""
    body, observation = person.means.body, person.observation
    rotations = axis_angle_to_matrix(xp, np.concatenate((best.global_orient[None], best.body_pose)))
    skeleton = pose_skeleton(xp, body_table(body, _HOST), rotations[None], best.betas[None])
    return FitResult(
        best.global_orient,
        best.body_pose,
        best.betas,
        best.transl,
        best.z,
        person.camera,
        vertices=skin(xp, skin_table(body, _HOST), skeleton)[0] + best.transl,
        joints=skeleton.place[0] + best.transl,
        keypoint_error_px=best.keypoint_error_px,
        part_iou=None,
        log_prob=best.log_prob,
        status=status,
        timings={},
        hypotheses=(),
        faces=body.faces.astype(np.int32),
        keypoint_errors_px=np.full(len(observation.keypoints), np.nan, np.float32),
        prior=person.means.prior.id,
        message=message,
        image_path=observation.image_path,
        photo=observation.photo,
        **vars(person.view),
    )


def keypoint_errors(projected: np.ndarray, person: Observation) -> tuple[np.ndarray, float]:
    """Distance by keypoint (K,), NaN where unused, and their confidence-weighted mean."""
    usable = person.usable
    errors = np.full(len(usable), np.nan, np.float32)
    errors[usable] = np.linalg.norm(projected[usable] - person.keypoints[usable], axis=-1)
    weight = np.clip(person.confidence, 0, 1)[usable]
    return errors, float((errors[usable] * weight).sum() / max(weight.sum(), 1e-9))


def results_of(
    people: People, solution: Solution, owner: Any, views: Sequence[View] | None = None
) -> list[FitResult]:
    """A result for everybody, from the distinct solutions, best first.

    views: of everybody's photo; without, a level camera is assumed.
    """
    means, solution = people.means, mapped(to_numpy, solution)
    state = solution.state
    pose, _ = means.prior.decoder(_HOST).decode(xp, state.z)
    rotations = np.concatenate((state.root[:, None], pose), 1)
    skeleton = pose_skeleton(xp, body_table(means.body, _HOST), rotations, state.betas)
    table = keypoint_table(means.body, people.observations[0].keypoint_set, _HOST)
    offset = state.transl[:, None]
    keypoints = pose_points(xp, table, skeleton).places + offset
    axis_angle, joints = matrix_to_axis_angle(xp, rotations), skeleton.place + offset
    groups = distinct(joints, solution.energy, to_numpy(owner))
    told = _of_prior(means.prior, pose, np.isfinite(solution.energy), [g[0] for g in groups])
    solved = _Solved(solution, axis_angle, pose, joints, keypoints, *told)
    views = views or [View()] * len(people)
    everybody = zip(people.observations, people.cameras, views, groups, strict=True)
    return [
        _result(_Person(p, lens, means, view), solved, rows) for p, lens, view, rows in everybody
    ]


@dataclass(frozen=True)
class _Solved:
    """Solutions of everybody, posed: axis_angle (S, 24, 3), pose (S, 23, 3, 3), joints (S, 24, 3)
    and keypoints (S, K, 3) m in the camera's frame; log_prob (S,), and unusual (S,) of the best."""

    solution: Solution
    axis_angle: np.ndarray
    pose: np.ndarray
    joints: np.ndarray
    keypoints: np.ndarray
    log_prob: np.ndarray
    unusual: np.ndarray | None


def _result(person: _Person, solved: _Solved, rows: Sequence[int]) -> FitResult:
    observation, camera, means = person.observation, person.camera, person.means
    if not np.isfinite(solved.solution.energy[rows[0]]):
        message = "No start reached a finite energy; check the keypoints and the camera."
        return failed_result(observation, camera, means, "failed", message)
    hypotheses = _hypotheses(person, solved, rows)
    best, converged = hypotheses[0], bool(solved.solution.converged[rows[0]])
    result = _record(person, best, *_status(converged, best.keypoint_error_px, best.betas))
    errors, _ = keypoint_errors(_projected(person, solved, rows[0]), observation)
    part_iou, mask_iou = overlaps(means.body, result.vertices, camera, observation)
    result = replace(result, hypotheses=hypotheses, keypoint_errors_px=errors)
    unusual = None if solved.unusual is None else float(solved.unusual[rows[0]])
    return replace(result, part_iou=part_iou, mask_iou=mask_iou, unusual=unusual)


def _of_prior(
    prior: PosePrior, pose: np.ndarray, known: np.ndarray, best: Sequence[int]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Of poses (S, 23, 3, 3), where `known` (S,): the log-probability, and for the best ones the
    percentile among captured poses; a benchmark's rival has none. All at once: one by one they
    take as long as the fit."""
    log_prob, unusual = (np.full(len(pose), np.nan) for _ in range(2))
    log_prob[known] = prior.log_prob(pose[known])
    if not isinstance(prior, PriorArrays):
        return log_prob, None
    rows = [row for row in best if known[row]]
    unusual[rows] = prior.unusual(pose[rows]).body
    return log_prob, unusual


def _projected(person: _Person, solved: _Solved, row: int) -> np.ndarray:
    return person.camera.project(solved.keypoints[row].astype(np.float64))


def _hypotheses(person: _Person, solved: _Solved, rows: Sequence[int]) -> tuple[Hypothesis, ...]:
    state, energy = solved.solution.state, solved.solution.energy
    result = []
    for row in rows:
        projected = _projected(person, solved, row)
        result.append(
            Hypothesis(
                global_orient=solved.axis_angle[row, 0],
                body_pose=solved.axis_angle[row, 1:],
                betas=state.betas[row],
                transl=state.transl[row],
                z=state.z[row],
                joints=solved.joints[row],
                energy=float(energy[row]),
                keypoint_error_px=keypoint_errors(projected, person.observation)[1],
                log_prob=float(solved.log_prob[row]),
            )
        )
    return tuple(result)


def _status(converged: bool, error: float, betas: np.ndarray) -> tuple[str, str]:
    """What may be said of a solution, and why where it is no fit."""
    if not np.isfinite(error):
        return "failed", "The body ended up behind the camera; check the keypoints and the camera."
    largest = float(np.abs(betas).max())
    if largest > LARGEST_BETA:
        return "failed", (
            f"Only a shape that nobody has ({largest:.0f} deviations from the mean) follows these "
            "keypoints; check them and the camera."
        )
    return ("converged" if converged else "max_iterations"), ""
