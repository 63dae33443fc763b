"""The rigged body: mesh with shape keys, armature of SMPL's 24 joints, live pose correctives."""

import bpy
import numpy as np
from mathutils import Vector

from kinflow.bodies.arrays import BodyArrays
from kinflow.core.skeleton import JOINT_NAMES, PARENTS
from kinflow.priors.arrays import load_prior_arrays

from .. import compat
from . import frames
from .rest import rest_arrays

# Rest axes of every bone in Blender's frame. Bones lie along the axis towards their children,
# exactly: a pose bone's rotation matrix then holds SMPL's entries up to sign, which is what lets
# plain drivers feed the correctives.
_UP, _DOWN, _LEFT, _RIGHT, _FORWARD = (0, 0, 1), (0, 0, -1), (1, 0, 0), (-1, 0, 0), (0, -1, 0)
TIP_LENGTHS = {"head": 0.18, "hand": 0.09, "foot": 0.07}


def bone_direction(name: str) -> tuple[int, int, int]:
    """Unit direction of a bone at rest, Blender's frame."""
    short = name.split("_")[-1]
    if short in ("hip", "knee"):
        return _DOWN
    if short in ("ankle", "foot"):
        return _FORWARD
    if short in ("collar", "shoulder", "elbow", "wrist", "hand"):
        return _LEFT if name.startswith("left") else _RIGHT
    return _UP


def bone_axes(name: str) -> np.ndarray:
    """A bone's rest matrix (3, 3): columns x, y along the bone, z to the front (up for feet)."""
    y = np.array(bone_direction(name), float)
    z = np.array(_UP if tuple(bone_direction(name)) == _FORWARD else _FORWARD, float)
    return np.stack((np.cross(y, z), y, z), -1)


def find_bodies() -> list[bpy.types.Object]:
    """Armatures that kinflow made and a scene has, found by their own property."""
    return [obj for obj in bpy.data.objects if is_body(obj) and obj.users_scene]


def is_body(obj: bpy.types.Object | None) -> bool:
    """Whether an object is the armature of a body."""
    return obj is not None and obj.type == "ARMATURE" and obj.kinflow.is_body


def body_of(obj: bpy.types.Object | None) -> bpy.types.Object | None:
    """The body that an object is, or the mesh or something else parented to it."""
    candidates = (obj, obj.parent) if obj is not None else ()
    return next((o for o in candidates if is_body(o)), None)


def mesh_of(armature: bpy.types.Object) -> bpy.types.Object | None:
    """The body's mesh; None where the user deleted it, or copied the armature alone."""
    mesh = armature.kinflow.mesh
    if mesh is None or not mesh.users_scene:
        return None
    moved_by = [m.object for m in mesh.modifiers if m.type == "ARMATURE"]
    return mesh if armature in moved_by else None


def own_data(armature: bpy.types.Object) -> None:
    """Gives a linked copy its own mesh, shape keys and bones: two bodies cannot share them, since
    both shape and pose move the one mesh.
    """
    mesh = mesh_of(armature)
    others = []
    if armature.data.users > 1 or (mesh is not None and mesh.data.users > 1):
        others = [other for other in find_bodies() if other != armature]
    if any(other.data == armature.data for other in others):
        armature.data = armature.data.copy()
    meshes = [found for found in map(mesh_of, others) if found is not None]
    if mesh is None or mesh.data.library is not None:
        return
    if any(other.data == mesh.data for other in meshes):
        mesh.data = mesh.data.copy()
    keys = mesh.data.shape_keys
    animation = keys.animation_data if keys is not None else None
    for curve in animation.drivers if animation is not None else ():
        for target in (variable.targets[0] for variable in curve.driver.variables):
            if target.id == armature:
                return  # all or none
            if is_body(target.id):
                target.id = armature


def shape_remark(armature: bpy.types.Object) -> str:
    """Why a body's shape cannot be changed here; "" where it can."""
    mesh = mesh_of(armature)
    if mesh is None:
        return "Its mesh is gone: only the rig is left"
    data = (armature.data, mesh.data)
    if any(d.library is not None or d.override_library is not None for d in data):
        return "Its shape stays as in the file that it is linked from"
    return ""


