"""Pose and shape of a body: latent properties, SMPL parameters and pose bones."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import bpy
import numpy as np
from mathutils import Vector

from kinflow.bodies.arrays import default_body_arrays
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import axis_angle_to_matrix, matrix_to_quaternion
from kinflow.core.skeleton import JOINT_NAMES, PARENTS
from kinflow.priors.numpy_flow import NumpyPrior, load_numpy_prior

from . import body, frames

# the latent has up to 138 numbers and a vector property at most 32
PAGE_NAMES = tuple(f"latent_{page}" for page in range(5))
PAGE_SIZE = 32

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


@dataclass(frozen=True)
class Parameters:
    """SMPL's parameters in the camera's frame (radians, metres), and the latent code (D,)."""

    global_orient: np.ndarray
    body_pose: np.ndarray
    betas: np.ndarray
    transl: np.ndarray
    z: np.ndarray


@lru_cache(maxsize=4)
def prior(name: str) -> NumpyPrior:
    return load_numpy_prior(name)


def latent_dim(name: str) -> int:
    """Length of a prior's latent."""
    return prior(name).dim


def decode(armature: bpy.types.Object, sigmas: np.ndarray) -> np.ndarray:
    """Sigmas along the body's axes (D,) -> rotations of the 23 joints (23, 3, 3), SMPL's axes."""
    flow = prior(armature.kinflow.prior)
    return flow.decode((flow.axes.T @ sigmas)[None].astype(np.float32))[0]


def encode(armature: bpy.types.Object, rotations: np.ndarray) -> np.ndarray:
    """Rotations (23, 3, 3), SMPL's axes -> sigmas along the body's axes (D,)."""
    flow = prior(armature.kinflow.prior)
    return flow.axes @ flow.encode(rotations[None].astype(np.float32))[0]


def latent(armature: bpy.types.Object) -> np.ndarray:
    """Latent along the axes, in sigmas. (D,)."""
    pages = [np.array(getattr(armature.kinflow, name)[:]) for name in PAGE_NAMES]
    return np.concatenate(pages)[: latent_dim(armature.kinflow.prior)]


def set_latent(armature: bpy.types.Object, sigmas: np.ndarray) -> None:
    """Writes the latent and poses the rig once. sigmas (D,)."""
    pages = np.zeros((len(PAGE_NAMES), PAGE_SIZE))
    pages.flat[: len(sigmas)] = sigmas
    with updates_paused():
        for name, page in zip(PAGE_NAMES, pages, strict=True):
            setattr(armature.kinflow, name, page.tolist())
    pose_from_latent(armature)


def pose_from_latent(armature: bpy.types.Object) -> None:
    """Decodes the latent properties and poses the bones; the root keeps its place and turn."""
    if _paused or not armature.kinflow.is_body:
        return
    set_body_pose(armature, decode(armature, latent(armature)))


def store(armature: bpy.types.Object, name: str) -> None:
    """Keeps the latent in a property, for `blend_stored`."""
    setattr(armature.kinflow, name, json.dumps(latent(armature).tolist()))


def blend_stored(armature: bpy.types.Object) -> None:
    """Poses between the two stored poses; nothing while one is missing or of another prior."""
    state = armature.kinflow
    if not (state.is_body and state.stored_a and state.stored_b):
        return
    a, b = (np.array(json.loads(text)) for text in (state.stored_a, state.stored_b))
    if len(a) == len(b) == latent_dim(state.prior):
        set_latent(armature, (1 - state.blend) * a + state.blend * b)


def preset_folder(name: str) -> str:
    """Where pose presets of a prior are kept, below Blender's presets."""
    return f"kinflow/pose/{name}"


def set_body_pose(armature: bpy.types.Object, rotations: np.ndarray) -> None:
    """Poses the 23 bones below the pelvis. rotations (23, 3, 3), SMPL's axes.

    Bones that were deleted are passed over.
    """
    for name, rotation in zip(JOINT_NAMES[1:], frames.body_rotation(rotations), strict=True):
        bone = armature.pose.bones.get(name)
        if bone is None:
            continue
        axes = np.array(bone.bone.matrix_local.to_3x3())
        _turn(bone, axes.T @ rotation @ axes)


def _turn(bone: bpy.types.PoseBone, basis: np.ndarray) -> None:
    bone.rotation_mode = "QUATERNION"
    bone.rotation_quaternion = matrix_to_quaternion(xp, basis).tolist()


def set_root(armature: bpy.types.Object, rotation: np.ndarray, position: np.ndarray) -> None:
    """Turns and places the pelvis in the armature's space. rotation (3, 3), position (3,) m."""
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
    bones = armature.pose.bones
    for j, name in enumerate(JOINT_NAMES[1:], 1):
        bone, parent = bones.get(name), bones.get(JOINT_NAMES[PARENTS[j]])
        if bone is not None and parent is not None:
            result[j - 1] = frames.from_body_rotation(_turned(parent).T @ _turned(bone))
    return result


def _turned(bone: bpy.types.PoseBone) -> np.ndarray:
    """How far a bone is turned from its rest, in the armature's space. (3, 3)."""
    return np.array((bone.matrix @ bone.bone.matrix_local.inverted()).to_3x3().normalized())


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
    armature: bpy.types.Object, parameters: Parameters, camera_height: float
) -> None:
    """Puts a fit onto a body: shape, latent and pose, place in front of the camera."""
    set_betas(armature, parameters.betas)
    local = axis_angle_to_matrix(xp, np.asarray(parameters.body_pose, float))
    with updates_paused():
        set_latent(armature, prior(armature.kinflow.prior).axes @ parameters.z)
    set_body_pose(armature, local)
    pelvis = default_body_arrays().joints(parameters.betas)[0] + parameters.transl
    turn = axis_angle_to_matrix(xp, np.asarray(parameters.global_orient, float))
    place = frames.camera_points(pelvis, camera_height)
    set_root(armature, frames.root_rotation(turn), place)
