"""A fit inside Blender, with nothing but the zip: numpy, no engine, torch unimportable.

    export BLENDER_USER_RESOURCES=DIR
    blender --command extension install-file -r user_default -e dist/kinflow-0.2.0.zip
    blender --background --python-exit-code 1 --python blender_tests/numpy_core.py

Poses the default body as a held-out sample of the prior, takes its keypoints through a camera and
fits them again. Prints one JSON object; ends with an error where a promise is not kept.
"""

# ruff: noqa: E402 - what Blender has not is made unimportable first

from __future__ import annotations

import json
import sys
import time

ABSENT = ("torch", "cv2", "scipy", "PIL", "tyro", "threadpoolctl", "ai_edge_litert", "matplotlib")
for absent in ABSENT:
    sys.modules[absent] = None  # type: ignore[assignment]

import numpy as np

import kinflow.core.solver
from kinflow.bodies.arrays import default_body_arrays
from kinflow.bodies.tables import body_table, keypoint_table
from kinflow.core.arrays import numpy_backend
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.body import pose_skeleton
from kinflow.core.points import pose_points
from kinflow.core.rotations import axis_angle_to_matrix, geodesic_angle
from kinflow.fitting.fit import fit
from kinflow.priors.arrays import load_prior_arrays
from kinflow.records import Camera, Observation

CAMERA = Camera(900.0, 900.0, 270.0, 360.0, 540, 720)
WORST_PX, WORST_DEGREES = 3.0, 25.0


def seen_person() -> tuple[Observation, np.ndarray]:
    """Keypoints of a posed body, 3.2 m before the camera. -> observation, rotations (23, 3, 3)."""
    body, backend = default_body_arrays(), numpy_backend(np.float64)
    z = 0.6 * np.random.default_rng(4).standard_normal((1, 138))
    pose = load_prior_arrays("light").decode(z)
    # Y up and facing +Z, before a camera whose y points down
    upright = axis_angle_to_matrix(xp, np.array([[[np.pi, 0.0, 0.0]]]))
    rotations = np.concatenate((upright, pose), 1).astype(float)
    skeleton = pose_skeleton(xp, body_table(body, backend), rotations, np.zeros((1, 10)))
    table = keypoint_table(body, "blazepose33", backend)
    places = pose_points(xp, table, skeleton).places[0]
    pixels = CAMERA.project(places - places.mean(0) + np.array([0.0, 0.0, 3.2]))
    observation = Observation(pixels, np.ones(33), "blazepose33", CAMERA)
    return observation, pose[0]


def main() -> None:
    observation, truth = seen_person()
    began = time.perf_counter()
    (result,) = fit(observation, device="cpu", losses=("ka",))
    found = axis_angle_to_matrix(xp, np.asarray(result.body_pose, float))
    apart = float(np.degrees(geodesic_angle(xp, found, truth)).mean())
    report = {
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "kinflow": kinflow.__file__,
        "status": result.status,
        "keypoint_error_px": round(float(result.keypoint_error_px), 2),
        "mean_joint_error_degrees": round(apart, 1),
        "prior": list(result.prior),
        "seconds": round(time.perf_counter() - began, 2),
    }
    print(json.dumps(report), flush=True)
    if result.status not in ("converged", "max_iterations"):
        raise SystemExit(f"not fitted: {result.message}")
    if result.keypoint_error_px > WORST_PX or apart > WORST_DEGREES:
        raise SystemExit("the fit is not what it should be")
    if any(sys.modules.get(name) is not None for name in ABSENT):
        raise SystemExit("something loaded what Blender has not")


main()
