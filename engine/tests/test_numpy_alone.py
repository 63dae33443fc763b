"""What Blender imports, and a fit of keypoints on a CPU, load no torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BLOCKED = """
import sys
for name in ("torch", "cv2", "scipy", "threadpoolctl"):
    sys.modules[name] = None  # importing it raises ImportError
"""
FIT = """
import numpy as np
import kinflow.core.solver
from kinflow import Camera, Observation, fit
from kinflow.bodies.arrays import default_body_arrays
from kinflow.bodies.keypoint_names import COCO17
from kinflow.bodies.keypoints import keypoint_regressor

body = default_body_arrays()
camera = Camera(800, 800, 320, 240, 640, 480)
rest = keypoint_regressor(body, "coco17")(body.J_template[None], body.v_template[None])[0]
points = camera.project(rest * [1, -1, -1] + [0.1, 0, 4])
(result,) = fit(Observation(points, np.ones(17), "coco17", camera), losses=("ka",), device="cpu")
assert result.status == "converged", result
assert result.keypoint_error_px < 2, result.keypoint_error_px
assert {a.dtype.name for a in (result.z, result.vertices, result.body_pose)} == {"float32"}
print("fitted", result.prior.name)
"""


def run(script: str, tmp_path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED + script], capture_output=True, text=True, cwd=tmp_path
    )
    assert not done.returncode, done.stderr
    return done.stdout


def test_keypoints_are_fitted_where_torch_cannot_be_imported(tmp_path):
    assert run(FIT, tmp_path) == "fitted light\n"


@pytest.mark.parametrize(
    "module",
    [
        "records",
        "client",
        "core.solver",
        "core.terms.parts",
        "bodies.arrays",
        "bodies.tables",
        "bodies.keypoints",
        "posing",
        "formats",
        "priors.arrays",
        "priors.axes",
        "fitting.fit",
        "fitting.refit",
    ],
)
def test_what_blender_imports_loads_no_torch(module, tmp_path):
    run(f"import kinflow.{module}", tmp_path)
