"""A worker for `versions.Version`: observes a photo and fits who is there, by the public API.

Task: photo, camera or null, fits: [{losses, parts, hints}]. Answer: seconds of observe by the clock
and of the processors, the most memory so far (MB), people, and for each fit the joints, 2D joints
and mask IoU of each person.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import replace
from typing import Any

import kinflow
from kinflow import Camera, fit, observe

try:
    from kinflow.fitting.config import FitConfig
except ImportError:  # version 0.1
    from kinflow.fitting.fit import FitConfig  # type: ignore[attr-defined,no-redef]


def answer(task: dict[str, Any]) -> dict[str, Any]:
    """See above."""
    fits = task["fits"]
    began, spent = time.perf_counter(), time.process_time()
    people = observe(task["photo"], parts=any(f["parts"] for f in fits))
    seconds, spent = time.perf_counter() - began, time.process_time() - spent
    if task["camera"]:
        people = [replace(p, camera=Camera(**task["camera"])) for p in people]
    return {
        "seconds": seconds,
        "cpu_seconds": spent,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "people": [p.to_json() for p in people],
        "fits": [_fitted(people, **options) for options in fits],
    }


def _fitted(people: list, losses: list[str], parts: bool, hints: bool) -> list[dict[str, Any]]:
    shown = people if parts else [replace(p, parts=None) for p in people]
    results = fit(shown, losses=losses, config=FitConfig(hints=hints)) if people else []
    return [
        {
            "joints": r.joints.tolist(),
            "pixels": r.camera.project(r.joints.astype(float)).tolist(),
            "mask_iou": r.mask_iou,
        }
        for r in results
    ]


if __name__ == "__main__":
    print(json.dumps(kinflow.__file__), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
