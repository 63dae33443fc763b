"""A fitted person without the photo: upright, from the person's own front and side."""

from collections.abc import Sequence

import numpy as np

from ..bodies.arrays import BodyArrays
from ..bodies.tables import body_table, skin_table
from ..core.arrays import numpy_backend
from ..core.arrays import numpy_namespace as xp
from ..core.body import pose_skeleton, skin
from ..core.rotations import axis_angle_to_matrix
from ..gravity import upright_rotation
from ..records import FitResult, Parameters
from .figures import draw_body

SIDE = 1.45  # radians from the front: a little short of a right angle, so that both legs show
_BACKEND = numpy_backend()


def posed(body: BodyArrays, people: Sequence[Parameters]) -> np.ndarray:
    """Meshes (N, V, 3) m in the camera's frame."""
    turns = np.stack([np.concatenate((p.global_orient[None], p.body_pose)) for p in people])
    betas = np.stack([p.betas for p in people])
    rotations = axis_angle_to_matrix(xp, turns)
    skeleton = pose_skeleton(xp, body_table(body, _BACKEND), rotations, betas)
    place = np.stack([p.transl for p in people])[:, None]
    return np.asarray(skin(xp, skin_table(body, _BACKEND), skeleton) + place)


def heading(person: Parameters, upright: np.ndarray) -> float:
    """Where a person faces, in radians from the camera; 0 where front is up or down."""
    facing = upright @ axis_angle_to_matrix(xp, person.global_orient)[:, 2]
    return float(np.arctan2(facing[0], facing[2])) if np.hypot(*facing[[0, 2]]) > 0.3 else 0.0


def front_and_sides(
    result: FitResult, body: BodyArrays, size: tuple[int, int], most: int = 4
) -> list[np.ndarray]:
    """The best reading from the front, then up to `most` readings from the side.

    size: (height, width) px -> images (height, width, 3) uint8.
    """
    upright = upright_rotation(result.gravity)
    readings: list[Parameters] = list(result.hypotheses[:most]) or [result]
    meshes = posed(body, readings).astype(np.float64) @ upright.T
    facing = -heading(readings[0], upright)
    views = [(meshes[0], facing), *((mesh, facing + SIDE) for mesh in meshes)]
    return [draw_body(mesh, body.faces, size, yaw) for mesh, yaw in views]
