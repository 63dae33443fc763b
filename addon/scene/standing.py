"""Poses to begin from, upright on the floor, whatever the pose before."""

import bpy
import numpy as np

from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import axis_angle_to_matrix
from kinflow.core.skeleton import JOINT_NAMES

from . import bones, frames, latent, pose, soles

A_POSE = np.radians(45)  # how far the arms hang below a T-pose's
ITEMS = [
    ("MEAN", "Mean Pose", "All sliders at zero: how people stand on average"),
    ("T", "T-Pose", "Upright, arms straight to the sides: the rig's rest pose"),
    ("A", "A-Pose", "Upright, arms half lowered"),
]


def take(armature: bpy.types.Object, name: str) -> None:
    """One of ITEMS, with sliders that say so."""
    if name == "MEAN":
        latent.set_latent(armature, np.zeros(latent.prior_of(armature).dim))
    else:
        vectors = np.zeros((23, 3))
        if name == "A":
            vectors[JOINT_NAMES.index("left_shoulder") - 1, 2] = -A_POSE
            vectors[JOINT_NAMES.index("right_shoulder") - 1, 2] = A_POSE
        rotations = axis_angle_to_matrix(xp, vectors)
        latent.write_latent(armature, latent.encode(armature, rotations))
        pose.set_body_pose(armature, rotations)
    stand(armature)


def stand(armature: bpy.types.Object) -> None:
    """Upright where the body is, facing as it does, its lowest point at Z = 0."""
    pelvis = armature.pose.bones.get("pelvis")
    if pelvis is None:
        return
    axes = np.array(armature.matrix_world.to_3x3().normalized())
    front = axes @ frames.body_rotation(bones.turn_of(pelvis)) @ np.array([0.0, -1.0, 0.0])
    heading = float(np.arctan2(front[0], -front[1]))
    turn = axis_angle_to_matrix(xp, np.array([0.0, 0.0, heading]))
    pose.set_root(armature, axes.T @ turn, bones.head_of(pelvis))
    soles.lift(armature, -soles.height(armature))
