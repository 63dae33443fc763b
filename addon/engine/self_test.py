"""A person that is known beforehand: what the engine makes of it says whether it works."""

from functools import lru_cache

import numpy as np

from kinflow.bodies.arrays import default_body_arrays
from kinflow.bodies.tables import body_table, keypoint_table
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.body import pose_skeleton
from kinflow.core.points import pose_points
from kinflow.priors.arrays import load_prior_arrays
from kinflow.records import FITTED, Camera, FitResult, Observation

CAMERA = Camera(900.0, 900.0, 270.0, 360.0, 540, 720)
KEYPOINTS = "blazepose33"
DEPTH = 3.2  # m
NEAR_ENOUGH = 0.05  # m
# what the last test said
said = ""
_FACING = np.diag((1.0, -1.0, -1.0))


@lru_cache(maxsize=1)
def _person() -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (33, 3) and joints (24, 3), m, of the prior's middle before the camera."""
    body = default_body_arrays()
    rotations = load_prior_arrays().decode(np.zeros((1, load_prior_arrays().dim)))
    turns = np.concatenate((_FACING[None, None], rotations.astype(float)), axis=1)
    skeleton = pose_skeleton(xp, body_table(body, body.backend), turns, np.zeros((1, 10)))
    points = pose_points(xp, keypoint_table(body, KEYPOINTS, body.backend), skeleton)
    way = np.array([0.0, 0.0, DEPTH]) - skeleton.place[0, 0]
    return points.places[0] + way, skeleton.place[0] + way


def observation() -> Observation:
    """What a perfect detector would see of the person."""
    keypoints = CAMERA.project(_person()[0])
    return Observation(keypoints, np.ones(len(keypoints)), KEYPOINTS, CAMERA)


def empty_photo() -> np.ndarray:
    """A photo of nobody, (H, W, 3) uint8."""
    return np.full((CAMERA.height // 2, CAMERA.width // 2, 3), 200, np.uint8)


def apart(result: FitResult) -> float:
    """How far the fitted joints are from the true ones in the mean, m, both about the pelvis;
    infinite where nothing was fitted.
    """
    if result.status not in FITTED:
        return float("inf")
    true, joints = _person()[1], np.asarray(result.joints, float)
    ways = (joints - joints[0]) - (true - true[0])
    return float(np.linalg.norm(ways, axis=1).mean())
