"""A worker for `versions.Version`: fits somebody's frames as one sequence, or each by itself.

Task: people (observations), whole (bool). Answer: SMPL's parameters of every frame, which of FEET
touch where that is told, gravity, floor, seconds.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

import kinflow
import kinflow.records
from kinflow import Observation, fit, fit_sequence

FEET = ("left_heel", "left_ball", "right_heel", "right_ball")


def answer(task: dict[str, Any]) -> dict[str, Any]:
    """See above."""
    people = [Observation.from_json(p) for p in task["people"]]
    started = time.perf_counter()
    call = fit_sequence if task["whole"] else fit
    results = call(people, losses=("ka",), device="cpu")
    seconds = time.perf_counter() - started
    names = ("global_orient", "body_pose", "betas", "transl")
    parameters = {n: [getattr(r, n).tolist() for r in results] for n in names}
    if len(getattr(results[0], "contacts", ())):
        index = [kinflow.records.CONTACT_NAMES.index(n) for n in FEET]
        parameters["named"] = [(r.contacts[index] > 0.5).tolist() for r in results]
    # where every frame has a view of its own, what they agree on
    gravity = np.mean([r.gravity for r in results], axis=0)
    floors = [r.floor for r in results if r.floor is not None]
    view = {"gravity": gravity.tolist(), "floor": float(np.median(floors)) if floors else None}
    return {"parameters": parameters, "seconds": seconds, **view}


if __name__ == "__main__":
    print(json.dumps(kinflow.__file__), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
