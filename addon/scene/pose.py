"""Pose and shape of a body: SMPL's rotations and betas, pose bones and shape keys."""

import contextlib
from collections.abc import Container, Iterator, Sequence

import bpy
import numpy as np

from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import matrix_to_quaternion
from kinflow.core.skeleton import JOINT_NAMES, PARENTS

from . import body, frames, soles
from .rest import rest_arrays

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


def follows_properties(armature: bpy.types.Object) -> bool:
    """Whether a property that is set now poses the rig."""
    return armature.kinflow.is_body and not _paused


def set_body_pose(
    armature: bpy.types.Object, rotations: np.ndarray, leave: Container[str] = ()
) -> None:
    """Poses the bones below the pelvis that are there, but for those that it should leave.

    rotations (23, 3, 3), SMPL's axes.
    """
    bones = armature.pose.bones
    joints = [j for j, name in enumerate(JOINT_NAMES[1:]) if name in bones and name not in leave]
    posed = [bones[JOINT_NAMES[1 + j]] for j in joints]
    _turn(posed, frames.body_rotation(np.asarray(rotations)[joints]))


def _turn(bones: Sequence[bpy.types.PoseBone], rotations: np.ndarray) -> None:
    """Turns bones from their rest by rotations (N, 3, 3) in the armature's axes."""
    if not bones:
        return
    axes = np.stack([np.array(bone.bone.matrix_local.to_3x3()) for bone in bones])
    turns = matrix_to_quaternion(xp, axes.swapaxes(1, 2) @ rotations @ axes)
    for bone, turn in zip(bones, turns.tolist(), strict=True):
        bone.rotation_mode = "QUATERNION"
        bone.rotation_quaternion = turn


def set_root(armature: bpy.types.Object, rotation: np.ndarray, position: np.ndarray) -> None:
    """Turns and places the pelvis in the armature's space. rotation (3, 3), position (3,) m."""
    bone = armature.pose.bones.get("pelvis")
    if bone is not None:
        _turn([bone], rotation[None])
        body.put_pelvis(armature, position)


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
    """Shape keys and rest joints from the shape properties; the pose and the soles stay."""
    if not follows_properties(armature) or body.shape_remark(armature):
        return
    betas = np.array(armature.kinflow.betas[:])
    with soles.kept(armature):
        for key, value in zip(body.shape_keys(armature), betas.tolist(), strict=True):
            if key is not None:
                key.value = value
        body.set_rest_bones(bpy.context, armature, rest_arrays().joints(betas))
