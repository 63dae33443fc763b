"""A rig's bones as their own properties say, before constraints and before an evaluation."""

import bpy
import numpy as np

from kinflow.core.skeleton import JOINT_NAMES

from . import frames


def turn_of(bone: bpy.types.PoseBone) -> np.ndarray:
    """How a bone's properties turn it from its rest, SMPL's axes. (3, 3)."""
    axes = np.array(bone.bone.matrix_local.to_3x3())
    return frames.from_body_rotation(
        axes @ np.array(bone.matrix_basis.to_3x3().normalized()) @ axes.T
    )


def turns(armature: bpy.types.Object) -> np.ndarray:
    """Of all joints, the root first; of those without a bone none. -> (24, 3, 3), SMPL's axes."""
    result = np.tile(np.eye(3), (len(JOINT_NAMES), 1, 1))
    for joint, name in enumerate(JOINT_NAMES):
        bone = armature.pose.bones.get(name)
        if bone is not None:
            result[joint] = turn_of(bone)
    return result


def head_of(bone: bpy.types.PoseBone) -> np.ndarray:
    """Where its properties put a bone without a parent, (3,) m in the armature's space."""
    axes = np.array(bone.bone.matrix_local.to_3x3())
    return np.array(bone.bone.head_local) + axes @ np.array(bone.matrix_basis.translation)
