"""python -m engine.benchmarks.render_ground FOLDER: renders for `bench scene`.

Test performers' poses on a floor: FOLDER/several, 100 photos of 2 to 4 people, and FOLDER/single,
50 of one who stands (`ground_scenes`). With --set validation, of validation performers, to choose
constants by. A render that is there already is not made again. Run it in the repository's root;
needs the pip packages bpy and kinflow.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from .ground_scenes import make_ground
from .render_scenes import SETS

COUNTS = {"several": (100, None), "single": (50, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", default="heldout", choices=SETS)
    parser.add_argument("--samples", type=int, default=4)
    options = parser.parse_args()
    from blender_tests.samples.render_scene import render_scene  # bpy, which tests do without

    for number in range(max(count for count, _ in COUNTS.values())):
        for name, (count, people) in COUNTS.items():
            path = options.folder / name / f"ground-{number:03d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            if number < count and not path.with_suffix(".json").exists():
                render_scene(path, make_ground(options.set, number, people), options.samples)
                print(path, flush=True)
    sys.stdout.flush()
    os._exit(0)  # bpy may crash where Python takes its modules down


if __name__ == "__main__":
    main()
