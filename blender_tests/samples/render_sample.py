"""Renders a photo with known truth: a clothed body in a captured pose, in a lit room, by Cycles.

    python -m blender_tests.samples.render_sample NAME --pose INDEX [--yaw DEG] [--focal PX]
        [--size WxH] [--folder DIR]

Writes NAME.png and NAME.json (camera, SMPL parameters, joints in the camera's frame) beside this
script, or into --folder. Run it in the repository; it needs the pip packages bpy and kinflow.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

import addon
from addon.headless.studio import clear_scene, render
from addon.scene import body as scene_body
from addon.scene import camera as scene_camera
from addon.scene.frames import Viewpoint
from addon.scene.parameters import Parameters, apply_parameters
from kinflow.bodies.arrays import DEFAULT_BODY, default_body_arrays
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from kinflow.core.skeleton import JOINT_INDEX, PARENTS
from kinflow.gravity import level_gravity
from kinflow.records import Camera, PriorId
from kinflow.tensorfile import read_tensors

HERE = Path(__file__).parent
Colour = tuple[float, float, float]
# part number -> garment; parts are those of kinflow.bodies.parts
GARMENTS = {
    "skin": ((0.58, 0.36, 0.26), 0.55, (1, 5, 6, 7, 8)),
    "shirt": ((0.06, 0.17, 0.42), 0.9, (2, 3, 4)),
    "trousers": ((0.17, 0.15, 0.12), 0.9, (9, 10, 11, 12)),
    "shoes": ((0.5, 0.48, 0.45), 0.4, (13, 14)),
    "hair": ((0.03, 0.02, 0.015), 0.6, ()),
}


def material(name: str, colour: Colour, roughness: float) -> bpy.types.Material:
    result = bpy.data.materials.new(name)
    result.use_nodes = True
    shader = next(n for n in result.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = roughness
    return result


def dress(mesh: bpy.types.Object, colours: dict[str, Colour]) -> None:
    """Gives every polygon the garment of its part. colours: other ones for some garments."""
    arrays = default_body_arrays()
    parts = read_tensors(DEFAULT_BODY)[0]["parts"]
    mesh.data.materials.clear()
    of_part = np.zeros(15, int)
    for index, (name, (colour, roughness, numbers)) in enumerate(GARMENTS.items()):
        mesh.data.materials.append(material(name, colours.get(name, colour), roughness))
        of_part[list(numbers)] = index
    garment = of_part[parts[arrays.quads[:, 0]]]
    head = arrays.J_template[JOINT_INDEX["head"]]
    centre = arrays.v_template[arrays.quads].mean(1) - head
    hair = (
        (parts[arrays.quads[:, 0]] == 1)
        & (centre[:, 1] > 0.02)
        & (centre[:, 2] < 0.06)
        & (np.abs(centre[:, 0]) < 0.09)
    )
    hair |= (parts[arrays.quads[:, 0]] == 1) & (centre[:, 1] > 0.10)
    garment[hair] = list(GARMENTS).index("hair")
    mesh.data.polygons.foreach_set("material_index", garment.astype(np.int32))


def room(
    context: bpy.types.Context,
    floor: Colour = (0.42, 0.33, 0.24),
    wall: Colour = (0.55, 0.6, 0.58),
    light_scale: float = 1.0,
) -> None:
    """Floor, wall and two lamps."""

    def plane(name: str, corners: list[Colour], colour: Colour) -> None:
        data = bpy.data.meshes.new(name)
        data.from_pydata(corners, [], [(0, 1, 2, 3)])
        data.materials.append(material(name, colour, 0.9))
        context.collection.objects.link(bpy.data.objects.new(name, data))

    plane("Floor", [(-8, -2, 0), (8, -2, 0), (8, 8, 0), (-8, 8, 0)], floor)
    plane("Wall", [(-8, 8, 0), (8, 8, 0), (8, 8, 5), (-8, 8, 5)], wall)
    world = bpy.data.worlds.new("World")
    world.use_nodes = True
    next(n for n in world.node_tree.nodes if n.type == "BACKGROUND").inputs[
        "Strength"
    ].default_value = 0.5
    context.scene.world = world
    for name, energy, place, size in (
        ("Key", 350, (-2.5, 1.0, 3.2), 1.5),
        ("Fill", 120, (3.0, 1.5, 2.2), 2.0),
    ):
        light = bpy.data.lights.new(name, "AREA")
        light.energy, light.size = energy * light_scale, size
        obj = bpy.data.objects.new(name, light)
        obj.location = place
        direction = np.array([0, 4.5, 1.0]) - np.array(place)
        obj.rotation_euler = Vector(direction).to_track_quat("-Z", "Y").to_euler()
        context.collection.objects.link(obj)


@dataclass(frozen=True)
class Shot:
    """What is rendered: a held-out pose (its number) at `depth` m, turned to `yaw` degrees.

    shift: the body's centre beside the optical axis, m. colours: of some garments (`GARMENTS`).
    surroundings: options of `room`.
    """

    camera: Camera
    pose: int
    yaw: float
    betas: np.ndarray
    depth: float
    shift: tuple[float, float] = (0.0, 0.05)
    samples: int = 64
    colours: dict[str, Colour] = field(default_factory=dict)
    surroundings: dict[str, Any] = field(default_factory=dict)


def camera_frame_joints(
    global_orient: np.ndarray, body_pose: np.ndarray, betas: np.ndarray
) -> np.ndarray:
    """Joints (24, 3) in the camera's frame, before translation."""
    rest = default_body_arrays().joints(betas)
    local = axis_angle_to_matrix(xp, np.concatenate((global_orient[None], body_pose)))
    world, place = [local[0]], [rest[0]]
    for j in range(1, 24):
        world.append(world[PARENTS[j]] @ local[j])
        place.append(place[PARENTS[j]] + world[PARENTS[j]] @ (rest[j] - rest[PARENTS[j]]))
    return np.stack(place)


