"""python -m benchmarks.calibrate_keypoints FOLDER: where the default detector sees hips and shoulders.

FOLDER holds renders with their truth (`blender_tests/samples/render_sample.py NAME --folder FOLDER`). For each joint
the mean offset of the detected keypoint from the projected joint is printed in the body's own terms: outwards along
the line between both joints (as a fraction of their distance) and upwards along the trunk (as a fraction of the
distance from the hips' centre to the pelvis), by least squares over all renders.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from kinflow import Camera, observe
from kinflow.bodies.keypoint_names import BLAZEPOSE33
from kinflow.core.skeleton import JOINT_INDEX


def main(folder: Path) -> None:
    rows: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    used = 0
    for path in sorted(folder.glob("*.json")):
        truth = json.loads(path.read_text())
        camera, joints = Camera(**truth["camera"]), np.array(truth["joints"])
        people = observe(path.with_suffix(".png"))
        if not people:
            continue
        used += 1
        at = lambda name: joints[JOINT_INDEX[name]]  # noqa: B023, E731
        centre = 0.5 * (at("left_hip") + at("right_hip"))
        up = at("pelvis") - centre
        for name in ("hip", "shoulder", "knee", "ankle", "elbow", "wrist"):
            for side, other in (("left", "right"), ("right", "left")):
                k = BLAZEPOSE33.index(f"{side}_{name}")
                if people[0].confidence[k] < 0.6:
                    continue
                place = at(f"{side}_{name}")
                out = place - at(f"{other}_{name}") if name in ("hip", "shoulder") else np.zeros(3)
                step = 0.1
                columns = [
                    (camera.project(place + step * d) - camera.project(place)) / step
                    for d in (out, up)
                ]
                delta = people[0].keypoints[k] - camera.project(place)
                rows.setdefault(name, []).append((np.stack(columns, -1), delta))
    print(f"{used} renders")
    for name, pairs in rows.items():
        design, target = (
            np.concatenate([a for a, _ in pairs]),
            np.concatenate([b for _, b in pairs]),
        )
        keep = np.abs(target) < 40
        used_columns = design[:, np.abs(design).sum(0) > 0]
        solution = np.linalg.lstsq(used_columns[keep], target[keep], rcond=None)[0]
        left = np.abs(target[keep] - used_columns[keep] @ solution).mean()
        labels = ("out", "up") if used_columns.shape[1] == 2 else ("up",)
        text = ", ".join(
            f"{label} {value:+.3f}" for label, value in zip(labels, solution, strict=True)
        )
        print(
            f"{name:>9}: {text}; mean |error| {np.abs(target[keep]).mean():.1f} px -> {left:.1f} px ({len(pairs)} keypoints)"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
