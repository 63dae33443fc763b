"""Swap left and right."""

import bpy

from kinflow.mocap.clip import mirror_pose

from ..scene import latent, pose
from .common import BodyOperator


class KINFLOW_OT_mirror_pose(BodyOperator, bpy.types.Operator):
    """Swap left and right of the pose"""

    bl_idname = "kinflow.mirror_pose"
    bl_label = "Mirror Pose"

    def change(self, context: bpy.types.Context, armature: bpy.types.Object) -> None:
        rotations = mirror_pose(pose.read_body_pose(armature))
        latent.set_latent(armature, latent.encode(armature, rotations))
