"""Photo to .blend without a window, through the add-on's own operators.

blender --background --python addon/batch.py -- PHOTO... --output DIR
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

import bpy


def clear_scene() -> None:
    """Takes everything out of the file. The preferences, and with them the installed add-on, stay."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def light_scene(context: bpy.types.Context) -> None:
    """A ground, a key light and a soft world, so that a render shows the body."""
    scene = context.scene
    world = bpy.data.worlds.new("Studio")
    world.use_nodes = True
    background = next(n for n in world.node_tree.nodes if n.type == "BACKGROUND")
    background.inputs["Color"].default_value = (0.7, 0.78, 0.9, 1.0)
    background.inputs["Strength"].default_value = 0.28
    scene.world = world
    sun = bpy.data.objects.new("Key Light", bpy.data.lights.new("Key Light", "SUN"))
    sun.data.energy, sun.data.angle = 3.0, 0.2
    sun.rotation_euler = (0.9, 0.25, -0.6)
    context.collection.objects.link(sun)
    ground = bpy.data.meshes.new("Ground")
    ground.from_pydata([(-60, -10, 0), (60, -10, 0), (60, 110, 0), (-60, 110, 0)], [], [(0, 1, 2, 3)])
    material = bpy.data.materials.new("Ground")
    material.use_nodes = True
    shader = next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (0.16, 0.17, 0.19, 1.0)
    shader.inputs["Roughness"].default_value = 0.9
    ground.materials.append(material)
    context.collection.objects.link(bpy.data.objects.new("Ground", ground))


def render(context: bpy.types.Context, path: Path, longest: int = 900, samples: int = 24) -> None:
    """Cycles render through the photo's camera, at most `longest` px."""
    from . import compat

    scene = context.scene
    compat.prepare_cycles(scene, samples)
    percentage = scene.render.resolution_percentage
    scene.render.resolution_percentage = max(1, min(100, round(100 * longest / max(scene.render.resolution_x, scene.render.resolution_y))))
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    scene.render.resolution_percentage = percentage


def fit_photo(photo: Path, folder: Path, render_image: bool = True) -> dict[str, object]:
    """Runs open, find, fit on one photo and leaves scene.blend (and render.png) in the folder.

    Returns {"people", "keypoint_error_px", "seconds": {step: s}} and, for a failure, "error".
    """
    from . import session

    folder.mkdir(parents=True, exist_ok=True)
    clear_scene()
    context, seconds = bpy.context, {}

    def step(name: str, call, *arguments, **named) -> bool:
        started = time.perf_counter()
        try:
            result = call(*arguments, **named)
        except RuntimeError as error:  # an operator that reports an error raises it as RuntimeError in scripts
            context.scene.kinflow.message = str(error).removeprefix("Error: ").strip()
            result = {"CANCELLED"}
        seconds[name] = round(time.perf_counter() - started, 2)
        return "FINISHED" in result

    done = (
        step("open", bpy.ops.kinflow.import_photo, "EXEC_DEFAULT", filepath=str(photo))
        and step("detect", bpy.ops.kinflow.detect, "EXEC_DEFAULT")
        and step("fit", bpy.ops.kinflow.fit, "EXEC_DEFAULT")
    )
    if not done:
        return {"error": context.scene.kinflow.message or f"{photo} could not be fitted.", "seconds": seconds}
    started = time.perf_counter()
    light_scene(context)
    if render_image:
        render(context, folder / "render.png")
        seconds["render"] = round(time.perf_counter() - started, 2)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scene.blend"), check_existing=False)
    results = [session.results[p.uid] for p in context.scene.kinflow.people if p.uid in session.results]
    for index, result in enumerate(results):
        result.save(folder / ("fit.npz" if index == 0 else f"fit-{index + 1}.npz"))
    (folder / "fit.json").write_text(json.dumps([r.summary() | r.parameters() for r in results], indent=1), "utf-8")
    good = [r for r in results if r.status in ("converged", "max_iterations")]
    return {
        "people": len(good), "keypoint_error_px": [round(r.keypoint_error_px, 2) for r in results],
        "status": [r.status for r in results], "seconds": seconds,
    }  # fmt: skip


def run(arguments: list[str]) -> int:
    """The command line. Exit code 0 only if every photo was fitted."""
    parser = argparse.ArgumentParser(prog="kinflow", description="Fit photos and save a .blend each.")
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--no-render", action="store_true")
    options = parser.parse_args(arguments)
    failed = 0
    for photo in options.photos:
        folder = options.output if len(options.photos) == 1 else options.output / photo.stem
        report = fit_photo(photo, folder, not options.no_render)
        print(json.dumps({"photo": str(photo)} | report), flush=True)
        if "error" in report:
            print(f"{photo}: {report['error']}", file=sys.stderr, flush=True)
            failed += 1
    return 1 if failed else 0


def leave(status: int) -> None:
    """Ends the process at once: bpy 4.2 crashes and 4.5 hangs at exit while an add-on is registered."""
    from . import session

    session.close()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    # Started by its path: find the add-on, installed or from its source folder, and run it there.
    import importlib
    import importlib.util

    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    installed = [name for name in bpy.context.preferences.addons.keys() if name.split(".")[-1] == "kinflow"]
    if installed:
        package = importlib.import_module(installed[0])
    else:
        spec = importlib.util.spec_from_file_location("kinflow_addon", Path(__file__).parent / "__init__.py")
        package = importlib.util.module_from_spec(spec)
        sys.modules["kinflow_addon"] = package
        spec.loader.exec_module(package)
        package.register()
    batch = importlib.import_module(f"{package.__name__}.batch")
    batch.leave(batch.run(words))
