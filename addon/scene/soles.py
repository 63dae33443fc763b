"""What a body stands on, and posing that leaves it there."""

import contextlib
from collections.abc import Iterator

import bpy
import numpy as np
from mathutils import Vector

from kinflow.bodies.tables import body_table, skin_table
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.body import pose_skeleton, skin
from kinflow.core.skeleton import JOINT_NAMES

from . import body, bones, frames
from .rest import rest_arrays

# m above the body's lowest point: below the one a foot stands, above the other it is in the air
STANDING, LIFTED = 0.05, 0.25
_FEET = {f"{side}_foot": (f"{side}_ankle", f"{side}_foot") for side in ("left", "right")}


@contextlib.contextmanager
def kept(armature: bpy.types.Object) -> Iterator[None]:
    """Whatever poses or shapes the body inside leaves its soles where they are.

    A body in the air stays as high above the ground as it was. Nothing happens to one without mesh.
    """
    if body.mesh_of(armature) is None:
        yield
        return
    before = support(armature)
    yield
    _move(armature, before - support(armature))


def support(armature: bpy.types.Object) -> np.ndarray:
    """Where the body stands, (3,) m in the armature's space: at the height of its lowest point,
    amid the feet that are down there, or under the pelvis where none is.

    It depends on nothing but pose and shape, so that a slider that goes there and back again leaves
    the body where it was.
    """
    up = _up(armature)
    vertices, joints = _posed(armature)
    heights = vertices @ up
    low, nearest = heights.min(), rest_arrays().weight_joints[:, 0]
    amid, weight = np.zeros(3), 0.0
    for ball, names in _FEET.items():
        of_foot = np.isin(nearest, [JOINT_NAMES.index(name) for name in names])
        clearance = heights[of_foot].min() - low
        carries = float(np.clip((LIFTED - clearance) / (LIFTED - STANDING), 0, 1))
        amid, weight = amid + carries * joints[JOINT_NAMES.index(ball)], weight + carries
    # one foot that is down says it all
    rest = max(0.0, 1 - weight)
    amid = (amid + rest * joints[0]) / (weight + rest)
    return amid + (low - amid @ up) * up


def height(armature: bpy.types.Object) -> float:
    """Of the body's lowest point over Z = 0, m, by pose and shape alone."""
    lowest = np.append(support(armature), 1.0)
    return float((np.array(armature.matrix_world) @ lowest)[2])


def lowest_shown(context: bpy.types.Context, armature: bpy.types.Object) -> float | None:
    """Height of the mesh's lowest point in the world as Blender shows it, m; None without mesh."""
    graph = context.evaluated_depsgraph_get()
    mesh = body.mesh_of(armature)
    if mesh is None or mesh.name not in context.view_layer.objects:
        return None
    shown = mesh.evaluated_get(graph)
    data = shown.to_mesh()
    points = np.empty(3 * len(data.vertices), np.float32)
    data.vertices.foreach_get("co", points)
    shown.to_mesh_clear()
    row = np.array(shown.matrix_world)[2]
    return float((points.reshape(-1, 3) @ row[:3]).min() + row[3]) if len(points) else None


def lift(armature: bpy.types.Object, height: float) -> None:
    """Raises the body by metres of the world."""
    turn = armature.matrix_world.to_3x3().inverted_safe()
    _move(armature, np.array(turn @ Vector((0, 0, height))))


def _move(armature: bpy.types.Object, way: np.ndarray) -> None:
    bone = armature.pose.bones.get("pelvis")
    if bone is not None:
        axes = np.array(bone.bone.matrix_local.to_3x3())
        bone.location += Vector(axes.T @ way)


def _up(armature: bpy.types.Object) -> np.ndarray:
    """The world's vertical in the armature's space, (3,) of length 1."""
    turn = armature.matrix_world.to_3x3().inverted_safe()
    return np.array((turn @ Vector((0, 0, 1))).normalized())


def _posed(armature: bpy.types.Object) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) and joints (24, 3) as bones and shape keys stand, m in the armature's space.

    Blender's own come one evaluation of the scene later, too late for a slider.
    """
    arrays = rest_arrays()
    betas = np.array([key.value if key is not None else 0.0 for key in body.shape_keys(armature)])
    root, rotations = armature.pose.bones.get("pelvis"), bones.turns(armature)[None]
    pelvis = frames.body_points(arrays.joints(betas)[0]) if root is None else bones.head_of(root)
    skeleton = pose_skeleton(xp, body_table(arrays, arrays.backend), rotations, betas[None])
    vertices = skin(xp, skin_table(arrays, arrays.backend), skeleton)[0]
    shift = pelvis - frames.body_points(skeleton.place[0, 0])
    return tuple(frames.body_points(p) + shift for p in (vertices, skeleton.place[0]))
