"""How long a pull takes in Blender's own Python: five handles, sixty steps each.

    blender --background --python blender_tests/pull_speed.py

The add-on's zip is installed and enabled. Printed for each handle, in ms, median and 95th
percentile: the solve alone, and from the new place to the updated mesh; nothing is drawn. Not run
by `build.py test`.
"""

import importlib
import time

import bpy
import numpy as np
from mathutils import Vector

STEPS = 60
WAYS = {
    "right_wrist": (-0.2, -0.1, 0.6),
    "pelvis": (0.0, 0.05, -0.35),
    "head": (0.0, -0.3, -0.2),
    "left_wrist": (0.0, -0.3, -0.8),
    "right_ankle": (0.0, -0.6, 0.4),
}
ADDON = next(a.module for a in bpy.context.preferences.addons if a.module.endswith(".kinflow"))


def times(armature: bpy.types.Object, joint: str, way: tuple[float, ...]) -> np.ndarray:
    """Solve, and place to mesh, of every step. -> (STEPS, 2) ms."""
    drag = importlib.import_module(f"{ADDON}.scene.pull").Drag(bpy.context, armature, joint)
    start, found = drag.place, []
    for step in range(1, STEPS + 1):
        began = time.perf_counter()
        result = drag.move(start + Vector(way) * step / STEPS)
        bpy.context.view_layer.update()
        found.append((result.seconds, time.perf_counter() - began))
    drag.put_back()
    bpy.context.view_layer.update()
    return 1000 * np.array(found)


def main() -> None:
    """On a new body, its feet pinned by themselves."""
    bpy.ops.kinflow.add_body()
    bpy.ops.kinflow.reset_pose()
    bpy.ops.kinflow.put_on_floor()
    armature = importlib.import_module(f"{ADDON}.scene.body").find_bodies()[0]
    found = {joint: times(armature, joint, way) for joint, way in WAYS.items()}
    found["all"] = np.concatenate(list(found.values()))
    print(f"Blender {bpy.app.version_string}{'':>8}solve p50   p95   to the mesh p50   p95 ms")
    for joint, rows in found.items():
        (solve, mesh), (solve_95, mesh_95) = np.percentile(rows, (50, 95), axis=0)
        print(f"{joint:>22} {solve:>9.1f} {solve_95:>5.1f} {mesh:>17.1f} {mesh_95:>5.1f}")


main()
