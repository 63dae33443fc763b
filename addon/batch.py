"""Photos to .blend or glTF without a window: one through the add-on's own operators, many through the engine's batch.

blender --background --python addon/batch.py -- PHOTO|FOLDER|PATTERN|VIDEO... --output DIR [--format glb]
"""

from __future__ import annotations

import argparse
import glob
import json
import os
import sys
import time
from pathlib import Path

import bpy

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}


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
    ground.from_pydata(
        [(-60, -10, 0), (60, -10, 0), (60, 110, 0), (-60, 110, 0)], [], [(0, 1, 2, 3)]
    )
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
    scene.render.resolution_percentage = max(
        1,
        min(100, round(100 * longest / max(scene.render.resolution_x, scene.render.resolution_y))),
    )
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
        except (
            RuntimeError
        ) as error:  # an operator that reports an error raises it as RuntimeError in scripts
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
        return {
            "error": context.scene.kinflow.message or f"{photo} could not be fitted.",
            "seconds": seconds,
        }
    seconds |= save_scene(context, folder, render_image)
    results = [
        session.results[p.uid] for p in context.scene.kinflow.people if p.uid in session.results
    ]
    for index, result in enumerate(results):
        result.save(folder / ("fit.npz" if index == 0 else f"fit-{index + 1}.npz"))
    (folder / "fit.json").write_text(
        json.dumps([r.summary() | r.parameters() for r in results], indent=1), "utf-8"
    )
    good = [r for r in results if r.status in ("converged", "max_iterations")]
    return {
        "people": len(good),
        "keypoint_error_px": [round(r.keypoint_error_px, 2) for r in results],
        "status": [r.status for r in results],
        "seconds": seconds,
    }


def save_scene(
    context: bpy.types.Context, folder: Path, render_image: bool, form: str = "blend"
) -> dict[str, float]:
    """Lights, renders and saves the open scene. -> seconds by step."""
    started, seconds = time.perf_counter(), {}
    if form == "glb":
        bpy.ops.export_scene.gltf(filepath=str(folder / "scene.glb"), export_format="GLB")
        return {"export": round(time.perf_counter() - started, 2)}
    light_scene(context)
    if render_image:
        render(context, folder / "render.png")
        seconds["render"] = round(time.perf_counter() - started, 2)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scene.blend"), check_existing=False)
    return seconds


def fit_many(inputs: list[str], output: Path, render_image: bool, form: str) -> int:
    """Fits as `kinflow fit` does, resumable, then leaves one scene a photo in output/NAME. -> how many failed.

    A scene that is there and newer than its fits is kept.
    """
    from kinflow.records import FitResult

    from . import preferences, session

    tell = lambda share, text: print(
        f"fitting {100 * share:3.0f}%  {text}", file=sys.stderr, flush=True
    )  # noqa: E731
    answer = session.engine().call(
        "fit_folder",
        tell,
        inputs=inputs,
        out=str(output),
        prior=preferences.get("prior"),
        device=preferences.get("device"),
        overlay=False,
    )
    failed = dict(answer["failed"])
    for source in answer["sources"]:
        key = source["path"] if source["frame"] is None else f"{source['path']}#{source['frame']}"
        fits = sorted(output.glob(f"{glob.escape(source['stem'])}.*.npz"))
        if key in failed or not fits:
            print(
                json.dumps(
                    {"photo": key, "error": failed.setdefault(key, "Nobody could be fitted.")}
                ),
                flush=True,
            )
            continue
        folder = output / source["stem"]
        scene = folder / f"scene.{form}"
        if scene.exists() and scene.stat().st_mtime >= max(f.stat().st_mtime for f in fits):
            continue
        folder.mkdir(parents=True, exist_ok=True)
        clear_scene()
        context = bpy.context
        context.scene.kinflow.photo_path = source["path"] if source["frame"] is None else ""
        results = {f"{source['stem']}-{n}": FitResult.load(f) for n, f in enumerate(fits)}
        session.results.clear()
        session.results.update(results)
        try:
            bpy.ops.kinflow.apply_fit("EXEC_DEFAULT", uids=",".join(results))
        except RuntimeError as error:
            failed[key] = str(error).removeprefix("Error: ").strip()
            print(json.dumps({"photo": key, "error": failed[key]}), flush=True)
            continue
        seconds = save_scene(context, folder, render_image, form)
        print(json.dumps({"photo": key, "people": len(results), "seconds": seconds}), flush=True)
    return len(failed)


def run(arguments: list[str]) -> int:
    """The command line. Exit code 0 only if every photo was fitted."""
    from kinflow.errors import KinflowError

    parser = argparse.ArgumentParser(
        prog="kinflow", description="Fit photos and save a scene each."
    )
    parser.add_argument("photos", nargs="+", help="photos, folders, patterns in quotes, or videos")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--format", choices=("blend", "glb"), default="blend")
    parser.add_argument("--no-render", action="store_true")
    options = parser.parse_args(arguments)
    only = Path(options.photos[0])
    if (
        len(options.photos) == 1
        and options.format == "blend"
        and only.suffix.lower() in PHOTO_SUFFIXES
        and not any(c in only.name for c in "*?[")
    ):
        report = fit_photo(only, options.output, not options.no_render)
        print(json.dumps({"photo": str(only)} | report), flush=True)
        if "error" in report:
            print(f"{only}: {report['error']}", file=sys.stderr, flush=True)
        return 1 if "error" in report else 0
    try:
        return (
            1
            if fit_many(options.photos, options.output, not options.no_render, options.format)
            else 0
        )
    except KinflowError as error:
        print(error, file=sys.stderr, flush=True)
        return 1


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
    installed = [
        name for name in bpy.context.preferences.addons.keys() if name.split(".")[-1] == "kinflow"
    ]
    if installed:
        package = importlib.import_module(installed[0])
    elif importlib.util.find_spec("kinflow") is None:
        print(
            "kinflow is not in this Blender: install the extension (python3 build.py addon), then run this again.",
            file=sys.stderr,
        )
        sys.exit(1)
    else:
        spec = importlib.util.spec_from_file_location(
            "kinflow_addon", Path(__file__).parent / "__init__.py"
        )
        package = importlib.util.module_from_spec(spec)
        sys.modules["kinflow_addon"] = package
        spec.loader.exec_module(package)
        package.register()
    batch = importlib.import_module(f"{package.__name__}.batch")
    batch.leave(batch.run(words))