def place_person(shot: Shot) -> tuple[Parameters, np.ndarray, str]:
    """The captured pose before the camera. -> parameters, joints (24, 3), the clip's name.

    The captured lean is kept, the body is turned about the vertical.
    """
    with np.load(HERE.parents[1] / "engine/benchmarks/data/heldout_poses.npz") as data:
        body_pose = data["pose"][shot.pose].astype(float)
        captured = data["global_orient"][shot.pose].astype(float)
        clip = str(data["names"][data["clip"][shot.pose]])
    upright = axis_angle_to_matrix(xp, captured)
    heading = np.arctan2(upright[0, 2], upright[2, 2])
    turn = axis_angle_to_matrix(xp, np.array([0.0, np.radians(shot.yaw) - heading, 0.0]))
    root = axis_angle_to_matrix(xp, np.array([np.pi, 0.0, 0.0])) @ turn @ upright
    global_orient = matrix_to_axis_angle(xp, root)
    joints = camera_frame_joints(global_orient, body_pose, shot.betas)
    transl = np.array([*shot.shift, shot.depth]) - 0.5 * (joints.min(0) + joints.max(0))
    # no code is known: the pose is encoded
    nothing = (np.zeros(0), PriorId("", ""))
    parameters = Parameters(global_orient, body_pose, shot.betas, transl, *nothing)
    return parameters, joints + transl, clip


def render_person(path: Path, shot: Shot) -> None:
    """Renders to `path` (.png), writes the truth beside it (.json). Needs a registered add-on."""
    parameters, joints, clip = place_person(shot)
    clear_scene()
    context = bpy.context
    view = Viewpoint.above_floor(level_gravity(), float(joints[:, 1].max()) + 0.07)
    scene_camera.match_camera(context, shot.camera, None, view)
    armature = scene_body.create_body(context)
    apply_parameters(armature, parameters, view)
    dress(scene_body.mesh_of(armature), shot.colours)
    room(context, **shot.surroundings)
    render(context, path, max(shot.camera.width, shot.camera.height), shot.samples)
    names = ("global_orient", "body_pose", "betas", "transl")
    truth = {
        "clip": clip,
        "camera": shot.camera.to_dict(),
        **{name: getattr(parameters, name).tolist() for name in names},
        "joints": joints.tolist(),
        "notice": "Pose from mocap.cs.cmu.edu, created with funding from NSF EIA-0196217.",
    }
    path.with_suffix(".json").write_text(json.dumps(truth), "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--pose", type=int, required=True)
    parser.add_argument("--yaw", type=float, default=20.0)
    parser.add_argument("--focal", type=float, default=1150.0)
    parser.add_argument("--size", default="720x960")
    parser.add_argument("--depth", type=float, default=3.4)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--folder", type=Path, default=HERE)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    betas = np.array([0.3, 0.4, 0.8, 0.5, 0, 0, 0, 0, 0, 0])
    camera = Camera(options.focal, options.focal, width / 2, height / 2, width, height)
    shot = Shot(camera, options.pose, options.yaw, betas, options.depth, samples=options.samples)
    addon.register()
    render_person(options.folder / f"{options.name}.png", shot)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
