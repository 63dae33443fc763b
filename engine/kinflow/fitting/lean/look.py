"""What the regressor is shown of a state, in numpy; the formulas stand in `guess.figure`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ...guess.inputs import ANY_PART, Inputs, part_pixels
from ...guess.network import Seen, State
from ...guess.figure import (
    DEPTH_SHARE,
    KEYPOINT_SHARE,
    PIXEL_SHARE,
    PIXELS_WORTH,
    ROOT_RADIANS,
    Figure,
    on_keypoints,
)
from ..residuals.parts import MARGIN_METRES, SCALE_METRES
from .evaluate import project
from .flow import LeanFlow
from .pose import NUM_BETAS, ROTATIONS, WIDTH, pose_points, pose_skeleton, rows_of
from .tables import BodyTable, body_table, point_table
from .threads import one_thread

Observed = dict[str, np.ndarray]


@dataclass(frozen=True)
class Weighted:
    """Rows (B, M, WIDTH), residuals and weights (B, M)."""

    rows: np.ndarray
    miss: np.ndarray
    weight: np.ndarray


def look(figure: Figure, state: State, inputs: Inputs) -> Seen:
    """`guess.figure.look` of tensors on the CPU."""
    with one_thread():
        return _look(figure, state, inputs)


def _look(figure: Figure, state: State, inputs: Inputs) -> Seen:
    z, root, betas = (t.detach().numpy() for t in (state.z, state.root, state.betas))
    flow, body, points = (
        LeanFlow.of(figure.prior),
        body_table(figure.body),
        point_table(figure.body, figure.keypoints),
    )
    joints, trace = flow.decode(z)
    rotations = np.concatenate((root[:, None], joints), 1)
    skeleton = pose_skeleton(body, rotations, betas)
    posed = pose_points(points, skeleton)
    transl = on_keypoints(torch.from_numpy(posed.points), inputs).numpy()
    seen = {
        name: getattr(inputs, name).numpy()
        for name in ("keypoints", "confidence", "focal", "centre", "crop")
    }
    pixels, of_keypoints = _keypoint_rows(body, posed, transl, seen)
    where, labels = (t.numpy() for t in part_pixels(inputs))
    both = (of_keypoints, _pixel_rows(figure, body, skeleton, transl, seen, where, labels))
    rows, miss, weight = (
        np.concatenate([getattr(b, n) for b in both], 1) for n in ("rows", "miss", "weight")
    )
    by_state = np.concatenate(
        (
            flow.pull_back(trace, rotations, skeleton.world, rows[..., :ROTATIONS]),
            ROOT_RADIANS * rows[..., :3],
            rows[..., ROTATIONS : ROTATIONS + NUM_BETAS],
            DEPTH_SHARE * transl[:, 2:, None] * rows[..., -3:],
        ),
        -1,
    )
    gram = by_state @ by_state.swapaxes(1, 2)
    diagonal = np.arange(gram.shape[1])
    gram[:, diagonal, diagonal] += 1 / np.maximum(weight, 1e-3)
    step = (by_state.swapaxes(1, 2) @ np.linalg.solve(gram, miss[..., None]))[..., 0]
    dim = z.shape[1]
    step[:, dim : dim + 3] *= ROOT_RADIANS
    as_tensor = lambda array: torch.from_numpy(array.astype(z.dtype, copy=False))  # noqa: E731
    return Seen(as_tensor(pixels), as_tensor(step[:, :-3]))


def _keypoint_rows(
    body: BodyTable, posed, transl: np.ndarray, seen: Observed
) -> tuple[np.ndarray, Weighted]:
    pixels, slopes = project(posed.points + transl[:, None], seen["focal"], seen["centre"])
    side = seen["crop"][:, 2, None, None]
    miss = (seen["keypoints"] - pixels) / side
    weight = (
        seen["confidence"]
        / (KEYPOINT_SHARE * (1 + ((miss / (3 * KEYPOINT_SHARE)) ** 2).sum(-1))) ** 2
    )
    slope = (slopes / side[..., None]).reshape(len(pixels), -1, 3)
    rows = rows_of(
        body, posed, np.repeat(np.arange(pixels.shape[1]), 2), slope.astype(posed.points.dtype)
    )
    return pixels, Weighted(rows, miss.reshape(len(miss), -1), np.repeat(weight, 2, 1))


def _pixel_rows(
    figure: Figure, body: BodyTable, skeleton, transl: np.ndarray, seen: Observed, where, labels
) -> Weighted:
    skin, blend = figure.skin, figure.skin.points.lbs_weights.numpy()
    points = pose_points(point_table(figure.body, skin.points), skeleton).points
    count = len(points)
    space = points + transl[:, None]
    vertices, slopes = project(space, seen["focal"], seen["centre"])
    turned = (blend @ skeleton.world.reshape(count, -1, 9)).reshape(count, -1, 3, 3)
    facing = ((turned * skin.normals.numpy()[:, None]).sum(-1) * space).sum(-1) < 0
    part = skin.labels.numpy() + 1
    middle = where.mean(1, keepdims=True)
    p, v = where - middle, vertices - middle
    squared = (p * p).sum(-1)[..., None] + (v * v).sum(-1)[:, None] - 2 * p @ v.swapaxes(1, 2)
    squared[
        ~(((labels[..., None] == part) | (labels[..., None] == ANY_PART)) & facing[:, None])
    ] = np.inf
    start, chosen = np.arange(count)[:, None], squared.argmin(-1)
    known = np.isfinite(np.take_along_axis(squared, chosen[..., None], -1)[..., 0])
    apart = where - vertices[start, chosen]
    nearest = np.sqrt((apart * apart).sum(-1))
    metre = seen["focal"][:, :1] / np.maximum(transl[:, 2:], 0.3)
    left = np.where(known, np.maximum(nearest - MARGIN_METRES * metre, 0), 0)
    weight = (
        known
        * (left > 0)
        / (1 + (left / (SCALE_METRES * metre)) ** 2) ** 2
        * (PIXELS_WORTH / where.shape[1] / PIXEL_SHARE**2)
    )
    along = apart / np.maximum(nearest, 1e-6)[..., None] * known[..., None]
    side = seen["crop"][:, 2, None]
    row = ((along[:, :, None] @ slopes[start, chosen])[:, :, 0] / side[..., None]).astype(
        points.dtype
    )
    mass = (blend @ body.subtree.T)[chosen]
    arm = points[start, chosen][:, :, None] - skeleton.place[:, None]
    rows = np.zeros((count, where.shape[1], WIDTH), points.dtype)
    rows[..., :ROTATIONS] = (mass[..., None] * np.cross(arm, row[:, :, None])).reshape(
        count, -1, ROTATIONS
    )
    rows[..., -3:] = row
    return Weighted(rows, left / side, weight)
