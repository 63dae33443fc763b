"""A scene of `engine.benchmarks.render_scenes` as a picture by Cycles, its truth beside it."""

from __future__ import annotations

import colorsys
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
import cv2
import numpy as np
from mathutils import Matrix, Vector

from engine.benchmarks.render_scenes import HIDDEN, OUT, SHOWN, Scene, View
from kinflow.bodies.arrays import DEFAULT_BODY, default_body_arrays, vertex_normals
from kinflow.core.skeleton import JOINT_INDEX
from kinflow.tensorfile import read_tensors

SENSOR = 36.0  # mm
BEHIND = 0.15  # m of the body's own flesh before a keypoint that hide it
# numbers of `kinflow.bodies.parts`; a limb's lower half is covered or bare
GARMENTS = {"shirt": (2, 3, 4), "trousers": (9, 10), "shoes": (13, 14)}
LOWER = {"shirt": (5, 6), "trousers": (11, 12)}
LOOSENESS = {"shirt": 0.02, "trousers": 0.02, "hair": 0.03, "shoes": 0.005, "skin": 0.0}  # m


def render_scene(path: Path, scene: Scene, samples: int) -> None:
    """One picture and its truth."""
    random = np.random.default_rng([*scene.seed, 1])
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    _camera(scene.view)
    _room(random, scene.view.place())
    posed = [figure.posed() for figure in scene.figures]
    bodies = [_body(vertices, random) for vertices, _, _ in posed]
    for corners in scene.boxes:
        _box(corners, _cloth(random))
    visibility = [
        _visibility(scene.view, keypoints, body)
        for body, (_, _, keypoints) in zip(bodies, posed, strict=True)
    ]
    _picture(path, samples)
    path.with_suffix(".json").write_text(json.dumps(scene.truth(visibility)), "utf-8")


def _blender(points: np.ndarray) -> np.ndarray:
    """From Y up to Blender's Z up."""
    return np.stack((points[..., 0], -points[..., 2], points[..., 1]), -1)


def _camera(view: View) -> None:
    lens, settings = view.camera, bpy.context.scene.render
    data = bpy.data.cameras.new("Camera")
    data.sensor_fit, data.sensor_width = "HORIZONTAL", SENSOR
    data.lens, data.clip_start = lens.fx / lens.width * SENSOR, 0.05
    camera = bpy.data.objects.new("Camera", data)
    # Blender's camera looks along its -Z with +Y up
    axes = _blender(view.rotation * np.array([[1], [-1], [-1]]))
    frame = np.eye(4)
    frame[:3, :3], frame[:3, 3] = axes.T, _blender(view.place())
    camera.matrix_world = Matrix(frame.tolist())
    bpy.context.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    settings.resolution_x, settings.resolution_y = lens.width, lens.height


def _room(random: np.random.Generator, eye: np.ndarray) -> None:
    """Floor, wall, things on the floor behind the people, a sun and the sky."""
    behind = random.uniform(1.0, 5.0)
    floor = np.array([[-15, 0, 15], [15, 0, 15], [15, 0, -behind], [-15, 0, -behind]], float)
    wall = np.array([[-15, 0, -behind], [15, 0, -behind], [15, 8, -behind], [-15, 8, -behind]])
    for corners in (floor, wall):
        _mesh(corners, [(0, 1, 2, 3)], [_cloth(random, 0.9)])
    for _ in range(random.integers(0, 6)):
        size = random.uniform(0.1, 1.0, 3) * (1.0, 1.6, 0.5)
        x = random.uniform(-2.5, 2.5)
        low = np.array([x, 0, random.uniform(-behind, -min(0.9, behind - 0.1))])
        corners = low + size * [[i & 1, i >> 1 & 1, i >> 2] for i in (0, 1, 3, 2, 4, 5, 7, 6)]
        _box(corners, _cloth(random))
    world = bpy.data.worlds.new("World")
    world.use_nodes = True
    sky = next(n for n in world.node_tree.nodes if n.type == "BACKGROUND").inputs
    sky["Color"].default_value = (*_colour(random, 0.3, (0.6, 1.0)), 1.0)
    sky["Strength"].default_value = random.uniform(0.2, 0.7)
    bpy.context.scene.world = world
    sun = bpy.data.lights.new("Sun", "SUN")
    sun.energy, sun.angle = random.uniform(0.5, 4.0), random.uniform(0.0, 0.2)
    sun.color = _colour(random, 0.3, (0.9, 1.0))
    obj = bpy.data.objects.new("Sun", sun)
    # from the camera's half of the sky, so that it lights what is seen
    way = _blender(eye / np.linalg.norm(eye)) * (1, 1, 0) + random.normal(size=3) * 0.7
    way[2] = random.uniform(0.4, 2.0)
    obj.rotation_euler = Vector(way).to_track_quat("Z", "Y").to_euler()
    bpy.context.collection.objects.link(obj)


def _colour(
    random: np.random.Generator, saturation: float = 0.8, value: tuple[float, float] = (0.03, 0.8)
) -> tuple[float, float, float]:
    hue, pure, bright = random.random(), random.uniform(0, saturation), random.uniform(*value)
    return colorsys.hsv_to_rgb(hue, pure, bright)