def create_body(
    collection: bpy.types.Collection, name: str = "Body", prior: str = "light"
) -> bpy.types.Object:
    """Adds a body at the origin in the T-pose, feet on the ground. -> its armature."""
    arrays = rest_arrays()
    armature_data = bpy.data.armatures.new(f"{name} Rig")
    armature = bpy.data.objects.new(f"{name} Rig", armature_data)
    collection.objects.link(armature)
    mesh = _create_mesh(collection, arrays, name)
    mesh.parent = armature
    properties = armature.kinflow
    properties.is_body, properties.mesh = True, mesh
    properties.prior, properties.prior_checksum = load_prior_arrays(prior).id
    set_rest_bones(bpy.context, armature, arrays.J_template)
    for bone in armature.pose.bones:
        bone.rotation_mode = "QUATERNION"
        bone.lock_location = (bone.name != "pelvis",) * 3
    _add_weights(mesh, arrays)
    modifier = mesh.modifiers.new("Armature", "ARMATURE")
    modifier.object = armature
    _add_correctives(mesh, armature, arrays)
    armature.show_in_front = True
    armature_data.display_type = "OCTAHEDRAL"
    return armature


def shape_keys(armature: bpy.types.Object) -> list[bpy.types.ShapeKey | None]:
    """The keys of the ten shape sliders; None for one that was deleted, or all with the mesh."""
    mesh, names = mesh_of(armature), rest_arrays().shape_names
    if mesh is None or mesh.data.shape_keys is None:
        return [None] * len(names)
    keys = mesh.data.shape_keys.key_blocks
    return [keys.get(f"Shape {k + 1} {label}") for k, label in enumerate(names)]


def put_pelvis(armature: bpy.types.Object, place: np.ndarray) -> None:
    """Moves the pelvis to a place (3,) m in the armature's space; nothing where it was deleted."""
    bone = armature.pose.bones.get("pelvis")
    if bone is not None:
        rest = np.array(bone.bone.matrix_local)
        bone.location = Vector(rest[:3, :3].T @ (place - rest[:3, 3]))


def _create_mesh(
    collection: bpy.types.Collection, arrays: BodyArrays, name: str
) -> bpy.types.Object:
    data = bpy.data.meshes.new(name)
    vertices = frames.body_points(arrays.v_template).astype(np.float32)
    data.vertices.add(len(vertices))
    data.vertices.foreach_set("co", vertices.ravel())
    quads = arrays.quads.astype(np.int32)
    data.loops.add(quads.size)
    data.loops.foreach_set("vertex_index", quads.ravel())
    data.polygons.add(len(quads))
    data.polygons.foreach_set("loop_start", np.arange(0, quads.size, 4, dtype=np.int32))
    data.polygons.foreach_set("use_smooth", np.ones(len(quads), bool))
    layer = data.uv_layers.new(name="UVMap")
    layer.data.foreach_set("uv", arrays.uv[arrays.quad_uv].astype(np.float32).ravel())
    data.update(calc_edges=True)
    data.validate()
    data.materials.append(_skin_material())
    mesh = bpy.data.objects.new(name, data)
    collection.objects.link(mesh)
    mesh.shape_key_add(name="Basis", from_mix=False)
    data.shape_keys.name = f"{name} Shape"
    for k, label in enumerate(arrays.shape_names):
        key = compat.new_shape_key(mesh, f"Shape {k + 1} {label}")
        moved = vertices + frames.body_points(arrays.shapedirs[:, :, k]).astype(np.float32)
        key.data.foreach_set("co", moved.ravel())
        key.slider_min, key.slider_max = -5.0, 5.0
    return mesh


def _skin_material() -> bpy.types.Material:
    material = bpy.data.materials.get("kinflow Skin")
    if material is None:
        material = compat.new_material("kinflow Skin", (0.62, 0.42, 0.33, 1.0), 0.6)
        material.diffuse_color = (0.72, 0.56, 0.48, 1.0)
    return material


