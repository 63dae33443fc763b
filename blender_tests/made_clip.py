"""A clip that nobody filmed: somebody who walks, and what is seen of him."""

from functools import lru_cache

import numpy as np

from addon.scene import latent
from addon.scene.frames import Viewpoint
from kinflow.bodies.arrays import default_body_arrays
from kinflow.bodies.keypoint_names import NAMES
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from kinflow.gravity import gravity_of
from kinflow.records import CONTACT_NAMES, Camera, FitResult, Observation

CAMERA = Camera(800.0, 800.0, 320.0, 240.0, 640, 480)
FRAMES, FIRST, FLOOR = 30, 5, 1.4
GRAVITY = gravity_of(-12.0, 3.0)
STILL = range(8, 20)  # the left foot stands, the body goes on over it


def _placed(turns, row):
    """The root turned, and the pelvis' place, so that the left foot is where it stands."""
    arrays, view = default_body_arrays(), Viewpoint.above_floor(GRAVITY, FLOOR)
    joints = arrays.joints(np.zeros(10))
    hip, leg = joints[1] - joints[0], joints[7] - joints[1]
    foot = hip + turns[1] @ leg  # from the pelvis, body's axes
    step = np.array([0, 0, 0.02]) * (min(row, STILL.start) + max(0, row - STILL.stop + 1))
    low = joints[7, 1] - arrays.v_template[:, 1].min()
    # Blender's world: the ankle at its height over the floor
    ankle = np.array([0, 4 - step[2], low])
    way = np.array([foot[0], -foot[2], foot[1]])
    pelvis = (ankle - way - view.place) @ view.turn
    # upright in the world, facing the camera
    turns[0] = view.from_root(np.eye(3))
    return turns, pelvis


@lru_cache
def made_result(row, status="converged"):
    """A body that walks before a camera that is pitched and rolled: over STILL the left leg turns
    about the foot, which stays where it is."""
    arrays, vectors = default_body_arrays(), np.zeros((24, 3))
    vectors[16, 2], vectors[17, 2] = -1.2, 1.2
    vectors[18, 1] = -0.05 * row
    vectors[5, 0] = 0.8
    vectors[1, 0] = -0.03 * (row - 14)
    vectors[7, 0] = 0.03 * (row - 14)
    turns, pelvis = _placed(axis_angle_to_matrix(xp, vectors), row)
    joints = arrays.joints(np.zeros(10))
    contacts = np.zeros(len(CONTACT_NAMES), np.float32)
    if row in STILL and row != 12:
        contacts[CONTACT_NAMES.index("left_ball")] = 0.9
    vectors[0] = matrix_to_axis_angle(xp, turns[:1])[0]
    prior = latent.prior("light")
    return FitResult(
        global_orient=vectors[0].astype(np.float32),
        body_pose=vectors[1:].astype(np.float32),
        betas=np.zeros(10, np.float32),
        transl=(pelvis - joints[0]).astype(np.float32),
        z=prior.encode(turns[None, 1:])[0].astype(np.float32),
        camera=CAMERA,
        vertices=np.zeros((0, 3), np.float32),
        joints=(joints - joints[0] + pelvis).astype(np.float32),
        keypoint_error_px=3.0,
        part_iou=None,
        log_prob=0.0,
        status=status,
        timings={},
        hypotheses=(),
        prior=prior.id,
        gravity=GRAVITY.astype(np.float32),
        floor=FLOOR,
        camera_assumed=False,
        contacts=contacts,
    )


def made_observation(row):
    count = len(NAMES["coco17"])
    points = np.arange(2 * count, dtype=np.float32).reshape(count, 2) + 10 * row
    return Observation(points, np.full(count, 0.8, np.float32), "coco17", CAMERA)
