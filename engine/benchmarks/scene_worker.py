"""A worker for `versions.Version`: fits everybody in a photo, and says where the floor is.

Task: photo, camera. Answer: people (observations), and of each the joints, gravity, how far the
lowest point lies below the camera, floor, pitch_range, camera_assumed. A version without gravity
holds its camera level, and stands the lowest body on the floor.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import numpy as np

import kinflow
from kinflow import Camera, FitResult, fit, observe


def answer(task: dict[str, Any]) -> dict[str, Any]:
    """See above."""
    camera = Camera(**task["camera"])
    people = [replace(p, camera=camera) for p in observe(task["photo"])]
    results = fit(people, starts="both") if people else []
    rows = [_row(result) for result in results]
    lowest = max((row["lowest"] for row in rows), default=0.0)
    for row in rows:
        row["floor"] = lowest if row["floor"] is None else row["floor"]
    return {"people": [p.to_json() for p in people], "fits": rows}


def _row(result: FitResult) -> dict[str, Any]:
    gravity = np.array(getattr(result, "gravity", (0.0, 1.0, 0.0)), float)
    return {
        "joints": result.joints.tolist(),
        "gravity": gravity.tolist(),
        "lowest": float((result.vertices @ gravity).max()),
        "floor": getattr(result, "floor", None),
        "pitch_range": getattr(result, "pitch_range", None),
        "camera_assumed": getattr(result, "camera_assumed", True),
    }


if __name__ == "__main__":
    print(json.dumps(kinflow.__file__), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
