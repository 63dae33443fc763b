"""An empty scene, its light, and what is saved of it."""

import contextlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy

from kinflow.errors import KinflowError

from .. import compat

SAMPLES = 24
LONGEST = 900  # px of a render


@dataclass(frozen=True)
class Output:
    """What a photo's scene is saved as: scene.blend or scene.glb, with or without render.png."""

    form: str = "blend"
    render: bool = True


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Makes the folder; KinflowError for a full disk, a folder that is read-only and the like."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except (OSError, RuntimeError) as error:  # an operator that reports an error raises the latter
        # the glTF exporter's is a whole traceback, with the system's words near its end
        lines = [line for line in str(error).splitlines() if "rror" in line] or [str(error)]
        reason = re.sub(r"^.*(Error: |\] )", "", lines[-1]).strip().rstrip(".")
        raise KinflowError(
            f"{folder} cannot be written: {reason}.",
            "Make room, or choose another folder; the same command goes on from here.",
        ) from error


def clear_scene() -> None:
    """Takes everything out of the file; the preferences, and with them the add-on, stay."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def light_scene(context: bpy.types.Context) -> None:
    """A ground, a key light and a soft world, so that a render shows the body."""
    world = bpy.data.worlds.new("Studio")
    world.use_nodes = True
    background = next(n for n in world.node_tree.nodes if n.type == "BACKGROUND")
    background.inputs["Color"].default_value = (0.7, 0.78, 0.9, 1.0)
    background.inputs["Strength"].default_value = 0.28
    context.scene.world = world
    sun = bpy.data.objects.new("Key Light", bpy.data.lights.new("Key Light", "SUN"))
    sun.data.energy, sun.data.angle = 3.0, 0.2
    sun.rotation_euler = (0.9, 0.25, -0.6)
    context.collection.objects.link(sun)
    corners = [(-60, -10, 0), (60, -10, 0), (60, 110, 0), (-60, 110, 0)]
    ground = bpy.data.meshes.new("Ground")
    ground.from_pydata(corners, [], [(0, 1, 2, 3)])
    ground.materials.append(compat.new_material("Ground", (0.16, 0.17, 0.19, 1.0), 0.9))
    context.collection.objects.link(bpy.data.objects.new("Ground", ground))


def render(
    context: bpy.types.Context, path: Path, longest: int = LONGEST, samples: int = SAMPLES
) -> None:
    """Cycles render through the photo's camera, at most `longest` px."""
    compat.prepare_cycles(context.scene, samples)
    settings = context.scene.render
    percentage = settings.resolution_percentage
    share = longest / max(settings.resolution_x, settings.resolution_y)
    settings.resolution_percentage = max(1, min(100, round(100 * share)))
    settings.image_settings.file_format = "PNG"
    settings.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    settings.resolution_percentage = percentage


def save_scene(context: bpy.types.Context, folder: Path, output: Output) -> dict[str, float]:
    """Lights, renders and saves the open scene. -> seconds by step."""
    started, seconds = time.perf_counter(), {}
    if output.form == "glb":
        # a scene that is there is whole: the next run keeps it
        unfinished = folder / "unfinished.glb"
        try:
            # posed as it is: without keys the exporter would take the rest pose
            bpy.ops.export_scene.gltf(
                filepath=str(unfinished), export_format="GLB", export_rest_position_armature=False
            )
            os.replace(unfinished, folder / "scene.glb")
        finally:
            unfinished.unlink(missing_ok=True)
        return {"export": round(time.perf_counter() - started, 2)}
    light_scene(context)
    if output.render:
        render(context, folder / "render.png")
        seconds["render"] = round(time.perf_counter() - started, 2)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scene.blend"), check_existing=False)
    return seconds
