"""Solver states -> FitResult."""

from __future__ import annotations

import numpy as np
import torch

from ..bodies.keypoints import KeypointRegressor
from ..bodies.model import Body
from ..bodies.parts import NUM_PARTS
from ..drawing.zbuffer import NEAR, mask_iou, part_iou, part_map, rasterise
from ..priors.prior import Prior
from ..records import Camera, FitResult, Hypothesis, Observation
from ..rotations import matrix_to_axis_angle
from .evaluate import posed_joints
from .problem import Problem
from .solver import Solution


def _numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().float().cpu().numpy()


def failed_result(
    body: Body, prior: Prior, camera: Camera, person: Observation, status: str, message: str
) -> FitResult:
    """The mean pose, marked as no fit; it holds finite numbers so that nothing downstream trips over it."""
    pose = prior.decode(torch.zeros(1, prior.dim, device=body.device))
    root = torch.tensor([[np.pi, 0.0, 0.0]], device=body.device)
    transl = torch.tensor([[0.0, 0.0, 3.0]], device=body.device)
    vertices, joints = body(root, pose, None, transl)
    return FitResult(
        _numpy(root[0]),
        _numpy(matrix_to_axis_angle(pose[0])),
        np.zeros(body.num_betas, np.float32),
        _numpy(transl[0]),
        np.zeros(prior.dim, np.float32),
        camera,
        _numpy(vertices[0]),
        _numpy(joints[0]),
        float("nan"),
        None,
        float("nan"),
        status,
        {},
        (),
        _faces(body),
        np.full(len(person.keypoints), np.nan, np.float32),
        None,
        prior.name,
        message,
        person.image_path,
        person.photo,
    )


def _faces(body: Body) -> np.ndarray:
    return body.faces.cpu().numpy().astype(np.int32)


def keypoint_errors(projected: np.ndarray, person: Observation) -> tuple[np.ndarray, float]:
    """Distance by keypoint (K,), NaN where unused, and their confidence-weighted mean."""
    usable = person.usable
    errors = np.full(len(usable), np.nan, np.float32)
    errors[usable] = np.linalg.norm(projected[usable] - person.keypoints[usable], axis=-1)
    weight = np.clip(person.confidence, 0, 1)[usable]
    return errors, float((errors[usable] * weight).sum() / max(weight.sum(), 1e-9))


def build_result(
    base: Problem,
    solution: Solution,
    rows: list[int],
    person: Observation,
    camera: Camera,
    regressor: KeypointRegressor,
    number: int,
) -> FitResult:
    """Result of one person from its distinct solutions, best first. Only the best is posed as a whole mesh."""
    body, prior = base.body, base.prior
    index = torch.tensor(rows, device=body.device)
    state = solution.state.pick(index)
    owner = torch.full((len(rows),), number, device=body.device)
    if not bool(torch.isfinite(solution.energy[index]).any()):
        return failed_result(
            body,
            prior,
            camera,
            person,
            "failed",
            "No start reached a finite energy; check the keypoints and the camera.",
        )
    joints, posed = posed_joints(base.pick(owner), state)
    projected = camera.project(_numpy(posed.points + state.transl[:, None]).astype(np.float64))
    pose = prior.decode(state.z)
    axis_angle = matrix_to_axis_angle(pose)
    root = matrix_to_axis_angle(state.root)
    log_prob = prior.log_prob(pose)
    hypotheses = []
    for i in range(len(rows)):
        _, error = keypoint_errors(projected[i], person)
        hypotheses.append(
            Hypothesis(
                _numpy(root[i]),
                _numpy(axis_angle[i]),
                _numpy(state.betas[i]),
                _numpy(state.transl[i]),
                _numpy(state.z[i]),
                _numpy(joints[i]),
                float(solution.energy[rows[i]]),
                error,
                float(log_prob[i]),
            )
        )
    # the mesh is posed from the axis-angle numbers that are handed out, so that they and the mesh agree
    vertices, final_joints = body(root[:1], axis_angle[:1], state.betas[:1], state.transl[:1])
    errors, error = keypoint_errors(projected[0], person)
    mesh = _numpy(vertices[0])
    parts, mask = _overlaps(body, mesh, camera, person)
    return FitResult(
        hypotheses[0].global_orient,
        hypotheses[0].body_pose,
        hypotheses[0].betas,
        hypotheses[0].transl,
        hypotheses[0].z,
        camera,
        mesh,
        _numpy(final_joints[0]),
        error,
        parts,
        hypotheses[0].log_prob,
        "converged" if bool(solution.converged[rows[0]]) else "max_iterations",
        {},
        tuple(hypotheses),
        _faces(body),
        errors,
        mask,
        prior.name,
        "",
        person.image_path,
        person.photo,
    )


OVERLAP_SIZE = 144


def _overlaps(
    body: Body, vertices: np.ndarray, camera: Camera, person: Observation
) -> tuple[float | None, float | None]:
    """Part IoU and mask IoU against what was observed, on a map of OVERLAP_SIZE px about the person."""
    plane = person.parts if person.parts is not None else person.mask
    if plane is None:
        return None, None
    points = camera.project(vertices.astype(np.float64))
    depth = vertices[:, 2].astype(np.float64)
    low, high = _region(points[depth > NEAR], plane, camera)
    step = max(1e-6, float((high - low).max()) / OVERLAP_SIZE)
    width, height = (max(1, int(np.ceil(v))) for v in (high - low) / step)
    local = (points - low) / step
    faces = body.faces.cpu().numpy()
    # a closed mesh hides its own back: half the triangles
    a, b, c = (local[faces[:, k]] for k in range(3))
    front = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) < (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    faces = faces[front]
    raster = rasterise(local, depth, faces, height, width)
    lines = np.floor(low[1] + (np.arange(height) + 0.5) * step).astype(int)
    columns = np.floor(low[0] + (np.arange(width) + 0.5) * step).astype(int)

    def small(plane: np.ndarray) -> np.ndarray:
        rows, cols = np.minimum(lines, plane.shape[0] - 1), np.minimum(columns, plane.shape[1] - 1)
        return plane[rows[:, None], cols]

    parts = mask = None
    if person.parts is not None:
        parts = part_iou(
            part_map(raster, faces, body.parts.cpu().numpy()), small(person.parts), NUM_PARTS
        )
    if person.mask is not None:
        mask = mask_iou(raster.mask, small(person.mask))
    return parts, mask


def _region(points: np.ndarray, plane: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """The part of the photo that body or labels fill: its corners in px."""
    low, high = np.zeros(2), np.array([camera.width, camera.height], float)
    columns, lines = np.flatnonzero(plane.any(0)), np.flatnonzero(plane.any(1))
    ends = []
    if len(columns):
        ends.append([[columns[0], lines[0]], [columns[-1] + 1, lines[-1] + 1]])
    if len(points):
        ends.append([points.min(0), points.max(0)])
    if not ends:
        return low, high
    corners = np.array(ends, float)
    first, last = np.clip(corners[:, 0].min(0), low, high), np.clip(corners[:, 1].max(0), low, high)
    return (first, last) if (last - first).min() >= 1 else (low, high)