def _cloth(random: np.random.Generator, roughness: float = 0.8) -> bpy.types.Material:
    """One colour, or two in a pattern of random fineness."""
    material = _material(_colour(random), roughness)
    if random.random() < 0.5:
        nodes, links = material.node_tree.nodes, material.node_tree.links
        noise, ramp = nodes.new("ShaderNodeTexNoise"), nodes.new("ShaderNodeValToRGB")
        noise.inputs["Scale"].default_value = float(np.exp(random.uniform(0.5, 3.5)))
        for place, element in zip((0.45, 0.55), ramp.color_ramp.elements, strict=True):
            element.position, element.color = place, (*_colour(random), 1.0)
        shader = next(n for n in nodes if n.type == "BSDF_PRINCIPLED")
        links.new(noise.outputs["Fac"], ramp.inputs["Fac"])
        links.new(ramp.outputs["Color"], shader.inputs["Base Color"])
    return material


def _material(colour: Sequence[float], roughness: float) -> bpy.types.Material:
    material = bpy.data.materials.new("Surface")
    material.use_nodes = True
    shader = next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = roughness
    return material


def _mesh(
    vertices: np.ndarray, polygons: Any, materials: list[bpy.types.Material]
) -> bpy.types.Object:
    """vertices (V, 3) m of the world, Y up."""
    data = bpy.data.meshes.new("Mesh")
    data.from_pydata(_blender(vertices).tolist(), [], polygons)
    for material in materials:
        data.materials.append(material)
    obj = bpy.data.objects.new("Mesh", data)
    bpy.context.collection.objects.link(obj)
    return obj


def _box(corners: np.ndarray, material: bpy.types.Material) -> None:
    """corners (8, 3): those of one face in order, then those of the face opposite."""
    sides = [(i, (i + 1) % 4, (i + 1) % 4 + 4, i + 4) for i in range(4)]
    _mesh(corners, [(0, 1, 2, 3), (7, 6, 5, 4), *sides], [material])


def _body(vertices: np.ndarray, random: np.random.Generator) -> bpy.types.Object:
    """A clothed body: garments are the skin, moved outwards a little and coloured."""
    arrays = default_body_arrays()
    names, garment = list(LOOSENESS), _garments(random)
    most = np.array([LOOSENESS[name] * random.random() for name in names])
    clothed = vertices + most[garment][:, None] * vertex_normals(vertices, arrays.faces)
    skin = np.array([0.62, 0.40, 0.29]) * random.uniform(0.2, 1.15)
    hair = _colour(random, 0.6, (0.01, 0.4))
    materials = [_cloth(random) for _ in names[:2]]
    materials += [_material(hair, 0.6), _material(_colour(random), 0.5), _material(skin, 0.5)]
    body = _mesh(clothed, arrays.quads.tolist(), materials)
    polygons = body.data.polygons
    polygons.foreach_set("material_index", garment[arrays.quads[:, 0]].astype(np.int32))
    polygons.foreach_set("use_smooth", np.ones(len(polygons), bool))
    return body


def _garments(random: np.random.Generator) -> np.ndarray:
    """Index into LOOSENESS of every vertex's garment, (V,)."""
    names = list(LOOSENESS)
    parts, template = read_tensors(DEFAULT_BODY)[0]["parts"], default_body_arrays().v_template
    garment = np.full(len(parts), names.index("skin"))
    for name, numbers in GARMENTS.items():
        covered = numbers + (LOWER.get(name, ()) if random.random() < 0.6 else ())
        garment[np.isin(parts, covered)] = names.index(name)
    x, y, z = (template - default_body_arrays().J_template[JOINT_INDEX["head"]]).T
    hair = (y > 0.10) | ((y > random.uniform(-0.08, 0.06)) & (z < 0.06) & (np.abs(x) < 0.09))
    if random.random() < 0.9:
        garment[hair & (parts == 1)] = names.index("hair")
    return garment


def _visibility(view: View, keypoints: np.ndarray, body: bpy.types.Object) -> np.ndarray:
    """OUT of the photo, HIDDEN by something or by much of the body itself, or SHOWN. (33,)."""
    camera = view.camera
    pixels = camera.project(keypoints @ view.rotation.T + view.transl)
    inside = (pixels >= 0).all(1) & (pixels < (camera.width, camera.height)).all(1)
    graph, eye = bpy.context.evaluated_depsgraph_get(), _blender(view.place())
    flags = np.where(inside, SHOWN, OUT)
    for index in np.flatnonzero(inside):
        way = _blender(keypoints[index]) - eye
        hit, place, _, _, first, _ = bpy.context.scene.ray_cast(graph, Vector(eye), Vector(way))
        before = np.linalg.norm(way) - np.linalg.norm(np.array(place) - eye) if hit else 0.0
        if before > (BEHIND if first and first.name == body.name else 0.0):
            flags[index] = HIDDEN
    return flags


def _picture(path: Path, samples: int) -> None:
    scene = bpy.context.scene
    cycles, settings = scene.cycles, scene.render
    settings.engine, cycles.device, cycles.samples = "CYCLES", "CPU", samples
    cycles.use_denoising, cycles.use_light_tree, cycles.max_bounces = False, False, 2
    settings.image_settings.file_format = "PNG"
    settings.filepath = str(path.with_suffix(".png"))
    bpy.ops.render.render(write_still=True)
    picture = cv2.imread(settings.filepath)
    cv2.imwrite(str(path), cv2.bilateralFilter(picture, 5, 40, 2), [cv2.IMWRITE_JPEG_QUALITY, 92])
    path.with_suffix(".png").unlink()
