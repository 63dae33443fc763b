"""Renders a sample photo with known truth: a clothed body in a captured pose, in a lit room, with Cycles.

    python blender_tests/samples/render_sample.py NAME --pose INDEX [--yaw DEG] [--focal PX] [--size WxH] [--folder DIR]

Writes NAME.png and NAME.json (camera, SMPL parameters, joints in the camera's frame) beside this script, or into --folder. Needs the
pip packages bpy and kinflow.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import bpy
import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

import addon  # noqa: E402
from addon.batch import clear_scene  # noqa: E402
from addon.scene import body as scene_body  # noqa: E402
from addon.scene import camera as scene_camera  # noqa: E402
from addon.scene import pose as scene_pose  # noqa: E402
from kinflow.bodies.arrays import default_body_arrays  # noqa: E402
from kinflow.records import Camera  # noqa: E402
from kinflow.rotations_np import axis_angle_to_matrix, matrix_to_axis_angle  # noqa: E402
from kinflow.core.skeleton import JOINT_INDEX, PARENTS  # noqa: E402
from kinflow.tensorfile import read_tensors  # noqa: E402

# part number -> garment; parts are those of kinflow.bodies.parts
GARMENTS = {
    "skin": ((0.58, 0.36, 0.26), 0.55, (1, 5, 6, 7, 8)),
    "shirt": ((0.06, 0.17, 0.42), 0.9, (2, 3, 4)),
    "trousers": ((0.17, 0.15, 0.12), 0.9, (9, 10, 11, 12)),
    "shoes": ((0.5, 0.48, 0.45), 0.4, (13, 14)),
    "hair": ((0.03, 0.02, 0.015), 0.6, ()),
}


def material(name: str, colour: tuple[float, float, float], roughness: float) -> bpy.types.Material:
    result = bpy.data.materials.new(name)
    result.use_nodes = True
    shader = next(n for n in result.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = roughness
    return result


def dress(
    mesh: bpy.types.Object, colours: dict[str, tuple[float, float, float]] | None = None
) -> None:
    """Gives every polygon the garment of its part. colours: other ones for some garments."""
    arrays = default_body_arrays()
    parts = read_tensors(Path(sys.modules["kinflow.bodies.arrays"].DEFAULT_BODY))[0]["parts"]
    mesh.data.materials.clear()
    of_part = np.zeros(15, int)
    for index, (name, (colour, roughness, numbers)) in enumerate(GARMENTS.items()):
        mesh.data.materials.append(material(name, (colours or {}).get(name, colour), roughness))
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
    floor: tuple[float, float, float] = (0.42, 0.33, 0.24),
    wall: tuple[float, float, float] = (0.55, 0.6, 0.58),
    light_scale: float = 1.0,
) -> None:
    """Floor, wall and two lamps."""

    def plane(
        name: str, corners: list[tuple[float, float, float]], colour: tuple[float, float, float]
    ) -> None:
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
        from mathutils import Vector

        obj.rotation_euler = Vector(direction).to_track_quat("-Z", "Y").to_euler()
        context.collection.objects.link(obj)


def camera_frame_joints(
    global_orient: np.ndarray, body_pose: np.ndarray, betas: np.ndarray, transl: np.ndarray
) -> np.ndarray:
    """Joints in the camera's frame (24, 3), numpy."""
    rest = default_body_arrays().joints(betas)
    local = np.concatenate(
        (axis_angle_to_matrix(global_orient)[None], axis_angle_to_matrix(body_pose))
    )
    world, place = [local[0]], [rest[0]]
    for j in range(1, 24):
        world.append(world[PARENTS[j]] @ local[j])
        place.append(place[PARENTS[j]] + world[PARENTS[j]] @ (rest[j] - rest[PARENTS[j]]))
    return np.stack(place) + transl


def place_person(
    pose: int, yaw: float, betas: np.ndarray, depth: float, shift: tuple[float, float] = (0.0, 0.05)
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, str]:
    """A held-out captured pose before the camera: global_orient, body_pose, transl, joints (24, 3), the clip's name.

    The captured lean is kept, the body is turned about the vertical to `yaw` degrees.
    """
    with np.load(HERE.parents[1] / "engine/benchmarks/data/heldout_poses.npz") as data:
        body_pose = data["pose"][pose].astype(float)
        captured = data["global_orient"][pose].astype(float)
        clip = str(data["names"][data["clip"][pose]])
    upright = axis_angle_to_matrix(captured)
    heading = np.arctan2(upright[0, 2], upright[2, 2])
    turn = axis_angle_to_matrix(np.array([0.0, np.radians(yaw) - heading, 0.0]))
    root = axis_angle_to_matrix(np.array([np.pi, 0.0, 0.0])) @ turn @ upright
    global_orient = matrix_to_axis_angle(root)
    joints = camera_frame_joints(global_orient, body_pose, betas, np.zeros(3))
    centre = 0.5 * (joints.min(0) + joints.max(0))
    transl = np.array([shift[0] - centre[0], shift[1] - centre[1], depth - centre[2]])
    return global_orient, body_pose, transl, joints + transl, clip


def render_person(
    path: Path,
    camera: Camera,
    pose: int,
    yaw: float,
    betas: np.ndarray,
    depth: float,
    samples: int,
    colours: dict[str, tuple[float, float, float]] | None = None,
    surroundings: dict | None = None,
    shift: tuple[float, float] = (0.0, 0.05),
) -> None:
    """Renders one person to `path` (.png) and writes its truth beside it (.json). The add-on has to be registered."""
    from addon.batch import render

    global_orient, body_pose, transl, joints, clip = place_person(pose, yaw, betas, depth, shift)
    clear_scene()
    context = bpy.context
    ground = float(joints[:, 1].max()) + 0.07
    scene_camera.match_camera(context, camera, None, ground)
    armature = scene_body.create_body(context)
    scene_pose.apply_parameters(
        armature,
        global_orient=global_orient,
        body_pose=body_pose,
        betas=betas,
        transl=transl,
        z=np.zeros(138),
        camera_height=ground,
    )
    dress(scene_body.mesh_of(armature), colours)
    room(context, **(surroundings or {}))
    render(context, path, longest=max(camera.width, camera.height), samples=samples)
    truth = {
        "clip": clip,
        "camera": camera.to_dict(),
        "global_orient": global_orient.tolist(),
        "body_pose": body_pose.tolist(),
        "betas": betas.tolist(),
        "transl": transl.tolist(),
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
    addon.register()
    render_person(
        options.folder / f"{options.name}.png",
        camera,
        options.pose,
        options.yaw,
        betas,
        options.depth,
        options.samples,
    )
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
