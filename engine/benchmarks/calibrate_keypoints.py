"""python -m benchmarks.calibrate_keypoints FOLDER: where the detector sees hips and shoulders.

FOLDER is a set of `render_people`; its whole people are used. For each joint the mean offset of the
detected keypoint from the projected joint is printed in the body's own terms: outwards along the
line between both joints (as a fraction of their distance) and upwards along the trunk (as a
fraction of the distance from the hips' centre to the pelvis), by least squares over all renders.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from kinflow import Camera, Observation, observe
from kinflow.bodies.keypoint_names import BLAZEPOSE33
from kinflow.core.skeleton import JOINT_INDEX

from .renders import load_renders

SIDED = ("hip", "shoulder")  # joints whose keypoints may lie further in or out
Rows = dict[str, list[tuple[np.ndarray, np.ndarray]]]
"""By joint: the pixels (2, 2) that a metre outwards and one upwards move it, its miss (2,) px."""


def main(folder: Path) -> None:
    rows: Rows = defaultdict(list)
    renders = load_renders(folder, ("whole",))
    for render in renders:
        people = observe(render.path)
        index = render.match([p.keypoints for p in people])[0]
        if index is not None:
            collect(rows, people[index], render.camera, render.people[0].joints)
    print(f"{len(renders)} renders")
    for name, pairs in rows.items():
        print(f"{name:>9}: {fitted_offset(pairs)}")


def collect(rows: Rows, person: Observation, camera: Camera, joints: np.ndarray) -> None:
    """Adds one person's confident keypoints."""

    def at(name: str) -> np.ndarray:
        return joints[JOINT_INDEX[name]]

    up = at("pelvis") - 0.5 * (at("left_hip") + at("right_hip"))
    for name in ("hip", "shoulder", "knee", "ankle", "elbow", "wrist"):
        for side, other in (("left", "right"), ("right", "left")):
            k = BLAZEPOSE33.index(f"{side}_{name}")
            if person.confidence[k] < 0.6:
                continue
            place = at(f"{side}_{name}")
            out = place - at(f"{other}_{name}") if name in SIDED else np.zeros(3)
            base, step = camera.project(place), 0.1
            columns = [(camera.project(place + step * d) - base) / step for d in (out, up)]
            rows[name].append((np.stack(columns, -1), person.keypoints[k] - base))


def fitted_offset(pairs: list[tuple[np.ndarray, np.ndarray]]) -> str:
    """The mean offset by least squares, and what it leaves, for people to read."""
    design, target = (np.concatenate(column) for column in zip(*pairs, strict=True))
    keep = np.abs(target) < 40
    design = design[:, np.abs(design).sum(0) > 0]
    solution = np.linalg.lstsq(design[keep], target[keep], rcond=None)[0]
    before = np.abs(target[keep]).mean()
    after = np.abs(target[keep] - design[keep] @ solution).mean()
    labels = ("out", "up") if len(solution) == 2 else ("up",)
    text = ", ".join(f"{n} {value:+.3f}" for n, value in zip(labels, solution, strict=True))
    return f"{text}; mean |error| {before:.1f} px -> {after:.1f} px ({len(pairs)} keypoints)"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
