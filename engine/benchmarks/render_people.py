"""python -m engine.benchmarks.render_people FOLDER: renders with known truth.

Captured poses of the three splits, which share no performer, into FOLDER/training, validation and
heldout: people whole, cut by the rim, behind things, and two or three of them before each other;
random shapes, turns, clothes, hair, backgrounds, lights and cameras, by Cycles. Beside each picture
lies its truth (`render_scenes.Scene.truth`). A render that is there already is not made again. Run
it in the repository's root; needs the pip packages bpy and kinflow.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from .render_scenes import KINDS, SETS, make_scene

COUNTS = {"training": (20,) * 4, "validation": (20,) * 4, "heldout": (60, 30, 30, 30)}
SAMPLES = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    options = parser.parse_args()
    from blender_tests.samples.render_scene import render_scene  # bpy, which tests do without

    for name in options.sets:
        folder = options.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(max(COUNTS[name])):
            for kind, count in zip(KINDS, COUNTS[name], strict=True):
                path = folder / f"{kind}-{number:03d}.jpg"
                if number < count and not path.with_suffix(".json").exists():
                    render_scene(path, make_scene(name, kind, number), options.samples)
                    print(path, flush=True)
    sys.stdout.flush()
    os._exit(0)  # bpy may crash where Python takes its modules down


if __name__ == "__main__":
    main()
