"""Solver states -> FitResult."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..bodies.arrays import BodyArrays
from ..bodies.tables import body_table, keypoint_table, skin_table
from ..core.arrays import numpy_backend, to_numpy
from ..core.arrays import numpy_namespace as xp
from ..core.body import NUM_BETAS, pose_skeleton, skin
from ..core.points import pose_points
from ..core.posterior import State
from ..core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ..core.solver import Solution
from ..records import Camera, FitResult, Hypothesis, Observation
from .hypotheses import distinct
from .overlap import overlaps
from .people import Means, People

LARGEST_BETA = 8.0  # sigmas: beyond it a shape is no body's

_HOST = numpy_backend()


@dataclass(frozen=True)
class _Person:
    """Whose result it is."""

    observation: Observation
    camera: Camera
    means: Means


def failed_result(
    person: Observation, camera: Camera, means: Means, status: str, message: str
) -> FitResult:
    """The mean pose, marked as no fit; finite numbers, so that nothing downstream trips over it."""
    z = np.zeros((1, means.prior.dim), np.float32)
    pose, _ = means.prior.decoder(_HOST).decode(xp, z)
    shape = np.zeros(NUM_BETAS, np.float32)
    root, transl = np.array([np.pi, 0, 0], np.float32), np.array([0, 0, 3], np.float32)
    axis_angle = np.asarray(matrix_to_axis_angle(xp, pose[0]), np.float32)
    vertices, joints = _mesh(means.body, root, axis_angle, shape, transl)
    return FitResult(
        global_orient=root,
        body_pose=axis_angle,
        betas=shape,
        transl=transl,
        z=z[0],
        camera=camera,
        vertices=vertices,
        joints=joints,
        keypoint_error_px=float("nan"),
        part_iou=None,
        log_prob=float("nan"),
        status=status,
        timings={},
        hypotheses=(),
        faces=means.body.faces.astype(np.int32),
        keypoint_errors_px=np.full(len(person.keypoints), np.nan, np.float32),
        prior=means.prior.id,
        message=message,
        image_path=person.image_path,
        photo=person.photo,
    )


def _mesh(
    body: BodyArrays, root: np.ndarray, pose: np.ndarray, betas: np.ndarray, transl: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) and joints (24, 3) of one person's axis-angle parameters."""
    rotations = axis_angle_to_matrix(xp, np.concatenate((root[None], pose))[None])
    skeleton = pose_skeleton(xp, body_table(body, _HOST), rotations, betas[None])
    vertices = skin(xp, skin_table(body, _HOST), skeleton)
    return vertices[0] + transl, skeleton.place[0] + transl


def keypoint_errors(projected: np.ndarray, person: Observation) -> tuple[np.ndarray, float]:
    """Distance by keypoint (K,), NaN where unused, and their confidence-weighted mean."""
    usable = person.usable
    errors = np.full(len(usable), np.nan, np.float32)
    errors[usable] = np.linalg.norm(projected[usable] - person.keypoints[usable], axis=-1)
    weight = np.clip(person.confidence, 0, 1)[usable]
    return errors, float((errors[usable] * weight).sum() / max(weight.sum(), 1e-9))


def results_of(people: People, solution: Solution, owner: Any) -> list[FitResult]:
    """A result for everybody, from the distinct solutions, best first."""
    means, host_owner, energy = people.means, to_numpy(owner), to_numpy(solution.energy)
    state = solution.state.mapped(to_numpy)
    pose, _ = means.prior.decoder(_HOST).decode(xp, state.z)
    rotations = np.concatenate((state.root[:, None], pose), 1)
    skeleton = pose_skeleton(xp, body_table(means.body, _HOST), rotations, state.betas)
    table = keypoint_table(means.body, people.observations[0].keypoint_set, _HOST)
    offset = state.transl[:, None]
    solved = _Solved(
        state=state,
        axis_angle=matrix_to_axis_angle(xp, rotations),
        pose=pose,
        joints=skeleton.place + offset,
        keypoints=pose_points(xp, table, skeleton).places + offset,
        energy=energy,
        converged=to_numpy(solution.converged),
    )
    groups = distinct(solved.joints, energy, host_owner)
    return [
        _result(_Person(person, camera, means), solved, rows)
        for person, camera, rows in zip(people.observations, people.cameras, groups, strict=True)
    ]


@dataclass(frozen=True)
class _Solved:
    """Solutions of everybody, posed: axis_angle (S, 24, 3), pose (S, 23, 3, 3), joints (S, 24, 3)
    and keypoints (S, K, 3) m in the camera's frame."""

    state: State
    axis_angle: np.ndarray
    pose: np.ndarray
    joints: np.ndarray
    keypoints: np.ndarray
    energy: np.ndarray
    converged: np.ndarray


def _result(person: _Person, solved: _Solved, rows: Sequence[int]) -> FitResult:
    observation, camera, means = person.observation, person.camera, person.means
    if not np.isfinite(solved.energy[rows[0]]):
        message = "No start reached a finite energy; check the keypoints and the camera."
        return failed_result(observation, camera, means, "failed", message)
    hypotheses = _hypotheses(person, solved, rows)
    best = hypotheses[0]
    # the mesh is posed from the numbers that are handed out, so that they and the mesh agree
    vertices, joints = _mesh(
        means.body, best.global_orient, best.body_pose, best.betas, best.transl
    )
    projected = camera.project(solved.keypoints[rows[0]].astype(np.float64))
    errors, error = keypoint_errors(projected, observation)
    part_iou, mask_iou = overlaps(means.body, vertices, camera, observation)
    status, message = _status(bool(solved.converged[rows[0]]), error, best.betas)
    return FitResult(
        global_orient=best.global_orient,
        body_pose=best.body_pose,
        betas=best.betas,
        transl=best.transl,
        z=best.z,
        camera=camera,
        vertices=vertices,
        joints=joints,
        keypoint_error_px=error,
        part_iou=part_iou,
        log_prob=best.log_prob,
        status=status,
        timings={},
        hypotheses=hypotheses,
        faces=means.body.faces.astype(np.int32),
        keypoint_errors_px=errors,
        mask_iou=mask_iou,
        prior=means.prior.id,
        message=message,
        image_path=observation.image_path,
        photo=observation.photo,
    )


def _hypotheses(person: _Person, solved: _Solved, rows: Sequence[int]) -> tuple[Hypothesis, ...]:
    state, log_prob = solved.state, person.means.prior.log_prob(solved.pose[list(rows)])
    result = []
    for number, row in enumerate(rows):
        projected = person.camera.project(solved.keypoints[row].astype(np.float64))
        result.append(
            Hypothesis(
                global_orient=solved.axis_angle[row, 0],
                body_pose=solved.axis_angle[row, 1:],
                betas=state.betas[row],
                transl=state.transl[row],
                z=state.z[row],
                joints=solved.joints[row],
                energy=float(solved.energy[row]),
                keypoint_error_px=keypoint_errors(projected, person.observation)[1],
                log_prob=float(log_prob[number]),
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
