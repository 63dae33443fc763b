"""python engine/benchmarks/render_people.py FOLDER: 150 renders with known truth for `kinflow bench photos`.

Held-out captured poses, random shapes, turns, clothing colours, backgrounds, lights, focal lengths and places in the
photo, by Cycles. Needs the pip packages bpy and kinflow; a render that is there already is not made again. None of the
poses is among those that calibrated the keypoints.
"""

from __future__ import annotations

import argparse
import colorsys
import os
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "blender_tests" / "samples")]
# poses of the renders that `calibrate_keypoints` was run on
CALIBRATION = (
    20,
    60,
    130,
    200,
    285,
    300,
    330,
    345,
    420,
    480,
    500,
    560,
    640,
    690,
    730,
    800,
    866,
    880,
    960,
    1050,
    1150,
    1250,
    1300,
    1350,
)


def _colour(
    random: np.random.Generator, dark: float = 0.04, bright: float = 0.7
) -> tuple[float, float, float]:
    return colorsys.hsv_to_rgb(
        random.random(), random.uniform(0, 0.8), random.uniform(dark, bright)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--samples", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    import render_sample

    import addon
    from kinflow.records import Camera

    addon.register()
    with np.load(ROOT / "engine/benchmarks/data/heldout_poses.npz") as data:
        total = len(data["pose"])
    allowed = [i for i in range(total) if min(abs(i - c) for c in CALIBRATION) > 3]
    picks = np.random.default_rng(options.seed).choice(allowed, options.count, False)
    for number, pose in enumerate(picks):
        path = options.folder / f"person-{number:03d}.png"
        if path.with_suffix(".json").exists():
            continue
        random = np.random.default_rng(options.seed * 10_000 + number)
        width, height = ((432, 576), (576, 432), (512, 512))[number % 3]
        focal = height * random.uniform(0.9, 2.6)
        depth = focal / height * random.uniform(2.0, 3.2) + 0.4
        skin = np.array([0.62, 0.40, 0.29]) * random.uniform(0.25, 1.1)
        colours = {name: _colour(random) for name in ("shirt", "trousers", "shoes")} | {
            "skin": tuple(skin)
        }
        surroundings = {
            "floor": _colour(random),
            "wall": _colour(random, 0.1, 0.9),
            "light_scale": random.uniform(0.5, 2.0),
        }
        shift = tuple(random.uniform(-0.06, 0.06, 2) * depth)
        render_sample.render_person(
            path,
            Camera(focal, focal, width / 2, height / 2, width, height),
            int(pose),
            random.uniform(0, 360),
            0.8 * random.normal(size=10),
            depth,
            options.samples,
            colours,
            surroundings,
            shift,
        )
        print(f"{number + 1} of {options.count}", flush=True)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
