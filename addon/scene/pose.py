"""Pose and shape of a body: latent properties, SMPL parameters and pose bones."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from functools import lru_cache

import bpy
import numpy as np
from mathutils import Vector

from kinflow.bodies.arrays import default_body_arrays
from kinflow.priors.numpy_flow import NumpyPrior, load_numpy_prior
from kinflow.rotations_np import axis_angle_to_matrix, matrix_to_quaternion
from kinflow.core.skeleton import JOINT_NAMES, PARENTS

from . import body, frames

_paused = False


@contextlib.contextmanager
def updates_paused() -> Iterator[None]:
    """Sets several properties without each of them posing the rig."""
    global _paused
    before, _paused = _paused, True
    try:
        yield
    finally:
        _paused = before


@lru_cache(maxsize=4)
def prior(name: str) -> NumpyPrior:
    return load_numpy_prior(name)


def latent_dim(name: str) -> int:
    """Length of a prior's latent."""
    return prior(name).dim


def _pages(armature: bpy.types.Object) -> list[str]:
    return [f"latent_{page}" for page in range(5)]


def latent(armature: bpy.types.Object) -> np.ndarray:
    """Latent along the axes, in sigmas. (D,)."""
    values = np.concatenate(
        [np.array(getattr(armature.kinflow, name)[:]) for name in _pages(armature)]
    )
    return values[: prior(armature.kinflow.prior).dim]


def set_latent(armature: bpy.types.Object, sigmas: np.ndarray) -> None:
    """Writes the latent and poses the rig once. sigmas (D,)."""
    padded = np.zeros(160)
    padded[: len(sigmas)] = sigmas
    with updates_paused():
        for page, name in enumerate(_pages(armature)):
            setattr(armature.kinflow, name, padded[32 * page : 32 * page + 32].tolist())
    pose_from_latent(armature)


def latent_from_z(armature: bpy.types.Object, z: np.ndarray) -> np.ndarray:
    """Code z (D,) -> sigmas along the ordered axes (D,)."""
    return prior(armature.kinflow.prior).axes @ z


def pose_from_latent(armature: bpy.types.Object) -> None:
    """Decodes the latent properties in numpy and poses the bones; the root keeps its place and turn."""
    if _paused or not armature.kinflow.is_body:
        return
    flow = prior(armature.kinflow.prior)
    z = flow.axes.T @ latent(armature)
    set_body_pose(armature, flow.decode(z[None].astype(np.float32))[0])


def blend_stored(armature: bpy.types.Object) -> None:
    """Poses between the two stored poses by the blend property; nothing while one is missing or of another prior."""
    state = armature.kinflow
    if not (state.is_body and state.stored_a and state.stored_b):
        return
    a, b = (np.array(json.loads(text)) for text in (state.stored_a, state.stored_b))
    if len(a) == len(b) == prior(state.prior).dim:
        set_latent(armature, (1 - state.blend) * a + state.blend * b)


def set_body_pose(armature: bpy.types.Object, rotations: np.ndarray) -> None:
    """Poses the 23 bones below the pelvis. rotations (23, 3, 3), SMPL's axes. Bones that were deleted are passed over."""
    for name, rotation in zip(JOINT_NAMES[1:], frames.body_rotation(rotations), strict=True):
        bone = armature.pose.bones.get(name)
        if bone is None:
            continue
        axes = np.array(bone.bone.matrix_local.to_3x3())
        _turn(bone, axes.T @ rotation @ axes)


def _turn(bone: bpy.types.PoseBone, basis: np.ndarray) -> None:
    bone.rotation_mode = "QUATERNION"
    bone.rotation_quaternion = matrix_to_quaternion(basis).tolist()


def set_root(armature: bpy.types.Object, rotation: np.ndarray, position: np.ndarray) -> None:
    """Turns the pelvis and puts it at a place in the armature's space. rotation (3, 3), position (3,) m."""
    bone = armature.pose.bones.get("pelvis")
    if bone is None:
        return
    rest = np.array(bone.bone.matrix_local)
    axes, head = rest[:3, :3], rest[:3, 3]
    _turn(bone, axes.T @ rotation @ axes)
    bone.location = Vector(axes.T @ (position - head))


def read_body_pose(armature: bpy.types.Object) -> np.ndarray:
    """Rotations of the 23 bones as they stand, posed by whatever. -> (23, 3, 3), SMPL's axes."""
    result = np.tile(np.eye(3), (23, 1, 1))
    for j, name in enumerate(JOINT_NAMES[1:], 1):
        bone, parent = (
            armature.pose.bones.get(name),
            armature.pose.bones.get(JOINT_NAMES[PARENTS[j]]),
        )
        if bone is None or parent is None:
            continue
        turn = np.array((bone.matrix @ bone.bone.matrix_local.inverted()).to_3x3().normalized())
        above = np.array(
            (parent.matrix @ parent.bone.matrix_local.inverted()).to_3x3().normalized()
        )
        result[j - 1] = frames.from_body_rotation(above.T @ turn)
    return result


def set_betas(armature: bpy.types.Object, betas: np.ndarray) -> None:
    """Writes the shape and applies it once. betas (10,)."""
    with updates_paused():
        armature.kinflow.betas = np.asarray(betas, float).tolist()
    shape_from_betas(armature)


def shape_from_betas(armature: bpy.types.Object) -> None:
    """Shape keys and rest joints from the shape properties; the pose stays."""
    if _paused or not armature.kinflow.is_body:
        return
    arrays = default_body_arrays()
    betas = np.array(armature.kinflow.betas[:])
    mesh = body.mesh_of(armature)
    if mesh is not None and mesh.data.shape_keys is not None:
        for k, label in enumerate(arrays.shape_names):
            key = mesh.data.shape_keys.key_blocks.get(f"Shape {k + 1} {label}")
            if key is not None:
                key.value = float(betas[k])
    pelvis = armature.pose.bones.get("pelvis")
    place = np.array(pelvis.head) if pelvis is not None else None
    body.set_rest_bones(bpy.context, armature, arrays.joints(betas))
    if place is not None:
        pelvis = armature.pose.bones["pelvis"]
        rest = np.array(pelvis.bone.matrix_local)
        pelvis.location = Vector(rest[:3, :3].T @ (place - rest[:3, 3]))


def apply_parameters(
    armature: bpy.types.Object,
    *,
    global_orient: np.ndarray,
    body_pose: np.ndarray,
    betas: np.ndarray,
    transl: np.ndarray,
    z: np.ndarray,
    camera_height: float,
) -> None:
    """Puts a fit onto a body: shape, latent and pose, place in front of the camera. Parameters in SMPL's names."""
    set_betas(armature, betas)
    with updates_paused():
        set_latent(armature, latent_from_z(armature, z))
    set_body_pose(armature, axis_angle_to_matrix(np.asarray(body_pose, float)))
    pelvis = default_body_arrays().joints(betas)[0] + transl
    rotation = frames.root_rotation(axis_angle_to_matrix(np.asarray(global_orient, float)))
    set_root(armature, rotation, frames.camera_points(pelvis, camera_height))