def _add_weights(mesh: bpy.types.Object, arrays: BodyArrays) -> None:
    groups = [mesh.vertex_groups.new(name=name) for name in JOINT_NAMES]
    for joint, group in enumerate(groups):
        rows, columns = np.nonzero((arrays.weight_joints == joint) & (arrays.weight_values > 0))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            group.add((row,), float(arrays.weight_values[row, column]), "REPLACE")


def corrective_source(joint: int, row: int, column: int) -> tuple[int, int, float]:
    """Where SMPL's entry R[row, column] of a joint stands in its pose bone's matrix M.

    -> row, column and sign. With B the turn into Blender's frame and E the bone's rest axes,
    R = (B' E) M (B' E)', and B' E is a signed permutation.
    """
    turn = frames.BODY_TO_BLENDER.T @ bone_axes(JOINT_NAMES[joint])
    i, j = int(np.abs(turn[row]).argmax()), int(np.abs(turn[column]).argmax())
    return i, j, float(turn[row, i] * turn[column, j])


def _add_correctives(
    mesh: bpy.types.Object, armature: bpy.types.Object, arrays: BodyArrays
) -> None:
    """Shape keys that follow the pose: entries of a bone's rotation matrix, less 1 on the diagonal.

    A driver that sums one variable and a generator modifier that shifts and scales it: no scripted
    expression, so it runs where auto-run of scripts is off.
    """
    basis = frames.body_points(arrays.v_template).astype(np.float32)
    for number, (joint, row, column) in enumerate(arrays.features.tolist()):
        bone = JOINT_NAMES[joint]
        key = compat.new_shape_key(mesh, f"Corrective {number + 1} {bone}")
        moved = basis + frames.body_points(arrays.offsets[number]).astype(np.float32)
        key.data.foreach_set("co", moved.ravel())
        key.slider_min, key.slider_max = -3.0, 3.0
        curve = key.driver_add("value")
        curve.driver.type = "SUM"
        variable = curve.driver.variables.new()
        variable.name, variable.type = "entry", "SINGLE_PROP"
        i, j, sign = corrective_source(joint, row, column)
        target = variable.targets[0]
        # column first
        target.id, target.data_path = armature, f'pose.bones["{bone}"].matrix_basis[{j}][{i}]'
        for old in list(curve.modifiers):
            curve.modifiers.remove(old)
        generator = curve.modifiers.new("GENERATOR")
        generator.mode, generator.poly_order = "POLYNOMIAL", 1
        generator.coefficients = (-1.0 if row == column else 0.0, sign)


def set_rest_bones(
    context: bpy.types.Context, armature: bpy.types.Object, joints: np.ndarray
) -> None:
    """Puts the rest bones at these joints (24, 3), body frame; makes them where there are none.

    Keeps mode and pose. Rest bones exist in edit mode alone, so this enters and leaves it.
    """
    heads = frames.body_points(joints)
    layer = context.view_layer
    before, mode = layer.objects.active, context.mode
    if mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        bones = armature.data.edit_bones
        for j, name in enumerate(JOINT_NAMES):
            bone = bones.get(name) or bones.new(name)
            bone.use_connect = False
            direction = np.array(bone_direction(name), float)
            bone.head = Vector(heads[j])
            bone.tail = Vector(heads[j] + direction * _bone_length(j, heads))
            bone.align_roll(Vector(bone_axes(name)[:, 2]))
            if PARENTS[j] >= 0:
                bone.parent = bones[JOINT_NAMES[PARENTS[j]]]
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
        layer.objects.active = before
        if mode == "POSE" and before is not None and before.type == "ARMATURE":
            bpy.ops.object.mode_set(mode="POSE")


def _bone_length(joint: int, heads: np.ndarray) -> float:
    children = [c for c in range(len(PARENTS)) if PARENTS[c] == joint]
    if not children:
        return TIP_LENGTHS[JOINT_NAMES[joint].split("_")[-1]]
    main = {0: 3, 9: 12}.get(joint, children[0])
    direction = np.array(bone_direction(JOINT_NAMES[joint]), float)
    return max(0.02, float(abs((heads[main] - heads[joint]) @ direction)))
