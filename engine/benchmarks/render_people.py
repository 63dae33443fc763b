"""python -m engine.benchmarks.render_people FOLDER: renders with known truth, for `bench photos`.

150 held-out captured poses, random shapes, turns, clothing colours, backgrounds, lights, focal
lengths and places in the photo, by Cycles. Run in the repository's root; needs the pip packages bpy
and kinflow. A render that is there already is not made again. None of the poses is among those that
calibrated the keypoints.
"""

from __future__ import annotations

import argparse
import colorsys
import os
import sys
from pathlib import Path

import numpy as np

from kinflow.records import Camera

from .make_heldout import HELDOUT

# poses of the renders that `calibrate_keypoints` was run on
CALIBRATION = (
    *(20, 60, 130, 200, 285, 300, 330, 345, 420, 480, 500, 560),
    *(640, 690, 730, 800, 866, 880, 960, 1050, 1150, 1250, 1300, 1350),
)
SIZES = ((432, 576), (576, 432), (512, 512))


def _colour(
    random: np.random.Generator, dark: float = 0.04, bright: float = 0.7
) -> tuple[float, float, float]:
    hue, saturation = random.random(), random.uniform(0, 0.8)
    return colorsys.hsv_to_rgb(hue, saturation, random.uniform(dark, bright))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--samples", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    import addon

    addon.register()
    with np.load(HELDOUT) as data:
        total = len(data["pose"])
    allowed = [i for i in range(total) if min(abs(i - c) for c in CALIBRATION) > 3]
    picks = np.random.default_rng(options.seed).choice(allowed, options.count, False)
    for number, pose in enumerate(picks):
        path = options.folder / f"person-{number:03d}.png"
        if not path.with_suffix(".json").exists():
            random = np.random.default_rng(options.seed * 10_000 + number)
            render(path, int(pose), SIZES[number % len(SIZES)], options.samples, random)
            print(f"{number + 1} of {options.count}", flush=True)
    sys.stdout.flush()
    os._exit(0)  # bpy may crash where Python takes its modules down


def render(
    path: Path, pose: int, size: tuple[int, int], samples: int, random: np.random.Generator
) -> None:
    """One clothed person in a held-out pose, and the truth beside the picture."""
    from blender_tests.samples.render_sample import Shot, render_person

    width, height = size
    focal = height * random.uniform(0.9, 2.6)
    depth = focal / height * random.uniform(2.0, 3.2) + 0.4
    skin = np.array([0.62, 0.40, 0.29]) * random.uniform(0.25, 1.1)
    colours = {name: _colour(random) for name in ("shirt", "trousers", "shoes")}
    surroundings = {
        "floor": _colour(random),
        "wall": _colour(random, 0.1, 0.9),
        "light_scale": random.uniform(0.5, 2.0),
    }
    right, up = random.uniform(-0.06, 0.06, 2) * depth
    shot = Shot(
        Camera(focal, focal, width / 2, height / 2, width, height),
        pose,
        yaw=random.uniform(0, 360),
        betas=0.8 * random.normal(size=10),
        depth=depth,
        shift=(right, up),
        samples=samples,
        colours=colours | {"skin": tuple(skin)},
        surroundings=surroundings,
    )
    render_person(path, shot)


if __name__ == "__main__":
    main()
