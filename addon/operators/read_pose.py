"""Read the rig's pose into the sliders."""

import bpy

from ..scene import latent, pose
from .common import BodyOperator


class KINFLOW_OT_read_pose(BodyOperator, bpy.types.Operator):
    """Read the rig's pose, posed by hand, into the sliders"""

    bl_idname = "kinflow.read_pose"
    bl_label = "Read Pose"

    def change(self, context: bpy.types.Context, armature: bpy.types.Object) -> None:
        latent.set_latent(armature, latent.encode(armature, pose.read_body_pose(armature)))
